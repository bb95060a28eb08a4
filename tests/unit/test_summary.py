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
        contrast |= {"p": max(2.0 ** (1 - n), 0.001), "p_holm": None}
        given = {"calibration": pl.DataFrame([calibration]), "contrasts": pl.DataFrame([contrast])}
        lines = summary(given, SETTINGS, STATISTICS, SECTIONS)
        said += [line for line in lines.splitlines() if "top label" in line]
    assert "smooth ECE of the baseline 0.800 [no interval], n = 1." in said[0]
    for line in said[:2]:
        assert line.endswith("that exclude 0: none.")
    assert said[2].endswith("that exclude 0: Nurse +0.035 [+0.030, +0.040].")
