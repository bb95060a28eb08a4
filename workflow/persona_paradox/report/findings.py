"""What a study found, in five sentences at most: each with its number, n, interval and cases.

The order is our own: robust effects before those that are beyond chance alone; among each, what is
about safety before the rest, and the largest first; then judges that may not be believed; last what
was not shown. Only tests of the study's family are findings, and verdicts of usable judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import polars as pl

from ..judges.words import is_share, judge_title, metric_title
from ..words import (
    NO_INTERVAL,
    Row,
    Settings,
    Tables,
    named,
    p_text,
    percent,
    place_of,
    plain,
    points,
    points_within,
    signed,
    span,
)

MOST = 5
# Of these some are sentences of their own; how many more there are is said.
MOST_EFFECTS = 3
REPORT = "report.html"
# Measures that are about harm, by their names.
_SAFETY = re.compile(r"under_triage|over_refusal|harm|risk|unsafe|accept|caution|refuse|safe")


@dataclass(frozen=True)
class Effect:
    """A persona against the baseline, in one measure.

    Attributes:
        variant: the persona's wording.
        confidence: of which the measure is, else None.
        verdict: of robustness; None where none is made.
        judge: who says so, else None.
        usable: whether that judge is, by its own rule.
    """

    model: str
    task: str
    persona: str
    metric: str
    variant: str
    confidence: str | None
    value: float
    low: float | None
    high: float | None
    n: int
    n_invalid: int
    p: float
    verdict: str | None
    judge: str | None = None
    usable: bool = True

    @property
    def order(self) -> tuple[bool, bool, float]:
        """Robust ones first, then those about safety, then the largest."""
        about_safety = self.judge is not None or bool(_SAFETY.search(self.metric))
        return self.verdict != "robust", not about_safety, -abs(self.value)


def findings(tables: Tables, settings: Settings) -> list[str]:
    """The sentences, as a list in Markdown; none where a study has no tests."""
    alpha = 1 - settings["confidence"]
    tests = [one for one in effects_of(tables) if one.usable]
    shown = sorted((one for one in tests if one.p <= alpha), key=lambda one: one.order)
    rest = [*_judges(tables, settings), *_nothing(tests, alpha, settings, "contrasts" in tables)]
    if not tests:
        return [f"- {line}" for line in rest]
    robust = [one for one in shown if one.verdict == "robust"]
    others = [one for one in shown if one.verdict != "robust"]
    room = min(MOST_EFFECTS, MOST - len(rest) - bool(others))
    lines = [_robust(one, settings) for one in robust[:room]]
    if len(robust) > room:
        lines[-1] += f" {len(robust) - room} further robust effects are in the tables below."
    if others:
        lines.append(_beyond_chance(others, len(tests), settings))
    return [f"- {line}" for line in (*lines, *rest)]


def effects_of(tables: Tables) -> list[Effect]:
    """All tests of a study, also those of judges that are not usable."""
    return [*_of_measures(tables), *_of_judges(tables)]


def _of_measures(tables: Tables) -> Iterator[Effect]:
    """The tests of the study, with the verdicts where there are some."""
    if "contrasts" not in tables:
        return
    keys = ["model", "task", "persona", "metric"]
    table = tables["contrasts"].filter(pl.col("p_holm").is_not_null(), against="persona")
    # Of personas against the baseline in their main wordings a verdict is made.
    verdicts = (
        {row[:4]: row[4] for row in tables["robustness"].select(*keys, "verdict").rows()}
        if "robustness" in tables
        else {}
    )
    for row in table.iter_rows(named=True):
        of_main = row["variant"] == "main" and row["confidence"] is None
        place = tuple(row[key] for key in keys)
        yield _effect(row, verdicts.get(place) if of_main else None, None)


def _of_judges(tables: Tables) -> Iterator[Effect]:
    """The tests of judges, with whether these are usable by their own rules."""
    if "judgement_contrasts" not in tables:
        return
    table = tables["judgement_contrasts"].filter(pl.col("p_holm").is_not_null())
    for row in table.iter_rows(named=True):
        yield replace(_effect(row, None, row["judge"]), usable=bool(row["usable"]))


def _effect(row: Row, verdict: str | None, judge: str | None) -> Effect:
    """A test of a table of contrasts."""
    taken = ("model", "task", "persona", "metric", "variant", "confidence", "low", "high")
    values: dict[str, Any] = {key: row[key] for key in (*taken, "n", "n_invalid")}
    return Effect(**values, value=row["difference"], p=row["p_holm"], verdict=verdict, judge=judge)


def difference(one: Effect, settings: Settings) -> tuple[str, str]:
    """The difference and its bounds: in points, where it is one of shares."""
    in_points = one.metric == "accuracy" or one.metric.endswith("_rate")
    if one.judge is not None:
        in_points = is_share(settings, one.metric)
    if in_points:
        return f"{points(one.value)} points", points_within(one.low, one.high)
    bounds = NO_INTERVAL
    if one.low is not None and one.high is not None:
        bounds = f"[{signed(one.low, 2)}, {signed(one.high, 2)}]"
    return signed(one.value, 2), bounds


def _number(one: Effect, settings: Settings) -> str:
    return " ".join(difference(one, settings))


def _told(one: Effect, settings: Settings) -> str:
    """An effect, what it is about, its numbers and its cases."""
    judge = "" if one.judge is None else f", says {judge_title(settings, one.judge)}"
    baseline = named(settings, settings["baseline"])
    return (
        f"{worded(one, settings)} in {place_of(settings, one.model, one.task)}: "
        f"{measure_of(one, settings)} {_number(one, settings)} against {baseline}, "
        f"n = {one.n}, {one.n_invalid} invalid, p (Holm) {p_text(one.p)}{judge} "
        f"([cases]({_cases(one)}))"
    )


def measure_of(one: Effect, settings: Settings) -> str:
    """What the measure of a test is called."""
    if one.judge is not None:
        return metric_title(settings, one.judge, one.metric)
    return plain(one.metric) + ("" if one.confidence is None else f" ({plain(one.confidence)})")


def worded(one: Effect, settings: Settings) -> str:
    """The persona, with its wording where that is not the main one."""
    wording = "" if one.variant == "main" else f" ({plain(one.variant)})"
    return f"{named(settings, one.persona)}{wording}"


def _robust(one: Effect, settings: Settings) -> str:
    return f"**Robust**, beyond its wordings and the controls: {_told(one, settings)}."


def _beyond_chance(shown: list[Effect], n_tests: int, settings: Settings) -> str:
    """Effects that are beyond chance, and of which no more is known: the first of them."""
    undecided = sum(one.verdict is None or one.verdict.startswith("too few") for one in shown)
    why = [f"{undecided} not judged against wordings and controls"] if undecided else []
    for verdict in ("not beyond wording", "not beyond controls"):
        if n := sum(one.verdict == verdict for one in shown):
            why.append(f"{n} {verdict}")
    return (
        f"Beyond chance, but not shown to be robust ({', '.join(why)}): {len(shown)} of {n_tests} "
        f"tests; the first of them {_told(shown[0], settings)}."
    )


def _judges(tables: Tables, settings: Settings) -> Iterator[str]:
    """Judges that are not usable by their own rules, with how often they are right."""
    if "judges" not in tables:
        return
    rows = tables["judges"].filter(~pl.col("met"), metric="usable")
    names = [judge_title(settings, id_) for id_ in rows["judge"]]
    if names:
        notes = "; ".join(note for note in rows["note"] if note)
        yield (
            f"**Not usable** by its own rule: {', '.join(names)} ({notes}). What it says of "
            f"answers is no finding ([its tests]({REPORT}#tables))."
        )


def _nothing(tests: list[Effect], alpha: float, settings: Settings, tested: bool) -> Iterator[str]:
    """Where no test shows a difference; `tested`, whether there could be tests."""
    places: dict[tuple[str, str, str], list[Effect]] = {}
    for one in tests:
        places.setdefault((one.model, one.task, measure_of(one, settings)), []).append(one)
    quiet = {place: found for place, found in places.items() if min(one.p for one in found) > alpha}
    if not tests and tested:
        yield "The study has no test of its own: its numbers describe, and nothing is a finding."
    if not quiet:
        return
    told = []
    for (model, task, measure), found in [*quiet.items()][:MOST]:
        ends = sorted(found, key=lambda one: one.value)
        told.append(
            f"{measure} in {place_of(settings, model, task)} (n = "
            f"{span(pl.Series([one.n for one in found]))}, "
            f"{span(pl.Series([one.n_invalid for one in found]))} invalid, {len(found)} tests, "
            f"from {_number(ends[0], settings)} to {_number(ends[-1], settings)}, p (Holm) at "
            f"least {p_text(min(one.p for one in found))})"
        )
    more = f"; and {len(quiet) - MOST} more" if len(quiet) > MOST else ""
    yield (
        f"**Nothing was shown**, which is not that nothing is there, at {percent(alpha)} after "
        f"Holm's adjustment: {'; '.join(told)}{more}."
    )


def _cases(one: Effect) -> str:
    """Where the report shows the answers behind an effect."""
    wanted: dict[str, Any] = {"model": one.model, "task": one.task, "persona": one.persona}
    wanted["b"] = one.persona
    if one.variant != "main":
        wanted["wording"] = one.variant
    if one.judge is not None:
        wanted["judge"] = one.judge
    elif one.metric == "accuracy":
        wanted["flip"] = "1"
    return f"{REPORT}#cases?{urlencode(wanted)}"
