"""The results of tasks with labels in words: what holds for any labels."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...names import RATED
from ...words import (
    NO_INTERVAL,
    Row,
    Section,
    Settings,
    Tables,
    effect,
    excludes_zero,
    heading,
    named,
    of_personas,
    p_text,
    percent,
    place_of,
    plain,
    points,
    points_within,
    rows_of,
    share_of,
    span,
    table_of,
    three,
)
from . import arm_words
from .factor_words import factors
from .tuning_words import tuning

# Rows of a table of tests: more are a page of their own.
MOST_ROWS = 12
# What each verdict says, in the words of config/README.md.
_VERDICTS = {
    "robust": "robust",
    "not significant": "not shown to differ from 0",
    "not beyond wording": "not beyond wording",
    "not beyond controls": "not beyond the controls",
    "too few wordings": "undecided, too few wordings",
    "too few controls": "undecided, too few controls",
}


def _effects(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    alpha = 1 - settings["confidence"]
    contrasts = of_personas(tables).filter(
        (pl.col("metric") == "accuracy")
        & pl.col("confidence").is_null()
        & (pl.col("variant") == "main")
    )
    if contrasts.is_empty():
        yield "The study has no persona beside the baseline."
    for (model, task), part in contrasts.group_by("model", "task", maintain_order=True):
        yield from heading(settings, part)
        for row in rows_of(
            tables, "cells", model=model, task=task, persona=settings["baseline"], variant="main"
        ):
            # Where every item has options of its own, a measure says it.
            chance = row.get("chance")
            if chance is None:
                chance = 1 / len(settings["tasks"][task]["levels"])
            yield (
                f"- Baseline: accuracy {share_of(row, 'accuracy')}, {row['n_invalid']} invalid; a "
                f"uniform guess has {100 * chance:.0f}%."
            )
        tested = part.filter(pl.col("p_holm").is_not_null())
        yield from _tests(tables, settings, tested)
        rest = tested.filter(pl.col("p_holm") > alpha)
        if rest.height:
            equivalent = rest.filter(pl.col("equivalent"))
            yield (
                f"- Not shown for {rest.height} of {tested.height} personas: differences "
                f"{points(rest['difference'].min())} to {points(rest['difference'].max())} "
                f"points, p (Holm) at least {p_text(min(rest['p_holm']))}. "
                f"{_detectable(rest, settings)}"
            )
            margin = settings["margin"]
            if margin is not None:
                who = "; ".join(named(settings, p) for p in equivalent["persona"]) or "none"
                yield (
                    f"- Equivalent to the baseline within ±{100 * margin:g} points (two one-sided "
                    f"tests at {percent(alpha)}, not adjusted): {who}."
                )
        yield ""


def _tests(tables: Tables, settings: Settings, tested: pl.DataFrame) -> Iterator[str]:
    """The tests of a task as a table: those that show most first, and no more than `MOST_ROWS`."""
    keys = ["model", "task", "persona", "metric"]
    verdicts = (
        {row[:4]: row[4] for row in tables["robustness"].select(*keys, "verdict").rows()}
        if "robustness" in tables
        else {}
    )
    order = tested.sort("p_holm", pl.col("difference").abs() * -1, maintain_order=True)
    rows = []
    for row in order.head(MOST_ROWS).iter_rows(named=True):
        verdict = verdicts.get(tuple(row[key] for key in keys))
        said = "–" if verdict is None else _VERDICTS[verdict]
        persona = named(settings, row["persona"])
        rows.append(
            (
                f"**{persona}**" if verdict == "robust" else persona,
                f"{points(row['difference'])} {points_within(row['low'], row['high'])}",
                *("–" if row[name] is None else str(row[name]) for name in ("n_gained", "n_lost")),
                f"{row['n_invalid']} ({row['n_invalid_baseline']})",
                p_text(row["p_holm"]),
                said,
            )
        )
    head = ("persona", "difference in points", "turned right", "turned wrong")
    yield from table_of((*head, "invalid (baseline)", "p (Holm)", "verdict"), rows)
    if tested.height > MOST_ROWS:
        yield (
            f"- {tested.height - MOST_ROWS} more, p (Holm) at least "
            f"{p_text(order['p_holm'][MOST_ROWS])}, are in results/tables/contrasts.csv."
        )


def _detectable(rest: pl.DataFrame, settings: Settings) -> str:
    known = rest["detectable"].drop_nulls()
    power = percent(settings["power"])
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
        yield from heading(settings, part)
        for row in rows_of(tables, "spread", model=model, task=task, metric="accuracy"):
            if row["sd"] is None:
                one = "one effect" if row["n_effects"] == 1 else f"{row['n_effects']} effects"
                yield f"- Spread of {row['kind']}s: not defined, {one}."
                continue
            yield (
                f"- Spread of {row['kind']}s: standard deviation {100 * row['sd']:.1f} points "
                f"{_between_brackets(row)} without chance in the items, "
                f"{100 * row['sd_observed']:.1f} with it; {row['n_effects']} effects from "
                f"{points(row['smallest'])} to {points(row['largest'])}."
            )
        for verdict, said in _VERDICTS.items():
            rows = part.filter(pl.col("verdict") == verdict)
            if rows.is_empty():
                continue
            if verdict == "not significant":
                names = "; ".join(named(settings, p) for p in rows["persona"])
                yield f"- {said.capitalize()}: {names}."
                continue
            for row in rows.iter_rows(named=True):
                main, mean, beyond = (
                    points_within(row[f"{name}low"], row[f"{name}high"])
                    for name in ("", "wording_", "beyond_")
                )
                yield (
                    f"- {named(settings, row['persona'])}: {said}{_robust_p(row)}. Effect of the "
                    f"main wording {points(row['effect'])} points {main}; mean of "
                    f"{row['n_wordings']} wordings {points(row['wording_mean'])} {mean}; any "
                    f"sentence may have an effect within {beyond} ({row['n_controls']} controls)."
                )
        yield ""


def _robust_p(row: Row) -> str:
    return "" if row["p_robust"] is None else f", p (Holm) {p_text(row['p_robust'])}"


def _arms(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """Of tasks that change the cases of another; nothing where there are none."""
    table = tables["contrasts"].filter(
        (pl.col("against") != "persona")
        & (pl.col("metric") == "accuracy")
        & (pl.col("variant") == "main")
    )
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        base = part.filter(against="arm", persona=settings["baseline"])
        for row in base.iter_rows(named=True):
            yield (
                f"- {place_of(settings, model, task)}, {row['n']} changed cases (n), "
                f"{row['n_unchanged']} left out: the baseline's accuracy moves by "
                f"{_difference(row, 'unchanged')}."
            )
        both = part.filter(against="both")
        shown = both.filter(excludes_zero(settings)).iter_rows(named=True)
        effects = "; ".join(effect(row, settings, in_points=True) for row in shown)
        yield (
            f"  - The change does more or less to a persona than to the baseline (difference of "
            f"differences in points, unadjusted interval excludes 0) for: {effects or 'none'} "
            f"(of {both.height})."
        )


def _context(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    table = tables["interaction"].filter(pl.col("versus").is_not_null())
    if table.is_empty():
        yield (
            "The study has no two contexts of the same kind of data (real or teaching) to compare."
        )
    titles = {context["id"]: context["title"].lower() for context in settings["contexts"]}
    for (origin, model), part in table.group_by("origin", "model", maintain_order=True):
        name = "all models together" if model is None else settings["models"][model]
        known = part.filter(pl.col("points").is_not_null())
        shown = known.filter((pl.col("points_low") > 0) | (pl.col("points_high") < 0))
        cases = {"teaching": "teaching cases", "real": "real cases"}[origin]
        yield (
            f"- {name}, {cases}: for {shown.height} of {known.height} personas the unadjusted "
            "interval of the difference between contexts excludes 0 (logistic GEE clustered by "
            f"item; {span(part['n_items'])} items)."
            + (
                f" No estimate for {part.height - known.height}."
                if part.height > known.height
                else ""
            )
        )
        for row in shown.iter_rows(named=True):
            yield (
                f"  - {named(settings, row['persona'])}: effect in {titles[row['context']]} "
                f"minus that in {titles[row['versus']]} {points(row['points'] / 100)} points "
                f"[{points(row['points_low'] / 100)}, {points(row['points_high'] / 100)}]."
            )


def _consistency(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    cells = tables["cells"].filter(
        ~pl.col("model").is_in(RATED)
        & (pl.col("variant") == "main")
        & pl.col("accuracy").is_not_null()
    )
    names = {
        "consistency_readout": "Read-out (generated label = likeliest label)",
        "consistency_repeat": "Repeat (pairwise agreement of sampled answers)",
        "consistency_persona": "Persona (same label as under the baseline)",
    }
    for _, part in cells.group_by("model", "task", maintain_order=True):
        yield from heading(settings, part)
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
                f"{share_of(row, name)} ({named(settings, row['persona'])})"
                for part_row in (low, high)
                for row in part_row.iter_rows(named=True)
            ]
            if low.item(0, name) == high.item(0, name):
                everywhere = share_of(low.row(0, named=True), name)
                yield f"- {words}: {everywhere} under {_each(rising.height)}."
            else:
                yield f"- {words}: from {ends[0]} to {ends[1]}."
        yield ""


def _each(n: int) -> str:
    return "every persona" if n > 1 else "the one persona"


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
                *of_personas(tables)
                .filter(excludes_zero(settings), metric="smooth_ece", **where)
                .iter_rows(named=True)
            ]
            if "contrasts" in tables
            else []
        )
        after = table.filter(
            model=model, task=task, confidence=confidence, persona=settings["baseline"],
            recalibration="temperature",
        )  # fmt: skip
        text = f"- {place_of(settings, model, task)}, {plain(confidence)}: "
        if base.is_empty():
            text += "no smooth ECE of the baseline, which has no such confidence"
        for row in base.iter_rows(named=True):
            text += f"smooth ECE of the baseline {row['value']:.3f} {three(row)}, n = {row['n']}"
        for row in after.iter_rows(named=True):
            text += f", after cross-fitted temperature scaling {row['value']:.3f} {three(row)}"
        if "contrasts" in tables:
            effects = "; ".join(effect(row, settings, in_points=False, digits=3) for row in changes)
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
            f"- {place_of(settings, model, task)}: {groups.height} groups, {small} of them with "
            f"fewer than {statistics['small_group_below']} items; effects with p (Holm over "
            f"{part.height} tests) at most {percent(alpha)}: {shown.height}."
        )
        for row in shown.iter_rows(named=True):
            title = settings["tasks"][task]["subgroups"][row["subgroup"]]
            yield (
                f"  - {named(settings, row['persona'])}, {title} {row['group']} (n = "
                f"{row['n']}): {points(row['difference'])} points "
                f"{points_within(row['difference_low'], row['difference_high'])}, p (Holm) "
                f"{p_text(row['p_holm'])}."
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


def _between_brackets(row: Row) -> str:
    """Bounds of a share in percent."""
    if row["low"] is None or row["high"] is None:
        return NO_INTERVAL
    if row["low"] == row["high"] == 0:
        return "[no more than chance in the items]"
    return f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _difference(row: Row, other: str = "baseline") -> str:
    return (
        f"{points(row['difference'])} points {points_within(row['low'], row['high'])}, "
        f"{row['n_gained']} answers turned right and {row['n_lost']} wrong, {row['n_invalid']} "
        f"invalid ({other} {row['n_invalid_baseline']})"
    )


def _between(values: pl.Series) -> str:
    low, high = (f"{100 * value:.1f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


SECTIONS: tuple[Section, ...] = (
    ("Does a persona change the accuracy?", ("contrasts",), _effects),
    ("Is it more than wording, and more than any sentence does?", ("robustness",), _robust),
    ("What do changed cases change?", ("contrasts",), _arms),
    ("Which answers does a change turn?", ("measures",), arm_words.flips),
    ("Arms of one attribute", ("arm_attributes",), arm_words.attributes),
    ("Does the effect depend on the context?", ("interaction",), _context),
    ("Consistency", ("cells",), _consistency),
    ("Calibration", ("calibration",), _calibration),
    ("What do the factors of a set of personas do?", ("factors",), factors),
    ("What does tuning do to the personas?", ("tuning",), tuning),
    ("Subgroups", ("subgroups",), _subgroups),
    ("Where the variance lies", ("variance",), _variance),
)
