"""Results in words where there is little to say."""

from __future__ import annotations

import polars as pl

from persona_paradox.kinds.triage.words import SECTIONS
from persona_paradox.report.summary import summary

SETTINGS = {
    "title": "A study",
    "tasks": {"triage": {"title": "Triage"}},
    "models": {"tiny": "Tiny"},
    "personas": {"nurse": {"title": "Nurse"}, "none": {"title": "None"}},
    "baseline": "none",
    "confidence": 0.95,
    "interval": "percentile",
    "draws": 100,
    "seed": 7,
}
STATISTICS = {"family": {"metrics": [], "wordings": "main"}}


def test_no_section_of_clinicians_without_a_word_in_it() -> None:
    columns = ("task", "question", "kind", "rater_a", "statistic", "value")
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    assert "What clinicians say" not in summary({"agreement": empty}, SETTINGS, {}, SECTIONS)


def test_a_confidence_that_the_baseline_never_has() -> None:
    row = {"model": "tiny", "task": "triage", "variant": "main", "confidence": "top_label"}
    row |= {"recalibration": "none", "metric": "smooth_ece", "n": 3}
    known = {"persona": "nurse", "value": 0.2, "low": 0.1, "high": 0.3}
    unknown = {"persona": "none", "n": 0, "value": None, "low": None, "high": None}
    text = summary(
        {"calibration": pl.DataFrame([row | known, row | unknown])}, SETTINGS, {}, SECTIONS
    )
    assert "- Tiny, Triage, top label: no smooth ECE of the baseline, which has no such" in text


def test_prompts_that_did_not_fit_are_told_by_persona() -> None:
    row = {"model": "tiny", "task": "triage", "persona": "none", "n_prompts": 9, "n_too_long": 0}
    assert "did not fit" not in summary({"delivery": pl.DataFrame([row])}, SETTINGS, {}, SECTIONS)
    lost = row | {"persona": "nurse", "n_too_long": 4}
    text = summary({"delivery": pl.DataFrame([row, lost])}, SETTINGS, {}, SECTIONS)
    assert "- Warning: Tiny, Triage: prompts that leave no room in the window" in text
    assert "Nurse 4 of 9. Without an answer" in text


def test_few_items_exclude_nothing() -> None:
    row = {"model": "tiny", "task": "triage", "variant": "main", "confidence": "top_label"}
    ece = row | {"recalibration": "none", "metric": "smooth_ece", "persona": "none"}
    said = []
    for n, bounds in ((1, (None, None)), (2, (0.03, 0.04)), (60, (0.03, 0.04))):
        low, high = bounds
        calibration = ece | {"n": n, "value": 0.8, "low": low, "high": high}
        contrast = row | {"persona": "nurse", "metric": "smooth_ece", "difference": 0.035}
        contrast |= {"low": low, "high": high, "test": "bootstrap", "n": n, "in_family": False}
        contrast |= {"against": "persona", "p": max(2.0 ** (1 - n), 0.001), "p_holm": None}
        given = {"calibration": pl.DataFrame([calibration]), "contrasts": pl.DataFrame([contrast])}
        lines = summary(given, SETTINGS, STATISTICS, SECTIONS)
        said += [line for line in lines.splitlines() if "top label" in line]
    assert "smooth ECE of the baseline 0.800 [no interval], n = 1." in said[0]
    for line in said[:2]:
        assert line.endswith("that exclude 0: none.")
    assert said[2].endswith("that exclude 0: Nurse +0.035 [+0.030, +0.040].")


def test_changed_cases_are_told_beside_the_unchanged() -> None:
    row = {"model": "tiny", "task": "triage", "variant": "main", "metric": "accuracy"}
    row |= {"confidence": None, "n": 40, "n_unchanged": 20, "n_invalid": 1}
    row |= {"n_invalid_baseline": 2, "difference": -0.1, "low": -0.2, "high": -0.05, "p": 0.001}
    rows = [
        row | {"persona": "none", "against": "arm", "test": "exact McNemar"}
        | {"n_gained": 3, "n_lost": 7},
        row | {"persona": "nurse", "against": "both", "test": "bootstrap"}
        | {"n_gained": None, "n_lost": None},
    ]  # fmt: skip
    persona = row | {"persona": "nurse", "against": "persona", "test": "exact McNemar"}
    persona |= {"n_gained": 1, "n_lost": 1}
    counts = ("detectable", "p_holm", "equivalent", "in_family")
    table = pl.DataFrame(
        [each | dict.fromkeys(counts) for each in (*rows, persona)],
        schema_overrides={"in_family": pl.Boolean, "p_holm": pl.Float64},
    )
    text = summary({"contrasts": table}, SETTINGS, STATISTICS, SECTIONS)
    assert (
        "- Tiny, Triage, 40 changed cases (n), 20 left out: the baseline's accuracy moves by "
        "−10.0 points [−20.0, −5.0], 3 answers turned right and 7 wrong, "
        "1 invalid (unchanged 2)."
    ) in text
    assert "for: Nurse −10.0 [−20.0, −5.0] (of 1)." in text
    alone = summary({"contrasts": table.filter(against="persona")}, SETTINGS, STATISTICS, SECTIONS)
    assert "changed cases" not in alone


def test_a_persona_under_which_more_answers_flip_is_named_where_its_test_says_so_too() -> None:
    row = {"model": "tiny", "task": "triage", "variant": "main", "metric": "flip_rate", "n": 20}
    share = row | {"persona": "none", "subgroup": None, "value": 0.1, "low": 0.02, "high": 0.3}
    share |= {"n_refused": 1, "n_unreadable": 0}
    contrast = row | {"persona": "nurse", "against": "persona", "confidence": None}
    contrast |= {"difference": 0.25, "low": 0.05, "high": 0.45, "test": "exact McNemar"}
    # Five answers of twenty that turn one way have p = 2 / 32, six of them 2 / 64.
    for p, named in ((2 / 32, "none"), (2 / 64, "Nurse +25.0 [+5.0, +45.0]")):
        tables = {
            "measures": pl.DataFrame([share], schema_overrides={"subgroup": pl.String}),
            "contrasts": pl.DataFrame([contrast | {"p": p, "in_family": False, "p_holm": None}]),
        }
        text = summary(tables, SETTINGS, STATISTICS, SECTIONS)
        assert "answers that flip 10.0% [2.0, 30.0] (n = 20, 1 refused)." in text
        assert f"excludes 0 and p is at most 0.05): {named}." in text


def test_an_interval_without_width_is_no_certainty() -> None:
    row = {"model": "tiny", "task": "triage", "variant": "main", "confidence": "top_label"}
    row |= {"recalibration": "none", "metric": "smooth_ece", "n": 60, "persona": "none"}
    said = []
    for low in (0.1, 0.3):
        calibration = pl.DataFrame([row | {"value": 0.3, "low": low, "high": 0.3}])
        text = summary({"calibration": calibration}, SETTINGS, {}, SECTIONS)
        said.append("Where both ends of an interval are the same" in text)
    assert said == [False, True]
