"""The tables of a study with paraphrases, controls, clusters and subgroups, from its files."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import report_page
import yaml
from documented import check_files
from project import Project
from scipy import stats
from statistics_study import CONTROLS, FAMILY, ITEMS, MARKED_UP, PERSONAS, statistics_study
from statsmodels.stats.multitest import multipletests

from persona_paradox.measures.recalibration import METHODS
from persona_paradox.study.products import DECOMPOSED_TABLES, MEASURED_TABLES, STUDY_TABLES


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; it is not to be changed."""
    return statistics_study(tmp_path_factory)


def table(project: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/tables/{name}.parquet")


def scores(project: Project, task: str, persona: str, variant: str = "main") -> pl.DataFrame:
    path = project.path / f"results/scores/tiny/{task}/{persona}.parquet"
    return pl.read_parquet(path).filter(variant=variant).sort("item_id")


def test_a_sample_keeps_every_item_of_a_level(ran: Project) -> None:
    sample = scores(ran, "triage_ed", "ed_nurse")
    counts = dict(sample.group_by("reference").len().iter_rows())
    assert counts == {"1": 12, "2": 2, "3": 2, "4": 2, "5": 2}
    assert scores(ran, "triage_primary", "ed_nurse").height == ITEMS


def test_mcnemar_and_holm_are_those_of_the_answers(ran: Project) -> None:
    contrasts = table(ran, "contrasts")
    accuracy = contrasts.filter(
        (pl.col("metric") == "accuracy")
        & pl.col("confidence").is_null()
        & (pl.col("task") == "triage_ed")
    )
    assert accuracy.height == 3 * (len(PERSONAS) - 1)
    base = scores(ran, "triage_ed", "no_persona")["correct"]
    for row in accuracy.iter_rows(named=True):
        right = scores(ran, "triage_ed", row["persona"], row["variant"])["correct"]
        gained, lost = int((right & ~base).sum()), int((~right & base).sum())
        assert (row["n_gained"], row["n_lost"], row["n"]) == (gained, lost, ITEMS)
        assert row["difference"] == pytest.approx((gained - lost) / ITEMS)
        p = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        assert row["p"] == pytest.approx(p)
        assert row["in_family"] == (row["variant"] == "main")
    family = contrasts.filter(pl.col("in_family"))
    assert family.height == 2 * 2 * (len(PERSONAS) - 1)
    assert set(family["variant"]) == {"main"}
    adjusted = multipletests(family["p"].to_numpy(), method="holm")[1]
    assert family["p_holm"].to_list() == pytest.approx(adjusted.tolist())
    assert contrasts.filter(~pl.col("in_family"))["p_holm"].is_null().all()


def test_a_difference_of_calibration_is_that_of_the_two_figures(ran: Project) -> None:
    contrasts = table(ran, "contrasts").filter(pl.col("confidence").is_not_null())
    plain = table(ran, "calibration").filter(recalibration="none")
    keys = ["model", "task", "persona", "variant", "confidence", "metric"]
    joined = contrasts.join(plain, on=keys, suffix="_cell")
    assert joined.height == contrasts.height > 0
    base = plain.filter(persona="no_persona").drop("persona", "variant")
    joined = joined.join(base, on=["model", "task", "confidence", "metric"], suffix="_base")
    known = joined.filter(pl.col("difference").is_not_null())
    expected = known["value_cell"] - known["value_base"]
    assert known["difference"].to_list() == pytest.approx(expected.to_list())
    assert (known["low"] <= known["high"]).all()


def test_all_that_contrasts_compare_may_be_a_test_of_the_study(
    ran: Project, tmp_path: Path
) -> None:
    # What neither side refuses are other items in every contrast, so that this is no such measure.
    contrasts = table(ran, "contrasts").filter(pl.col("metric") != "accuracy_neither_refused")
    names = contrasts.select(
        pl.concat_str("metric", "confidence", separator="_", ignore_nulls=True).unique()
    ).to_series()
    assert len(names) > 40
    copy = ran.copy(tmp_path / "project")
    family = {"metrics": names.to_list()}
    copy.edit("config/config.yaml", lambda study: study["statistics"].update(family=family))
    assert "tabulate" in copy.jobs("results/tables/contrasts.csv")


def test_clusters_change_intervals_and_tests(ran: Project) -> None:
    contrasts = (
        table(ran, "contrasts").filter(metric="accuracy").filter(pl.col("confidence").is_null())
    )
    tests = dict(contrasts.group_by("task").agg(pl.col("test").unique()).iter_rows())
    assert tests == {"triage_ed": ["exact McNemar"], "triage_primary": ["clustered McNemar"]}
    clustered = contrasts.filter(task="triage_primary")
    assert clustered["detectable"].is_null().all()
    cells = table(ran, "cells").filter(variant="main")
    for row in cells.iter_rows(named=True):
        low, high = stats.binomtest(round(row["accuracy"] * row["n"]), row["n"]).proportion_ci(
            method="wilson"
        )
        is_wilson = (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((low, high))
        assert is_wilson == (row["task"] == "triage_ed")


def test_verdicts_rest_on_the_contrasts_of_the_same_table(ran: Project) -> None:
    robustness, contrasts = table(ran, "robustness"), table(ran, "contrasts")
    assert set(robustness["persona"]) == {"ed_nurse", "ed_physician"}
    assert set(robustness["metric"]) == set(FAMILY)
    assert robustness.height == 2 * 2 * 2
    plain = contrasts.filter((pl.col("metric") == "accuracy") & pl.col("confidence").is_null())
    for row in robustness.filter(metric="accuracy").iter_rows(named=True):
        effects = plain.filter(task=row["task"], persona=row["persona"])["difference"]
        assert row["n_wordings"] == effects.len() == 3
        assert row["wording_mean"] == pytest.approx(effects.mean())
        controls = [
            plain.filter(task=row["task"], persona=control)["difference"].mean()
            for control in CONTROLS
        ]
        assert row["n_controls"] == 3
        assert row["control_max"] == pytest.approx(max(controls))
        # The prediction interval, at 5% shared between the two personas judged.
        half = stats.t.ppf(1 - 0.05 / 2 / 2, 2) * np.std(controls, ddof=1) * np.sqrt(1 + 1 / 3)
        assert row["control_high"] == pytest.approx(np.mean(controls) + half)
        main = plain.filter(task=row["task"], persona=row["persona"], variant="main")
        assert row["p_mean"] == main["p_mean"].item()
        # The limits stand around the middle of the controls and the persona.
        middle = np.median([*controls, effects.mean()])
        if row["beyond_low"] is not None:
            assert (row["beyond_low"] + row["beyond_high"]) / 2 == pytest.approx(middle, abs=1e-9)
            assert row["beyond_low"] <= min(controls) + 1e-9
            assert row["beyond_high"] >= max(controls) - 1e-9
    spread = table(ran, "spread").filter(metric="accuracy", task="triage_ed")
    sets = [
        plain.filter(task="triage_ed", persona=persona)["difference"].to_numpy()
        for persona in PERSONAS[1:]
    ]
    pooled = np.sqrt(np.mean([np.var(effects, ddof=1) for effects in sets]))
    rows = {row["kind"]: row for row in spread.iter_rows(named=True)}
    assert rows["paraphrase"]["sd_observed"] == pytest.approx(pooled)
    assert rows["paraphrase"]["n_effects"] == 15
    controls = np.std([s.mean() for s in sets[2:]], ddof=1)
    assert rows["control"]["sd_observed"] == pytest.approx(controls)
    # Without the noise of the items there is less of it.
    assert (spread["sd"] <= spread["sd_observed"]).all()
    assert (spread["low"] <= spread["sd"]).all()
    assert (spread["sd"] <= spread["high"]).all()


def test_groups_cover_all_items(ran: Project) -> None:
    subgroups = table(ran, "subgroups").filter(metric="accuracy")
    sums = subgroups.group_by("task", "persona", "subgroup").agg(
        pl.col("n").sum(), right=(pl.col("n") * pl.col("value")).sum()
    )
    assert set(sums["n"]) == {ITEMS}
    cells = table(ran, "cells").filter(variant="main")
    joined = sums.join(cells, on=["task", "persona"])
    assert joined["right"].to_list() == pytest.approx((joined["accuracy"] * ITEMS).to_list())
    # The bands stand from the youngest to the oldest, not by the alphabet.
    bands = ["under 18", "18 to under 65", "65 and over", "not recorded"]
    ages = subgroups.filter(subgroup="age")["group"].unique(maintain_order=True).to_list()
    assert ages == [band for band in bands if band in ages]
    assert len(ages) > 1
    assert subgroups["small"].all()
    items = pl.read_parquet(ran.path / "resources/datasets/teaching_ed.parquet")
    asked = scores(ran, "triage_ed", "ed_nurse").join(items, on="item_id")
    young = asked.filter(pl.col("age_years").cast(pl.Float64) < 18)
    row = subgroups.filter(task="triage_ed", persona="ed_nurse", group="under 18").row(
        0, named=True
    )
    assert row["n"] == young.height
    assert row["value"] == pytest.approx(young["correct"].mean())


def test_a_confusion_matrix_counts_every_answer(ran: Project) -> None:
    confusion = table(ran, "confusion").filter(task="triage_ed", persona="ed_nurse", variant="main")
    found = scores(ran, "triage_ed", "ed_nurse")
    for row in confusion.iter_rows(named=True):
        reference = str(row["reference"] + 1)
        label = None if row["answer"] is None else str(row["answer"] + 1)
        same = found.filter(pl.col("reference") == reference)
        assert row["n"] == same.height
        assert row["count"] == same.filter(pl.col("label").eq_missing(pl.lit(label))).height
    assert confusion["count"].sum() == ITEMS


def test_recalibration_is_cross_fitted_and_only_of_main_wordings(ran: Project) -> None:
    calibration = table(ran, "calibration")
    assert set(calibration["recalibration"]) == {"none", *METHODS}
    # A confidence has its figures together, plain ones first.
    keys = ["task", "persona", "variant", "confidence"]
    assert calibration.select(pl.struct(keys).rle_id().max()).item() + 1 == (
        calibration.select(keys).n_unique()
    )
    first = calibration.group_by(keys).agg(pl.col("recalibration").first())
    assert set(first["recalibration"]) == {"none"}
    after = calibration.filter(pl.col("recalibration") != "none")
    assert set(after["variant"]) == {"main"}
    assert (after["n"] + after["n_without_confidence"] == ITEMS).all()
    # Ranks are those of the maps of five folds, so that order may change, but not the outcomes.
    right = calibration.filter(metric="accuracy", variant="main", confidence="top_label")
    whole = right.filter(pl.col("n") == ITEMS)
    spread = whole.group_by("task", "persona").agg(pl.col("value").n_unique())
    assert set(spread["value"]) == {1}


def test_words_carry_the_numbers_of_the_tables(ran: Project) -> None:
    text = (ran.path / "results/summary.md").read_text()
    cells = table(ran, "cells").filter(persona="no_persona", variant="main")
    for row in cells.iter_rows(named=True):
        assert f"accuracy {100 * row['accuracy']:.1f}%" in text
        assert f"{row['n_invalid']} invalid" in text
    for row in table(ran, "spread").filter(metric="accuracy").iter_rows(named=True):
        assert f"standard deviation {100 * row['sd']:.1f} points" in text
    contrasts = table(ran, "contrasts").filter(pl.col("in_family"))
    assert f"its {contrasts.height} contrasts in accuracy, smooth_ece_top_label" in text
    assert "every item of ESI 1" in text
    assert "not clinically validated" in text
    assert "Nothing here is medical advice" in text
    assert not re.search(r"\bnan\b|None|null", text)


def test_bca_intervals_are_an_option_of_the_study(ran: Project, tmp_path: Path) -> None:
    before = table(ran, "contrasts")
    copy = ran.copy(tmp_path / "project")
    bca = {"statistics": {"interval": "bca"}}
    (copy.path / "config/bca.yaml").write_text(yaml.safe_dump(bca))
    target = "results/tables/cells.parquet"
    copy.run("--cores", "1", "--configfile", "config/bca.yaml", "--", target)
    after = table(copy, "contrasts")
    keys = ["task", "persona", "variant", "metric", "confidence"]
    both = before.join(after, on=keys, nulls_equal=True, suffix="_bca")
    assert both.height == before.height
    plain = both.filter(pl.col("confidence").is_null())
    calibrated = both.filter(pl.col("confidence").is_not_null())
    assert plain["difference"].equals(plain["difference_bca"])
    assert not plain["low"].equals(plain["low_bca"])
    assert calibrated["low"].equals(calibrated["low_bca"])


def test_a_report_has_every_figure_and_table_with_labels_and_captions(
    ran: Project, tmp_path: Path
) -> None:
    copy = ran.copy(tmp_path / "project")
    copy.run("--report", "report.html")
    data = report_page.check(copy.path, copy.path / "report.html")
    captions = {path: result["caption"] for path, result in data["results"].items()}
    for path, caption in captions.items():
        if "/figures/" in path:
            assert "seed 7" in caption or "Seed\n7" in caption, path
    assert "not clinically validated" in captions["results/figures/triage_accuracy.png"]
    # The title is words alone, whatever it spells.
    said = html.unescape(re.sub(r"<[^>]+>", "", data["workflow_desc"]))
    assert f"Study: {MARKED_UP}." in " ".join(said.split())
    assert "<b>" not in data["workflow_desc"]
    assert "href=" not in data["workflow_desc"]


def test_every_file_has_the_columns_that_are_documented(ran: Project) -> None:
    seen = check_files(ran.path)
    tables = (*MEASURED_TABLES, *STUDY_TABLES, "confusion", *DECOMPOSED_TABLES, "delivery")
    assert {f"results/tables/{name}.parquet" for name in tables} <= seen
    assert "resources/datasets/{dataset}.parquet" in seen
