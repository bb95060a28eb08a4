"""What the summary begins with: findings of tables whose truth is known, in five sentences."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import markdown
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from root import ROOT

from persona_paradox.kinds.triage.words import SECTIONS
from persona_paradox.report.findings import MOST, findings
from persona_paradox.report.prose import summary as page
from persona_paradox.report.summary import summary

PERSONAS = ("none", "nurse", "bold", "engineer")
TASKS = {"ed": "ED triage", "home": "Home", "exam": "Examination", "law": "Law"}
SETTINGS = {
    "title": "A study",
    "tasks": {
        id_: {"title": t, "dataset": id_, "teaching": False, "sample": "", "levels": {"a": "A"}}
        for id_, t in TASKS.items()
    },
    "models": {"tiny": "Tiny"},
    "personas": {id_: {"title": id_.capitalize()} for id_ in PERSONAS},
    "judges": {"strict": {"title": "Strict judge", "ratings": []}},
    "judged_metrics": {},
    "baseline": "none",
    "confidence": 0.95,
    "interval": "percentile",
    "draws": 100,
    "seed": 7,
    "power": 0.8,
    "margin": 0.05,
}  # fmt: skip
STATISTICS = {"family": {"metrics": ["accuracy"], "wordings": "main"}}


def test_row(task: str, persona: str, metric: str, difference: float, p: float) -> dict:
    return {
        "model": "tiny", "task": task, "persona": persona, "variant": "main", "metric": metric,
        "against": "persona", "confidence": None, "n": 60, "n_invalid": 1, "n_invalid_baseline": 2,
        "difference": difference, "low": difference - 0.05, "high": difference + 0.05, "p": p,
        "p_holm": p, "in_family": True, "n_gained": 3, "n_lost": 4, "detectable": 0.1,
        "equivalent": False, "test": "exact McNemar",
    }  # fmt: skip


test_row.__test__ = False  # type: ignore[attr-defined]


def tables(*rows: tuple[str, str, str, float, float, str | None]) -> dict[str, pl.DataFrame]:
    """Tests, each with its verdict."""
    contrasts = [test_row(*row[:5]) for row in rows]
    keys = ("model", "task", "persona", "metric")
    verdicts = [
        {key: made[key] for key in keys} | {"verdict": row[5]}
        for made, row in zip(contrasts, rows, strict=True)
        if row[5]
    ]
    found = {"contrasts": pl.DataFrame(contrasts, schema_overrides={"confidence": pl.String})}
    return found | ({"robustness": pl.DataFrame(verdicts)} if verdicts else {})


def test_the_order_is_robust_safety_size() -> None:
    said = findings(
        tables(
            ("ed", "nurse", "accuracy", -0.30, 0.001, "robust"),
            ("ed", "bold", "under_triage_rate", 0.10, 0.003, "robust"),
            ("home", "bold", "accuracy", 0.20, 0.004, "robust"),
            ("home", "nurse", "accuracy", 0.40, 0.001, "not beyond controls"),
            ("exam", "nurse", "accuracy", 0.02, 0.9, "not significant"),
            ("exam", "bold", "accuracy", -0.01, 0.8, "not significant"),
        ),
        SETTINGS,
    )
    assert len(said) == 5
    for line, words in zip(
        said,
        (
            "**Robust**, beyond its wordings and the controls: Bold in Tiny, ED triage: under "
            "triage rate +10.0 points [+5.0, +15.0] against None, n = 60, 1 invalid, p (Holm) "
            "0.003",
            "Nurse in Tiny, ED triage: accuracy −30.0 points [−35.0, −25.0]",
            "Bold in Tiny, Home: accuracy +20.0 points",
            "Beyond chance, but not shown to be robust (1 not beyond controls): 1 of 6 tests; the "
            "first of them Nurse in Tiny, Home: accuracy +40.0 points",
            "**Nothing was shown**, which is not that nothing is there, at 5% after Holm's "
            "adjustment: accuracy in Tiny, Examination (n = 60, 1 invalid, 2 tests, from −1.0 "
            "points "
            "[−6.0, +4.0] to +2.0 points [−3.0, +7.0], p (Holm) at least 0.800).",
        ),
        strict=True,
    ):
        assert words in line


def test_a_study_without_an_effect_says_so_and_no_more() -> None:
    (line,) = findings(tables(("ed", "nurse", "accuracy", 0.02, 0.9, None)), SETTINGS)
    assert line.startswith("- **Nothing was shown**, which is not that nothing is there")
    no_tests = tables(("ed", "nurse", "accuracy", 0.02, 0.9, None))
    nothing = no_tests["contrasts"].with_columns(p_holm=pl.lit(None, pl.Float64))
    (line,) = findings({"contrasts": nothing}, SETTINGS)
    assert "has no test of its own" in line
    assert findings({"cells": pl.DataFrame()}, SETTINGS) == []


@pytest.mark.parametrize("usable", [True, False])
def test_what_a_judge_says_is_a_finding_only_where_it_is_usable(usable: bool) -> None:
    row = test_row("ed", "bold", "refuse", -0.5, 0.001) | {"judge": "strict", "usable": usable}
    judged = tables(("ed", "nurse", "accuracy", 0.30, 0.001, "robust"))
    judged["judgement_contrasts"] = pl.DataFrame([row], schema_overrides={"confidence": pl.String})
    why = None if usable else "sanity_accuracy 0.50 is below 0.8"
    judged["judges"] = pl.DataFrame(
        [{"judge": "strict", "metric": "usable", "met": usable, "note": why}]
    )
    said = "\n".join(findings(judged, SETTINGS))
    assert ("says Strict judge" in said) == usable
    assert ("**Not usable** by its own rule: Strict judge (sanity_accuracy 0.50" in said) != usable


TESTS = st.tuples(
    st.sampled_from(sorted(TASKS)),
    st.sampled_from(PERSONAS[1:]),
    st.sampled_from(["accuracy", "under_triage_rate"]),
    st.floats(-0.9, 0.9),
    st.floats(0, 1),
    st.sampled_from(["robust", "not significant", "not beyond wording", "too few wordings", None]),
)


@given(rows=st.lists(TESTS, min_size=1, max_size=30, unique_by=lambda row: row[:3]))
@settings(max_examples=60, deadline=None)
def test_they_are_five_at_most_and_each_effect_leads_to_its_cases(rows: list) -> None:
    said = findings(tables(*rows), SETTINGS)
    assert 1 <= len(said) <= MOST
    assert all("\n" not in line for line in said)
    assert any("Nothing was shown" in line for line in said) == any(
        all(other[4] > 1 - 0.95 for other in rows if other[:1] + other[2:3] == row[:1] + row[2:3])
        for row in rows
    )
    n_robust = sum(row[5] == "robust" and row[4] <= 1 - 0.95 for row in rows)
    shown = sum("**Robust**" in line for line in said)
    further = re.findall(r"(\d+) further robust", "\n".join(said))
    assert shown + sum(map(int, further)) == n_robust
    state = (ROOT / "workflow/report/state.js").read_text(encoding="utf-8")
    keys = set(
        re.findall(r"^  (\w+): ", state.partition("DEFAULTS = {")[2].partition("};")[0], re.M)
    )
    for query in re.findall(r"\(report\.html#cases\?([^)]*)\)", "\n".join(said)):
        wanted = parse_qs(query, strict_parsing=True)
        assert set(wanted) <= keys
        assert wanted["task"][0] in TASKS


def test_the_page_makes_links_of_them_and_of_nothing_else() -> None:
    said = findings(tables(("ed", "bold", "accuracy", 0.2, 0.001, "robust")), SETTINGS)
    evil = '[x](javascript:alert(1)) [y](https://elsewhere.invalid) [z](report.html#cases?q="><b>)'
    shown = str(page("\n".join(["# T", "", *said, "", evil])))
    links = re.findall(r'<a href="([^"]*)">([^<]*)</a>', shown)
    assert links == [
        ("#cases?model=tiny&amp;task=ed&amp;persona=bold&amp;b=bold&amp;flip=1", "cases")
    ]
    assert shown.count("<a ") == 1


def test_findings_and_tests_of_four_suites_fit_on_two_pages() -> None:
    rows = [
        (
            task,
            persona,
            "accuracy",
            0.1 * at,
            0.001 if at > 1 else 0.5,
            "robust" if at == 3 else None,
        )
        for task in TASKS
        for at, persona in enumerate(PERSONAS[1:], 1)
    ]
    text = summary(tables(*rows), SETTINGS, STATISTICS, SECTIONS[:1])
    assert text.index("## What was found") < text.index("## What was asked")
    # A page holds some 50 lines of about 90 characters; a paragraph has more than one of them.
    lines = sum(1 + len(line) // 90 for line in text.splitlines())
    assert lines <= 100
    # One table for every task, with a row for every test.
    shown = markdown.markdown(text, extensions=["tables"])
    assert shown.count("<table>") == len(TASKS)
    assert shown.count("<tr>") == len(TASKS) * len(PERSONAS)
    assert '<td style="text-align: right;">+30.0 [+25.0, +35.0]</td>' in shown
