"""The figures of the report: Vega-Lite specifications, which a browser fills with table rows.

A figure is drawn for the model and task that a reader chooses, from the same rows that stand in
the tables. The page adds to each row what it is called (`line`, `model_title`, …).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import altair as alt

from ..names import ACTIONS, HUMAN, WORDS

# Looks of the groups of personas, in their order. Readable on white for eyes that do not tell red
# from green; shapes say the same without colour. Of more groups than there are they come again.
GROUP_COLOURS = ("#125b7a", "#8a4b00", "#66717d", "#7a3b8f")
GROUP_SHAPES = ("circle", "square", "triangle-up", "diamond")
# What answers beside the models: its title, colour and shape.
_BLACK = "#1c1c1c"
RATED = {HUMAN: ("human", _BLACK, "cross"), WORDS: ("bag of words", _BLACK, "triangle-down")}
# What a drawing of one metric is called.
METRICS = {
    "accuracy": "Accuracy",
    "under_triage_rate": "Under-triage",
    "over_triage_rate": "Over-triage",
}
OUTCOMES = ("under_triage_rate", "accuracy", "over_triage_rate", "invalid_rate")
OUTCOME_TITLES = ("under-triaged", "correct", "over-triaged", "invalid")
OUTCOME_COLOURS = ("#b6452c", "#dfe5ea", "#3f7fa6", "#2b2b2b")
# Of actions, and of a judge's own classes.
CLASS_COLOURS = ("#b6452c", "#e0b04a", "#3f7fa6", "#dfe5ea", "#7a3b8f")


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        id: name in links.
        title: heading.
        caption: what is drawn; the page adds n, the level of intervals and invalid answers.
        table: whose rows it shows.
        spec: Vega-Lite, with the data set `rows`.
        where: column → values of the rows that it shows.
        by: columns of which every combination of values is a drawing of its own.
        known: column that must have a value, as what not every kind of task has.
        every_model: whether all models stand in it, and not the chosen one.
        one_persona: whether it shows the chosen persona alone.
        wordings: whether paraphrases stand beside the main wordings.
        lines: field of which every value has a line of its own; of none the height is fixed.
    """

    id: str
    title: str
    caption: str
    table: str
    spec: dict[str, Any]
    where: Mapping[str, list[Any]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    known: str = ""
    every_model: bool = False
    one_persona: bool = False
    wordings: bool = False
    lines: str = "line"


_INTERVALS = "Bars are intervals."
ON_HOVER = "Point at a part for its interval."  # parts of a bar have no room for one


def figures(groups: Sequence[str], rated: Sequence[str]) -> list[Figure]:
    """All figures, in the order of the page.

    Args:
        groups: titles of the groups of personas, in the order of the study.
        rated: what answers beside the models, of `RATED`.
    """
    marks, personas = _marks(groups, rated), _marks(groups, ())
    return [
        Figure(
            "effects",
            "Effects at a glance",
            "Accuracy under a persona minus accuracy under the baseline, on the same cases, in "
            "percentage points; one row per model.",
            "contrasts",
            _glance(),
            {
                "metric": ["accuracy"],
                "confidence": [None],
                "variant": ["main"],
                "against": ["persona"],
            },
            every_model=True,
            lines="model_title",
        ),
        Figure(
            "accuracy",
            "Accuracy",
            "Share of all cases whose answer is the reference; an invalid answer counts as "
            f"wrong. {_INTERVALS} Dashed: a uniform guess.",
            "cells",
            _shares("accuracy", "Accuracy", marks),
            known="accuracy",
        ),
        Figure(
            "effect",
            "Effect of a persona",
            "The figure under a persona minus the same under the baseline, on the same cases, in "
            f"percentage points. {_INTERVALS} Hollow: paraphrases of the same persona.",
            "contrasts",
            _effects(personas),
            {
                "metric": list(METRICS),
                "confidence": [None],
                "against": ["persona"],
            },
            ("metric",),
            wordings=True,
        ),
        Figure(
            "errors",
            "Which way the answers go",
            "Shares of all cases. Under-triaged: less urgent than the reference; over-triaged: "
            "more urgent.",
            "cells",
            _outcomes(),
            known="under_triage_rate",
        ),
        Figure(
            "confusion",
            "Answers by reference level",
            "How many cases of a reference level got an answer, under the chosen persona.",
            "confusion",
            _confusion(),
            one_persona=True,
            lines="reference_title",
        ),
        Figure(
            "reliability",
            "Does confidence mean anything?",
            "Accuracy of the likeliest label by its probability, in bins of equal width, under the "
            f"chosen persona. {_INTERVALS} Dashed: confidence as good as its word. Of few cases "
            "a bin says little.",
            "reliability",
            _reliability(),
            {"confidence": ["top_label"], "recalibration": ["none"], "variant": ["main"]},
            one_persona=True,
            lines="",
        ),
        Figure(
            "subgroups",
            "Effect by group of cases",
            "Accuracy under the chosen persona minus accuracy under the baseline, in percentage "
            f"points. {_INTERVALS} Hollow: a small group. Not adjusted for the number of groups: "
            "exploration.",
            "subgroups",
            _groups(personas),
            {"metric": ["accuracy"]},
            one_persona=True,
        ),
        Figure(
            "ratings",
            "What judges say of the answers",
            f"Mean expected rating of a judge, a language model itself. {_INTERVALS}",
            "judgements",
            _ratings(personas),
            {"category": ["all"], "variant": ["main"]},
            ("judge", "metric"),
        ),
        Figure(
            "actions",
            "What the answers do with the request",
            f"Shares of all answers by the likeliest action in the judge's view. {ON_HOVER}",
            "judgements",
            stacked({one: one for one in ACTIONS}, "Action"),
            {"category": ["all"], "variant": ["main"], "metric": list(ACTIONS)},
            ("judge",),
        ),
        Figure(
            "strengths",
            "Whose answers judges prefer",
            f"Bradley–Terry strength: logarithm, mean 0, ties after Davidson. {_INTERVALS}",
            "rankings",
            _strengths(personas),
            {"category": ["all"], "method": ["pairwise"]},
            ("judge",),
        ),
    ]


# --- parts --------------------------------------------------------------------------------


def _chart(chart: Any) -> dict[str, Any]:
    """A chart as a specification; the page gives its data and, by the lines, its height."""
    sized = chart.properties(data=alt.NamedData("rows"), width="container")
    spec: dict[str, Any] = sized.to_dict()
    # Its address names a version on the web; nothing is loaded from there.
    spec.pop("$schema")
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["config"] = {
        "font": "system-ui, sans-serif",
        "axis": {
            "labelFontSize": 13,
            "titleFontSize": 13,
            "labelLimit": 420,
            "titleColor": "#3c4854",
        },
        "legend": {"labelFontSize": 13, "titleFontSize": 13, "labelLimit": 420, "orient": "top"},
        "view": {"stroke": "#d5dce3"},
        "aria": True,
    }
    return spec


def _lines(title: str | None = None) -> Any:
    """One line per row, in the order in which the page gives them."""
    return alt.Y("line:N").sort(None).title(title)


# Colour and shape of a group of personas.
_Marks = tuple[Any, Any]


def _marks(groups: Sequence[str], rated: Sequence[str]) -> _Marks:
    personas = zip(groups, cycle(GROUP_COLOURS), cycle(GROUP_SHAPES), strict=False)
    rows = [*personas, *(RATED[model] for model in rated)]
    domain, colour, shape = (list(column) for column in zip(*rows, strict=True))
    return (
        alt.Color("persona_group:N").scale(domain=domain, range=colour).title("Persona"),
        alt.Shape("persona_group:N").scale(domain=domain, range=shape).title("Persona"),
    )


def _hover(*fields: tuple[str, str, str]) -> list[Any]:
    """What a mark says: name, format and title of its fields."""
    return [
        alt.Tooltip(name, title=title, format=form or alt.Undefined) for name, form, title in fields
    ]


_WHO = (("name:N", "", "Persona"), ("wording:N", "", "Wording"))
_COUNTS = (("n:Q", "", "Cases (n)"), ("n_invalid:Q", "", "Invalid answers"))
_JUDGED = (("n:Q", "", "Answers (n)"), ("n_unjudged:Q", "", "Without a verdict"))


def _interval(columns: tuple[str, str, str], x: Any, hover: list[Any], marks: _Marks) -> Any:
    """Points with intervals, one line each: columns of the value and its bounds."""
    value, low, high = (f"{column}:Q" for column in columns)
    colour, shape = marks
    base = alt.Chart().encode(y=_lines(), tooltip=hover)
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X(low).title(x.title), x2=alt.X2(high), color=colour
    )
    points = base.mark_point(size=80, strokeWidth=2).encode(
        x=alt.X(value).title(x.title),
        color=colour,
        shape=shape,
        fill=alt.condition("datum.hollow", alt.value("#ffffff"), colour),
    )
    return bars, points


def _shares(name: str, title: str, marks: _Marks) -> dict[str, Any]:
    form = alt.Axis(format="%", title=title)
    hover = _hover(
        *_WHO,
        (f"{name}:Q", ".1%", title),
        (f"{name}_low:Q", ".1%", "from"),
        (f"{name}_high:Q", ".1%", "to"),
        *_COUNTS,
    )
    bars, points = _interval((name, f"{name}_low", f"{name}_high"), form, hover, marks)
    guess = alt.Chart().mark_rule(strokeDash=[4, 4], color="#66717d").encode(x="mean(guess):Q")
    return _chart(alt.layer(guess, bars, points).encode(x=alt.X(axis=form)))


def _points(chart: Any, *fields: str) -> Any:
    """Shares as percentage points: `<field>_points`."""
    return chart.transform_calculate(
        **{
            f"{name}_points": f"isValid(datum.{name}) ? 100 * datum.{name} : null"
            for name in fields
        }
    )


def _zero() -> Any:
    return alt.Chart().mark_rule(color="#66717d").encode(x=alt.datum(0))


def _effects(marks: _Marks) -> dict[str, Any]:
    form = alt.Axis(title="Difference in percentage points")
    hover = _hover(
        *_WHO,
        ("difference_points:Q", "+.1f", "Difference, points"),
        ("low_points:Q", "+.1f", "from"),
        ("high_points:Q", "+.1f", "to"),
        ("p_holm:Q", ".3f", "p (Holm)"),
        ("n_changed:Q", "", "Answers that differ"),
        *_COUNTS,
        ("n_invalid_baseline:Q", "", "Invalid under the baseline"),
    )
    bars, points = _interval(("difference_points", "low_points", "high_points"), form, hover, marks)
    return _chart(_points(alt.layer(_zero(), bars, points), "difference", "low", "high"))


def _groups(marks: _Marks) -> dict[str, Any]:
    form = alt.Axis(title="Difference in percentage points")
    hover = _hover(
        ("line:N", "", "Group"),
        ("difference_points:Q", "+.1f", "Difference, points"),
        ("difference_low_points:Q", "+.1f", "from"),
        ("difference_high_points:Q", "+.1f", "to"),
        *_COUNTS,
        ("n_invalid_baseline:Q", "", "Invalid under the baseline"),
    )
    bars, points = _interval(
        ("difference_points", "difference_low_points", "difference_high_points"),
        form,
        hover,
        marks,
    )
    layers = alt.layer(_zero(), bars, points)
    return _chart(_points(layers, "difference", "difference_low", "difference_high"))


def _glance() -> dict[str, Any]:
    hover = _hover(
        ("model_title:N", "", "Model"),
        *_WHO,
        ("difference_points:Q", "+.1f", "Difference, points"),
        ("low_points:Q", "+.1f", "from"),
        ("high_points:Q", "+.1f", "to"),
        ("p_holm:Q", ".3f", "p (Holm)"),
        *_COUNTS,
    )
    base = alt.Chart().encode(
        x=alt.X("name:N").sort(None).title(None).axis(labelAngle=-35),
        y=alt.Y("model_title:N").sort(None).title(None),
        tooltip=hover,
    )
    scale = alt.Scale(scheme="blueorange", domainMid=0, reverse=True)
    cells = base.mark_rect().encode(
        color=alt.Color("difference_points:Q").scale(scale).title("points")
    )
    numbers = base.mark_text(fontSize=13).encode(
        text=alt.Text("difference_points:Q", format="+.1f")
    )
    return _chart(_points(alt.layer(cells, numbers), "difference", "low", "high"))


def _outcomes() -> dict[str, Any]:
    hover = _hover(
        *_WHO,
        ("outcome:N", "", "Answers"),
        ("share:Q", ".1%", "Share of all cases"),
        ("from:Q", ".1%", "from"),
        ("to:Q", ".1%", "to"),
        *_COUNTS,
    )
    titles = dict(zip(OUTCOMES, OUTCOME_TITLES, strict=True))
    chart = (
        alt.Chart()
        .transform_fold(list(OUTCOMES), as_=["key", "share"])
        .transform_calculate(
            **{
                "from": "datum[datum.key + '_low']",
                "to": "datum[datum.key + '_high']",
                "outcome": f"{titles}[datum.key]",
                "place": f"indexof({list(OUTCOMES)}, datum.key)",
            }
        )
        .mark_bar(stroke="#3c4854", strokeWidth=0.5)
        .encode(
            y=_lines(),
            x=alt.X("share:Q").axis(format="%").title("Share of all cases").scale(domain=[0, 1]),
            color=alt.Color("outcome:N")
            .scale(domain=list(OUTCOME_TITLES), range=list(OUTCOME_COLOURS))
            .title(None),
            order="place:Q",
            tooltip=hover,
        )
    )
    return _chart(chart)


def _confusion() -> dict[str, Any]:
    hover = _hover(
        ("reference_title:N", "", "Reference"),
        ("answer_title:N", "", "Answer"),
        ("count:Q", "", "Cases"),
        ("share:Q", ".1%", "Share of the reference level"),
        ("low:Q", ".1%", "from"),
        ("high:Q", ".1%", "to"),
        ("n:Q", "", "Cases of the reference level (n)"),
    )
    base = alt.Chart().encode(
        x=alt.X("answer_title:N").sort(None).title("Answer").axis(labelAngle=0, orient="top"),
        y=alt.Y("reference_title:N").sort(None).title("Reference"),
        tooltip=hover,
    )
    cells = base.mark_rect(stroke="#d5dce3").encode(
        color=alt.Color("share:Q")
        .scale(range=["#ffffff", "#0b4f86"], domain=[0, 1], interpolate="rgb")
        .legend(None)
    )
    numbers = base.mark_text(fontSize=13).encode(
        text="count:Q",
        color=alt.condition("datum.share > 0.55", alt.value("#ffffff"), alt.value("#17202a")),
    )
    return _chart(alt.layer(cells, numbers))


def _reliability() -> dict[str, Any]:
    hover = _hover(
        ("mean_confidence:Q", ".1%", "Mean confidence"),
        ("value:Q", ".1%", "Accuracy"),
        ("low:Q", ".1%", "from"),
        ("high:Q", ".1%", "to"),
        ("n:Q", "", "Cases of the bin (n)"),
    )
    x = alt.X("mean_confidence:Q").scale(domain=[0, 1]).axis(format="%").title("Mean confidence")
    y = alt.Y("value:Q").scale(domain=[0, 1]).axis(format="%").title("Accuracy")
    base = alt.Chart().transform_filter("datum.n > 0").encode(x=x, tooltip=hover)
    bars = base.mark_rule(strokeWidth=2, color=GROUP_COLOURS[0]).encode(
        y=alt.Y("low:Q").title("Accuracy"), y2="high:Q"
    )
    points = base.mark_point(filled=True, opacity=1, color=GROUP_COLOURS[0]).encode(
        y=y, size=alt.Size("n:Q").title("Cases").scale(range=[40, 400])
    )
    ideal = (
        alt.Chart()
        .mark_rule(strokeDash=[4, 4], color="#66717d")
        .encode(x=alt.datum(0), y=alt.datum(0), x2=alt.datum(1), y2=alt.datum(1))
    )
    return _chart(alt.layer(ideal, bars, points))


def _ratings(marks: _Marks) -> dict[str, Any]:
    form = alt.Axis(title="Mean expected rating")
    hover = _hover(
        *_WHO,
        ("value:Q", ".2f", "Mean expected rating"),
        ("low:Q", ".2f", "from"),
        ("high:Q", ".2f", "to"),
        *_JUDGED,
    )
    bars, points = _interval(("value", "low", "high"), form, hover, marks)
    return _chart(alt.layer(bars, points).encode(x=alt.X(scale=alt.Scale(zero=False))))


def stacked(titles: Mapping[str, str], what: str) -> dict[str, Any]:
    """Shares of all answers in one bar a line: metric → title, of a class; `what` these are."""
    hover = _hover(
        *_WHO,
        ("called:N", "", what),
        ("value:Q", ".1%", "Share of all answers"),
        ("low:Q", ".1%", "from"),
        ("high:Q", ".1%", "to"),
        *_JUDGED,
    )
    chart = (
        alt.Chart()
        .transform_calculate(
            place=f"indexof({json.dumps([*titles])}, datum.metric)",
            called=f"({json.dumps(dict(titles))})[datum.metric]",
        )
        .mark_bar(stroke="#3c4854", strokeWidth=0.5)
        .encode(
            y=_lines(),
            x=alt.X("value:Q").axis(format="%").title("Share of all answers").scale(domain=[0, 1]),
            color=alt.Color("called:N")
            .scale(domain=[*titles.values()], range=[*islice(cycle(CLASS_COLOURS), len(titles))])
            .title(None),
            order="place:Q",
            tooltip=hover,
        )
    )
    return _chart(chart)


def _strengths(marks: _Marks) -> dict[str, Any]:
    form = alt.Axis(title="Strength (logarithm, mean 0)")
    hover = _hover(
        *_WHO,
        ("strength:Q", "+.2f", "Strength"),
        ("strength_low:Q", "+.2f", "from"),
        ("strength_high:Q", "+.2f", "to"),
        ("n_questions:Q", "", "Questions (n)"),
        ("n_pairs:Q", "", "Pairs"),
        ("n_unjudged:Q", "", "Without a verdict"),
    )
    bars, points = _interval(("strength", "strength_low", "strength_high"), form, hover, marks)
    return _chart(alt.layer(_zero(), bars, points))
