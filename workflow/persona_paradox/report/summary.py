"""The results in words: every sentence carries its numbers, and no adjective without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from .summary_judged import clinicians, judged

Tables = Mapping[str, pl.DataFrame]
Settings = Mapping[str, Any]
Row = Mapping[str, Any]

# What each verdict says, in the words of config/README.md.
_VERDICTS = {
    "robust": "robust",
    "not significant": "not shown to differ from 0",
    "not beyond wording": "not beyond wording",
    "not beyond controls": "not beyond the controls",
    "too few wordings": "undecided, too few wordings",
    "too few controls": "undecided, too few controls",
}
# Figures whose contrasts stand in the section on risk, with their unit.
_RISK = {
    "under_triage_rate": "under-triage",
    "over_triage_rate": "over-triage",
    "criterion": "criterion c",
    "d_prime": "d′",
}
_POINTS = frozenset({"accuracy", "under_triage_rate", "over_triage_rate", "invalid_rate"})
# Of one item or cluster, or of a figure that is the same in every draw.
NO_INTERVAL = "[no interval]"

_NAMES = {"kappa_quadratic": "quadratic κ", "level_error": "level error", **_RISK}


def summary(tables: Tables, settings: Settings, statistics: Settings) -> str:
    """The text of `results/summary.md`.

    Args:
        tables: by name; what only another one says is left out.
        settings: the view of the figures: titles of everything.
        statistics: the view of the statistics.
    """
    lines = [f"# {settings['title']}: results in words", ""]
    if settings["tasks"]:
        lines += _study(tables, settings, statistics)
    if lost := list(_too_long(tables, settings)):
        lines += ["", "## Prompts that did not fit", "", *lost]
    for title, needed, section in _TRIAGE if settings["tasks"] else ():
        if needed in tables:
            lines += ["", f"## {title}", "", *section(tables, settings, statistics)]
    if "judges" in tables:
        lines += ["", "## What judges say of the answers", "", *judged(tables, settings)]
    if "thoughts" in tables:
        lines += ["", "## What models thought before", "", *_thoughts(tables, settings)]
    if said := list(clinicians(tables, settings)):
        lines += ["", "## What clinicians say", "", *said]
    lines += [
        "",
        "## What this does not say",
        "",
        "Nothing here is medical advice. A difference that is not shown is not a difference that "
        "is absent: only “equivalent” says so, within its margin. Definitions are in "
        "config/README.md; consistency rates, c and d′ as risk propensity and sensitivity, the "
        "cost, “robust”, the scores by harm level and action, and the rule by which a judge is "
        "usable are this project's own.",
        "",
    ]
    return "\n".join(lines)


def _study(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    level = _percent(settings["confidence"])
    about = (
        "Written from the tables of the study. Baseline: "
        f"{_persona(settings, settings['baseline'])}. Intervals in brackets are {level}, "
        f"{settings['interval']} bootstrap over items ({settings['draws']} draws, seed "
        f"{settings['seed']}), and Wilson for plain shares."
    )
    if "contrasts" in tables:
        family = statistics["family"]
        n_tests = int(tables["contrasts"]["in_family"].sum())
        about += (
            f" The tests of the study are its {n_tests} contrasts in "
            f"{', '.join(family['metrics'])} ({family['wordings']} wordings), adjusted together by "
            f"Holm's method at {_percent(1 - settings['confidence'])}; every other interval stands "
            "unadjusted."
        )
    yield about
    if "cells" not in tables:
        return
    yield ""
    cells = tables["cells"].filter(pl.col("model") != "human")
    for task in settings["tasks"]:
        rows = cells.filter(pl.col("task") == task)
        if rows.is_empty():
            continue
        spec = settings["tasks"][task]
        teaching = ", author-written teaching cases, not clinically validated" * spec["teaching"]
        answers = int(rows["n"].sum())
        yield (
            f"- **{spec['title']}** ({spec['dataset']}{teaching}): n = {_range(rows['n'])} items; "
            f"{rows.height} wordings × models with {answers} greedy answers, "
            f"{int(rows['n_invalid'].sum())} of them invalid (counted as wrong)."
            + (f" {spec['sample']}" if spec["sample"] else "")
        )
        below = statistics["label_mass_warning_below"]
        low = rows.filter(pl.col("label_mass") < below).sort("label_mass")
        if low.height:
            yield (
                f"  - Warning: in {low.height} of these {rows.height} the labels together have "
                f"less than {_percent(below)} of the probability, on the mean over items (least: "
                f"{100 * low['label_mass'][0]:.1f}%, {settings['models'][low['model'][0]]}, "
                f"{_persona(settings, low['persona'][0])}): what is read from label probabilities "
                "there says little of what the model means."
            )
        for rater in tables["cells"].filter(model="human", task=task).iter_rows(named=True):
            where = {"main": "all records", "same_items": "the items the models answered"}
            yield (
                f"  - {settings['raters'][rater['persona']]}, {where[rater['variant']]}: accuracy "
                f"{_share(rater, 'accuracy')}, n = {rater['n']}."
            )


def _effects(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    alpha = 1 - settings["confidence"]
    contrasts = tables["contrasts"].filter(
        (pl.col("metric") == "accuracy")
        & pl.col("confidence").is_null()
        & (pl.col("variant") == "main")
    )
    if contrasts.is_empty():
        yield "The study has no persona beside the baseline."
    for (model, task), part in contrasts.group_by("model", "task", maintain_order=True):
        yield from _heading(settings, part)
        for row in _rows(
            tables, "cells", model=model, task=task, persona=settings["baseline"], variant="main"
        ):
            yield (
                f"- Baseline: accuracy {_share(row, 'accuracy')}, {row['n_invalid']} invalid; a "
                f"uniform guess has {100 / len(settings['tasks'][task]['levels']):.0f}%."
            )
        tested = part.filter(pl.col("p_holm").is_not_null())
        shown = tested.filter(pl.col("p_holm") <= alpha)
        for row in shown.iter_rows(named=True):
            persona = _persona(settings, row["persona"])
            yield f"- {persona}: {_difference(row)}, p (Holm) {_p(row['p_holm'])}."
        rest = tested.filter(pl.col("p_holm") > alpha)
        if rest.height:
            equivalent = rest.filter(pl.col("equivalent"))
            yield (
                f"- Not shown for {rest.height} of {tested.height} personas: differences "
                f"{_points(rest['difference'].min())} to {_points(rest['difference'].max())} "
                f"points, p (Holm) at least {_p(min(rest['p_holm']))}. "
                f"{_detectable(rest, settings)}"
            )
            margin = settings["margin"]
            if margin is not None:
                who = "; ".join(_persona(settings, p) for p in equivalent["persona"]) or "none"
                yield (
                    f"- Equivalent to the baseline within ±{100 * margin:g} points (two one-sided "
                    f"tests at {_percent(alpha)}, not adjusted): {who}."
                )
        yield ""


def _detectable(rest: pl.DataFrame, settings: Settings) -> str:
    known = rest["detectable"].drop_nulls()
    power = _percent(settings["power"])
    if known.is_empty():
        return f"With so few answers that turned right or wrong, no difference had {power} power."
    text = (
        f"With {power} power and as many answers that turn, {_between(known)} points would have "
        "been shown in a single test"
    )
    lacking = rest.height - len(known)
    return text + (f"; for {lacking}, no difference" if lacking else "") + "."


def _robust(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["robustness"].filter(pl.col("metric") == "accuracy")
    if table.is_empty():
        yield "No contrast in accuracy is a test of this study."
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        yield from _heading(settings, part)
        for row in _rows(tables, "spread", model=model, task=task, metric="accuracy"):
            if row["sd"] is None:
                yield f"- Spread of {row['kind']}s: not defined, {row['n_effects']} effects."
                continue
            yield (
                f"- Spread of {row['kind']}s: standard deviation {100 * row['sd']:.1f} points "
                f"{_between_brackets(row)} without chance in the items, "
                f"{100 * row['sd_observed']:.1f} with it; {row['n_effects']} effects from "
                f"{_points(row['smallest'])} to {_points(row['largest'])}."
            )
        for verdict, words in _VERDICTS.items():
            rows = part.filter(pl.col("verdict") == verdict)
            if rows.is_empty():
                continue
            if verdict == "not significant":
                names = "; ".join(_persona(settings, p) for p in rows["persona"])
                yield f"- {words.capitalize()}: {names}."
                continue
            for row in rows.iter_rows(named=True):
                yield (
                    f"- {_persona(settings, row['persona'])}: {words}. Effect of the main wording "
                    f"{_points(row['effect'])} points {_bounds(row['low'], row['high'])}; mean of "
                    f"{row['n_wordings']} wordings {_points(row['wording_mean'])} "
                    f"{_bounds(row['wording_low'], row['wording_high'])}; one further control "
                    f"would lie within {_bounds(row['control_low'], row['control_high'])} "
                    f"({row['n_controls']} controls)."
                )
        yield ""


def _risk(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    main = tables["contrasts"].filter(pl.col("variant") == "main")
    told = False
    for (model, task), part in main.filter(pl.col("metric").is_in(list(_RISK))).group_by(
        "model", "task", maintain_order=True
    ):
        shown = part.filter(_excludes_zero(settings))
        for (metric,), rows in shown.group_by("metric", maintain_order=True):
            told = True
            effects = "; ".join(_effect(row, settings) for row in rows.iter_rows(named=True))
            yield (
                f"- {_place(settings, model, task)}, "
                f"{_RISK[metric]}{' (points)' * (metric in _POINTS)}: {effects}. n = "
                f"{rows.item(0, 'n')}."
            )
    yield ""
    yield (
        "These are the contrasts whose unadjusted interval excludes 0. c above 0 is reluctant to "
        "call an emergency; d′ says how well emergencies are told from the rest (our own reading)."
        if told
        else (
            "No unadjusted interval of a contrast in under-triage, over-triage, c or d′ excludes 0."
        )
    )


def _context(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["interaction"].filter(pl.col("versus").is_not_null())
    if table.is_empty():
        yield (
            "The study has no two contexts of the same kind of data (real or teaching) to compare."
        )
    for (kind, model), part in table.group_by("kind", "model", maintain_order=True):
        name = "all models together" if model is None else settings["models"][model]
        known = part.filter(pl.col("points").is_not_null())
        shown = known.filter((pl.col("points_low") > 0) | (pl.col("points_high") < 0))
        cases = {"teaching": "teaching cases", "real": "real cases"}[kind]
        yield (
            f"- {name}, {cases}: for {shown.height} of {known.height} personas the unadjusted "
            "interval of the difference between contexts excludes 0 (logistic GEE clustered by "
            f"item; {_range(part['n_items'])} items)."
            + (
                f" No estimate for {part.height - known.height}."
                if part.height > known.height
                else ""
            )
        )
        for row in shown.iter_rows(named=True):
            yield (
                f"  - {_persona(settings, row['persona'])}: effect in {_words(row['context'])} "
                f"minus that in {_words(row['versus'])} {_points(row['points'] / 100)} points "
                f"[{_points(row['points_low'] / 100)}, {_points(row['points_high'] / 100)}]."
            )


def _consistency(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    cells = tables["cells"].filter((pl.col("model") != "human") & (pl.col("variant") == "main"))
    names = {
        "consistency_readout": "Read-out (generated label = likeliest label)",
        "consistency_repeat": "Repeat (pairwise agreement of sampled answers)",
        "consistency_persona": "Persona (same label as under the baseline)",
    }
    for _, part in cells.group_by("model", "task", maintain_order=True):
        yield from _heading(settings, part)
        for name, words in names.items():
            known = part.filter(
                pl.col(name).is_not_null()
                & ((pl.col("persona") != settings["baseline"]) | (name != "consistency_persona"))
            )
            if known.is_empty():
                yield f"- {words}: not measured."
                continue
            rising = known.sort(name, maintain_order=True)
            low, high = rising[0], rising[-1]
            ends = [
                f"{_share(row, name)} ({_persona(settings, row['persona'])})"
                for part_row in (low, high)
                for row in part_row.iter_rows(named=True)
            ]
            yield f"- {words}: from {ends[0]} to {ends[1]}."
        yield ""


def _calibration(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["calibration"].filter(
        (pl.col("variant") == "main")
        & (pl.col("metric") == "smooth_ece")
        & pl.col("value").is_not_null()
    )
    for (model, task, confidence), part in table.filter(pl.col("recalibration") == "none").group_by(
        "model", "task", "confidence", maintain_order=True
    ):
        base = part.filter(pl.col("persona") == settings["baseline"])
        where = {"model": model, "task": task, "confidence": confidence, "variant": "main"}
        changes = (
            [
                *tables["contrasts"]
                .filter(_excludes_zero(settings), metric="smooth_ece", **where)
                .iter_rows(named=True)
            ]
            if "contrasts" in tables
            else []
        )
        after = table.filter(
            model=model, task=task, confidence=confidence, persona=settings["baseline"],
            recalibration="temperature",
        )  # fmt: skip
        text = f"- {_place(settings, model, task)}, {_words(confidence)}: "
        if base.is_empty():
            text += "no smooth ECE of the baseline, which has no such confidence"
        for row in base.iter_rows(named=True):
            text += f"smooth ECE of the baseline {row['value']:.3f} {_three(row)}, n = {row['n']}"
        for row in after.iter_rows(named=True):
            text += f", after cross-fitted temperature scaling {row['value']:.3f} {_three(row)}"
        if "contrasts" in tables:
            effects = "; ".join(_effect(row, settings, 3) for row in changes)
            text += f". Unadjusted intervals of the difference that exclude 0: {effects or 'none'}"
        yield text + "."
    yield ""
    yield (
        "A calibration error cannot be negative, and resampling raises it: its interval may lie "
        "above it. Binned errors stand in results/tables/calibration.csv."
    )


def _subgroups(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["subgroups"].filter((pl.col("metric") == "accuracy") & pl.col("p").is_not_null())
    if table.is_empty():
        yield "The data sets of the study declare no subgroups."
        return
    alpha = 1 - settings["confidence"]
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        shown = part.filter(pl.col("p_holm") <= alpha)
        groups = part.unique(["subgroup", "group"], maintain_order=True)
        small = groups.filter(pl.col("small")).height
        yield (
            f"- {_place(settings, model, task)}: {groups.height} groups, {small} of them with "
            f"fewer than {statistics['small_group_below']} items; effects with p (Holm over "
            f"{part.height} tests) at most {_percent(alpha)}: {shown.height}."
        )
        for row in shown.iter_rows(named=True):
            title = settings["tasks"][task]["subgroups"][row["subgroup"]]
            yield (
                f"  - {_persona(settings, row['persona'])}, {title} {row['group']} (n = "
                f"{row['n']}): {_points(row['difference'])} points "
                f"{_bounds(row['difference_low'], row['difference_high'])}, p (Holm) "
                f"{_p(row['p_holm'])}."
            )


def _variance(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["variance"]
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        name = "all models together" if model is None else settings["models"][model]
        known = part.filter(pl.col("share").is_not_null()).sort(
            "share", descending=True, maintain_order=True
        )
        text = f"- {name}, {settings['tasks'][task]['title']}: "
        if known.is_empty():
            reason = part.item(0, "reason") or "the answers do not differ in being right"
            yield text + f"not defined: {reason}."
            continue
        shares = [
            f"{row['source']} {100 * row['share']:.1f}% {_between_brackets(row)}"
            for row in known.iter_rows(named=True)
        ]
        yield text + f"{', '.join(shares)}; {part.item(0, 'n_items')} items."
    yield ""
    yield (
        "Shares of the variance of being right over items, wordings, personas and models, the "
        "baseline left out; “residual” is the interaction of all of them, which one answer cannot "
        "tell from chance."
    )


# --- words -------------------------------------------------------------------------------


# Sections on triage: title, the table without which there is nothing to say, and what is said.
_TRIAGE = (
    ("Does a persona change the accuracy?", "contrasts", _effects),
    ("Is it more than wording, and more than any sentence does?", "robustness", _robust),
    ("Risk: which way the errors go", "contrasts", _risk),
    ("Does the effect depend on the context?", "interaction", _context),
    ("Consistency", "cells", _consistency),
    ("Calibration", "calibration", _calibration),
    ("Subgroups", "subgroups", _subgroups),
    ("Where the variance lies", "variance", _variance),
)


def _rows(tables: Tables, name: str, **where: Any) -> list[Row]:
    """Rows of a table in which these columns have these values; none where it is not made."""
    return [*tables[name].filter(**where).iter_rows(named=True)] if name in tables else []


def _thoughts(tables: Tables, settings: Settings) -> Iterator[str]:
    titles = settings["tasks"] | settings.get("judged_tasks", {})
    for (model, task), part in tables["thoughts"].group_by("model", "task", maintain_order=True):
        n, cut = int(part["n_thoughts"].sum()), int(part["n_cut"].sum())
        medians = part["median_tokens"].drop_nulls().round().cast(pl.Int64)
        length = f", of {_range(medians)} tokens (medians of wordings)" if n else ""
        yield (
            f"- {settings['models'][model]}, {titles[task]['title']}: {n} thoughts before "
            f"{int(part['n_answers'].sum())} answers{length}. "
            + (
                f"Cut at their greatest length, so that the answer stands behind an unfinished "
                f"thought: {cut} ({100 * cut / n:.0f}%)."
                if cut
                else "None was cut."
            )
        )


def _too_long(tables: Tables, settings: Settings) -> Iterator[str]:
    shown = settings["tasks"] | settings.get("judged_tasks", {})
    if "delivery" not in tables:
        return
    lost = tables["delivery"].filter(pl.col("n_too_long") > 0)
    for (model, task), part in lost.group_by("model", "task", maintain_order=True):
        counts = "; ".join(
            f"{_persona(settings, row['persona'])} {row['n_too_long']} of {row['n_prompts']}"
            for row in part.iter_rows(named=True)
        )
        title = shown[task]["title"] if task in shown else task  # asked, and judged by nobody
        yield (
            f"- Warning: {settings['models'][model]}, {title}: prompts that leave "
            "no room in the window for what is written behind them, and were not run (all wordings "
            f"and null cases): {counts}. Without an answer they count as invalid; a longer "
            "sentence of a persona loses more cases. Raise `engine.context` of the model."
        )


def _place(settings: Settings, model: str, task: str) -> str:
    return f"{settings['models'][model]}, {settings['tasks'][task]['title']}"


def _heading(settings: Settings, part: pl.DataFrame) -> list[str]:
    """Where a list is about, and of how many items."""
    place = _place(settings, part.item(0, "model"), part.item(0, "task"))
    return [f"**{place}** (n = {_range(part['n'])})", ""]


def _persona(settings: Settings, persona: str) -> str:
    title: str = settings["personas"][persona]["title"]
    return title


def _between_brackets(row: Row) -> str:
    """Bounds of a share in percent."""
    if row["low"] is None or row["high"] is None:
        return NO_INTERVAL
    if row["low"] == row["high"] == 0:
        return "[no more than chance in the items]"
    return f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _bounds(low: float | None, high: float | None) -> str:
    """Bounds in points."""
    return NO_INTERVAL if low is None else f"[{_points(low)}, {_points(high)}]"


def _three(row: Row) -> str:
    """Bounds with three digits."""
    return NO_INTERVAL if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"


def _excludes_zero(settings: Settings) -> pl.Expr:
    """Contrasts whose interval excludes 0, where there are enough items or clusters for that.

    Of few the bootstrap draws the same again and again, and its p is that of an exact test.
    """
    alpha = 1 - settings["confidence"]
    enough: pl.Expr = (2.0 ** (1 - pl.col("n")) <= alpha) & (
        (pl.col("test") == "exact McNemar") | (pl.col("p") <= alpha)
    )
    excludes = (pl.col("low") > 0) | (pl.col("high") < 0)
    return excludes & enough


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(share: float) -> str:
    return f"{round(100 * share, 6):g}%"


def _points(share: Any) -> str:
    if share is None:
        return "not defined"
    text = f"{100 * share:+.1f}"
    return _signed(text)


def _signed(text: str) -> str:
    """A number with a true minus sign; zero has none."""
    return (text if float(text) else text.lstrip("+-")).replace("-", "−")


def _share(row: Row, name: str) -> str:
    if row[name] is None:
        return "not defined"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "" if low is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * row[name]:.1f}%{bounds}"


def _difference(row: Row) -> str:
    return (
        f"{_points(row['difference'])} points {_bounds(row['low'], row['high'])}, "
        f"{row['n_gained']} answers turned right and {row['n_lost']} wrong, {row['n_invalid']} "
        f"invalid (baseline {row['n_invalid_baseline']})"
    )


def _effect(row: Row, settings: Settings, digits: int = 2) -> str:
    if row["metric"] in _POINTS:
        numbers = [_points(row[key]) for key in ("difference", "low", "high")]
    else:
        numbers = [_signed(f"{row[key]:+.{digits}f}") for key in ("difference", "low", "high")]
    return f"{_persona(settings, row['persona'])} {numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _range(values: pl.Series) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _between(values: pl.Series) -> str:
    low, high = (f"{100 * value:.1f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
