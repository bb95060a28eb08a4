"""The results in words: every sentence carries its numbers, and no adjective without one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import polars as pl

from ..ambiguity import words as ambiguity
from ..axis import words as axis
from ..clinicians import words as clinicians
from ..conversations import words as conversations
from ..identification import words as identification
from ..judges import cycle_words as cycles
from ..judges import words as judges
from ..names import RATED, WORDS
from ..routing import words as routing
from ..words import Section, Settings, Tables, named, percent, place_of, share_of, span, titles
from .findings import findings

# A bootstrap interval of answers that do not differ: it looks certain, and is not.
_NO_WIDTH = re.compile(r"\[([^\],]+), \1\]")


def summary(
    tables: Tables,
    settings: Settings,
    statistics: Settings,
    sections: Iterable[Section] = (),
    own: Iterable[str] = (),
) -> str:
    """The text of `results/summary.md`.

    Args:
        tables: by name; what only another one says is left out.
        settings: the view of the figures: titles of everything.
        statistics: the view of the statistics.
        sections: of the kinds of the study's tasks; one that several have is said once.
        own: what the kinds call by definitions of this project's own.
    """
    lines = [f"# {settings['title']}: results in words", ""]
    if found := findings(tables, settings):
        lines += ["## What was found", "", *found, "", "## What was asked", ""]
    if settings["tasks"]:
        lines += _study(tables, settings, statistics)
    for title, needed, section in (*dict.fromkeys((_TOO_LONG, *sections)), *_OTHERS):
        if any(name in tables for name in needed):
            said = list(section(tables, settings, statistics))
            lines += ["", f"## {title}", "", *said] if said else []
    alike = (
        "Where both ends of an interval are the same, the answers asked here are all alike in that "
        "figure; others need not be. "
        if _NO_WIDTH.search("\n".join(lines))
        else ""
    )
    ours = [*own, *(words for table, words in _OWN.items() if table in tables)]
    lines += [
        "",
        "## What this does not say",
        "",
        "Nothing here is medical advice. A difference that is not shown is not a difference that "
        f"is absent: only “equivalent” says so, within its margin. {alike}Definitions are in "
        "config/README.md" + (f"; of this project's own are: {'; '.join(ours)}." if ours else "."),
        "",
    ]
    return "\n".join(lines)


def _study(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    level = percent(settings["confidence"])
    about = (
        "Written from the tables of the study. Baseline: "
        f"{named(settings, settings['baseline'])}. Intervals in brackets are {level}, "
        f"{settings['interval']} bootstrap over items ({settings['draws']} draws, seed "
        f"{settings['seed']}), and Wilson for plain shares."
    )
    if "contrasts" in tables:
        family = statistics["family"]
        n_tests = int(tables["contrasts"]["in_family"].sum())
        about += (
            " No contrast in table `contrasts` is a test of this study; “Holm over … tests” marks "
            "those of other tables. Every interval is unadjusted."
            if not n_tests
            else f" The tests of the study are its {n_tests} contrasts in "
            f"{', '.join(family['metrics'])} ({family['wordings']} wordings), adjusted together by "
            f"Holm's method at {percent(1 - settings['confidence'])}; every other interval stands "
            "unadjusted."
        )
    yield about
    if "cells" not in tables:
        return
    yield ""
    cells = tables["cells"].filter(~pl.col("model").is_in(RATED))
    for task in settings["tasks"]:
        rows = cells.filter(pl.col("task") == task)
        if rows.is_empty():
            continue
        spec = settings["tasks"][task]
        teaching = ", author-written teaching cases, not clinically validated" * spec["teaching"]
        answers, invalid, refused, unreadable = (
            int(rows[name].sum()) for name in ("n", "n_invalid", "n_refused", "n_unreadable")
        )
        yield (
            f"- **{spec['title']}** ({spec['dataset']}{teaching}): n = {span(rows['n'])} items; "
            f"{answers} greedy answers from {rows.height} wordings of personas and models, "
            + (
                f"{invalid} of them invalid ({refused} refused, {unreadable} unreadable; counted "
                "as wrong)."
                if _known(rows, "accuracy")
                else f"{refused} of them refuse, {unreadable} cannot be read."
            )
            + (f" {spec['sample']}" if spec["sample"] else "")
        )
        below = statistics["label_mass_warning_below"]
        low = rows.clear()
        if _known(rows, "label_mass"):
            low = rows.filter(pl.col("label_mass") < below).sort("label_mass")
        if low.height:
            yield (
                f"  - Warning: in {low.height} of these {rows.height} the labels together have "
                f"less than {percent(below)} of the probability, on the mean over items (least: "
                f"{100 * low['label_mass'][0]:.1f}%, {settings['models'][low['model'][0]]}, "
                f"{named(settings, low['persona'][0])}): what is read from label probabilities "
                "there says little of what the model means."
            )
        rated = tables["cells"].filter(pl.col("model").is_in(RATED), pl.col("task") == task)
        all_of = dict(rated.filter(variant="main").select("persona", "n").rows())
        for rater in rated.iter_rows(named=True):
            if rater["variant"] == "same_items" and rater["n"] == all_of[rater["persona"]]:
                # The models answered all of them.
                continue
            where = {"main": "all records", "same_items": "the items the models answered"}
            yield (
                f"  - {settings['raters'][rater['persona']]}, {where[rater['variant']]}: accuracy "
                f"{share_of(rater, 'accuracy')}, n = {rater['n']}."
            )
            if rater["model"] == WORDS and rater["variant"] == "main":
                yield from _few(tables, settings, task)


def _few(tables: Tables, settings: Settings, task: str) -> Iterator[str]:
    """Of which levels the words had too few items to learn from, one in every fold."""
    if "confusion" not in tables:
        return
    of = tables["confusion"].filter(model=WORDS, task=task, variant="main")
    few = of.filter(pl.col("n") < settings["folds"]).unique("reference").sort("reference")
    if few.height:
        titles = settings["tasks"][task]["levels"]
        named = ", ".join(f"{titles[row['reference']]} (n = {row['n']})" for row in few.to_dicts())
        yield (
            f"    - Words can hardly be learned for {named}: fewer items than the "
            f"{settings['folds']} folds."
        )


def _known(rows: pl.DataFrame, name: str) -> bool:
    """Whether cells have a measure, which not every kind of task has."""
    return name in rows.columns and rows[name].null_count() < rows.height


def _thoughts(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    for (model, task), part in tables["thoughts"].group_by("model", "task", maintain_order=True):
        n, cut = int(part["n_thoughts"].sum()), int(part["n_cut"].sum())
        medians = part["median_tokens"].drop_nulls().round().cast(pl.Int64)
        length = f", of {span(medians)} tokens (medians of wordings)" if n else ""
        yield (
            f"- {place_of(settings, model, task)}: {n} thoughts before "
            f"{int(part['n_answers'].sum())} answers{length}. "
            + (
                f"Cut at their greatest length, so that the answer stands behind an unfinished "
                f"thought: {cut} ({100 * cut / n:.0f}%)."
                if cut
                else "None was cut."
            )
        )


def _too_long(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    shown = titles(settings)
    lost = tables["delivery"].filter(pl.col("n_too_long") > 0)
    for (model, task), part in lost.group_by("model", "task", maintain_order=True):
        counts = "; ".join(
            f"{named(settings, row['persona'])} {row['n_too_long']} of {row['n_prompts']}"
            for row in part.iter_rows(named=True)
        )
        title = shown[task]["title"] if task in shown else task  # asked, and judged by nobody
        yield (
            f"- Warning: {settings['models'][model]}, {title}: prompts that leave "
            "no room in the window for what is written behind them, and were not run (all wordings "
            f"and null cases): {counts}. Without an answer they count as invalid; a longer "
            "sentence of a persona loses more cases. Raise `engine.context` of the model."
        )


_TOO_LONG: Section = ("Prompts that did not fit", ("delivery",), _too_long)
# What is of our own definition, by a table that says so.
_OWN = {
    "robustness": "“robust”",
    "tuning": "what tuning does to effects, flips and spread",
    "cycles": "which candidate of a cycle goes on",
    "policies": "the policies, and the rule by which one is recommended",
    "ambiguity": "agreement with a rater, and entropy and disagreement against the raters'",
    "axis": "positions on the axis",
    "steering": "what is incoherent",
    "judgements": "the scores by harm level and action, and the rule by which a judge is usable",
}
_OTHERS: tuple[Section, ...] = (
    *routing.SECTIONS,
    *ambiguity.SECTIONS,
    *axis.SECTIONS,
    *conversations.SECTIONS,
    *identification.SECTIONS,
    *judges.SECTIONS,
    *cycles.SECTIONS,
    ("What models thought before", ("thoughts",), _thoughts),
    *clinicians.SECTIONS,
)
