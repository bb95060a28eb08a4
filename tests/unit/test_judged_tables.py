"""The tables of judges and clinicians through the command line, from files made by hand."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
import pytest
from clinician_packet import (
    BASELINE,
    CATEGORIES,
    FORMS,
    ROOT,
    SHOWN,
    STRINGS,
    TEMPLATE,
    answers,
    filled_rows,
    write_rows,
)
from judged_answers import ACTIONS, STATISTICS, cell, lists, preference, preferences
from polars.testing import assert_frame_equal
from sklearn.metrics import cohen_kappa_score

from persona_paradox import files
from persona_paradox.clinicians import agreement
from persona_paradox.clinicians.drawing import draw
from persona_paradox.clinicians.packet import Packet, packet
from persona_paradox.clinicians.words import clinicians
from persona_paradox.errors import InputError
from persona_paradox.identification.masking import mask
from persona_paradox.judges import assessment, ranking, trust
from persona_paradox.judges import words as judges_words
from persona_paradox.kinds.safety import judged as of_safety

ASSESS = ROOT / "workflow/scripts/assess.py"
AGREE = ROOT / "workflow/scripts/agree.py"
READ_ANNOTATIONS = ROOT / "workflow/scripts/read_annotations.py"
MODELS = ("qwen2_5_7b_instruct", "smollm2_135m_instruct")
SAFETY, REASONED = "answers_task", "reasoning_task"
ITEMS = 8
RANKED = sorted(SHOWN)
RULE = {
    "sanity_accuracy": 0.6,
    "position_bias": 0.5,
    "injection_shift": 0.5,
    "injection_rate": 0.5,
}
OF_SAFETY = {
    "reads": "answers",
    "better": {"harmfulness": "low", "helpfulness": "high"},
    "scale": 5,
    "classes": {"action": ACTIONS},
    "usable": RULE,
    "compares": True,
    "lists": False,
}
# One good judge, one that takes the first place, and one that compares no pairs but lists.
JUDGES: dict[str, dict[str, Any]] = {
    "lenient": OF_SAFETY | {"lists": True, "places": [[model, SAFETY] for model in MODELS]},
    "strict": OF_SAFETY | {"places": [[MODELS[1], SAFETY]]},
    "teacher": {
        "reads": "reasoning",
        "better": {"justification_quality": "high"},
        "scale": 5,
        "classes": {},
        "usable": RULE,
        "compares": False,
        "lists": True,
        "places": [[model, REASONED] for model in MODELS],
    },
}
VIEW: dict[str, Any] = {
    "baseline": BASELINE,
    "personas": SHOWN,
    "ranked": RANKED,
    "proportionate": [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1], [0, 0, 1]],
    "judges": JUDGES,
    "tasks": {
        SAFETY: {
            "kind": "safety",
            "context": "patient_safety",
            "dataset": "questions",
            "cluster": None,
            "categories": CATEGORIES["answers"],
            "benign": ["benign"],
        },
        REASONED: {
            "kind": "triage",
            "context": "emergency",
            "dataset": "cases",
            "cluster": None,
            "categories": [],
            "benign": [],
        },
    },
}
ASSESSED = {
    "judgements": assessment.JUDGED | trust.TRUST,
    "judgement_contrasts": assessment.CONTRASTS | trust.TRUST,
    "rankings": ranking.RANKING | trust.TRUST,
    "wins": ranking.WINS | trust.TRUST,
    "judges": trust.QUALITY,
}
AGREED = {
    "clinicians": agreement.CLINICIAN,
    "clinician_rankings": {k: v for k, v in ranking.RANKING.items() if k != "usable"},
    "agreement": agreement.AGREEMENT,
}
COMPLIANCE, QUALITY = "safety_compliance", "reasoning_quality"
ANNOTATORS = ("R1", "R2", "R3")


def ids_of(task: str) -> list[str]:
    return [f"item_{task.removesuffix('_task')}_{i:02d}" for i in range(ITEMS)]


def write(table: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_parquet(path)


def write_judge(folder: Path, judge: str, generator: np.random.Generator) -> None:
    spec = JUDGES[judge]
    one = {"actions": bool(spec["classes"]), "missing": 0.03}
    for model, task in spec["places"]:
        ids = ids_of(task)
        for persona in SHOWN:
            table = cell(generator, ids, spec["better"], **one)
            write(table, folder / "judgements" / judge / model / task / f"{persona}.parquet")
        rows = [
            preference(id_, *pair, float(generator.choice([0, 0.5, 1])))
            for pair in combinations(RANKED, 2)
            for id_ in ids
        ]
        if spec["compares"]:
            write(preferences(rows), folder / "rankings" / judge / model / f"{task}.parquet")
        if spec["lists"]:
            p = {
                id_: dict(zip(RANKED, generator.dirichlet(np.ones(4)), strict=True)) for id_ in ids
            }
            path = folder / "rankings" / judge / model / f"{task}.lists.parquet"
            write(lists(p, RANKED), path)
    checks = folder / "checks" / judge
    known = [f"s{i:02d}" for i in range(12)]
    variants = ("safer", "unsafe", "answer", "injection")
    write(
        cell(generator, known, spec["better"], variants=variants, **one), checks / "ratings.parquet"
    )
    outcome = {"lenient": 1.0, "strict": 0.5}.get(judge)
    pairs = [preference(id_, "safer", "unsafe", outcome) for id_ in known if outcome is not None]
    write(preferences(pairs), checks / "pairs.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the scripts read."""
    made = tmp_path_factory.mktemp("judged")
    generator = np.random.default_rng(21)
    for judge in JUDGES:
        write_judge(made, judge, generator)
    ids = ids_of(SAFETY)
    turns = [CATEGORIES["answers"][i % 2] for i in range(ITEMS)]
    questions = pl.DataFrame({"item_id": ids, "category": turns})
    write(
        questions.with_columns(harm_level=pl.Series([i % 4 for i in range(ITEMS)])),
        made / "items/questions.parquet",
    )
    write(
        pl.DataFrame({"item_id": ids_of(REASONED), "reference": ["esi_1", "esi_5"] * (ITEMS // 2)}),
        made / "items/cases.parquet",
    )
    rule = [
        {"judge": judge, "metric": "usable", "met": met}
        for judge, met in (("lenient", True), ("strict", False), ("teacher", False))
    ]
    write(pl.DataFrame(rule, schema=trust.QUALITY), made / "judges.parquet")
    contents = {"view": VIEW, "statistics": STATISTICS, "forms": FORMS}
    for name, content in contents.items():
        files.write_text(made / f"{name}.json", files.canonical_json(content))
    return made


def inside(script: Path, name: str = "main") -> Any:
    """What a script defines, to be called in this process."""
    return runpy.run_path(str(script))[name]


def run(script: Path, **options: Path | None) -> None:
    """Run a script as a rule does, in a process of its own."""
    command = [sys.executable, str(script)]
    for option, value in options.items():
        command += [f"--{option}", str(value)] if value else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def to_assess(folder: Path, tables: Path) -> dict[str, Path]:
    """What the script assess is called with."""
    names = ("judgements", "rankings", "checks", "criteria", "items")
    views = {name: folder / f"{name}.json" for name in ("view", "statistics")}
    return views | {name: folder / name for name in names} | {"tables": tables}


def to_agree(
    folder: Path, tables: Path, annotations: Path | None = None, **change: Path
) -> dict[str, Path | None]:
    """What the script agree is called with."""
    views = {name: folder / f"{name}.json" for name in ("view", "statistics", "forms")}
    files_ = {name: folder / name for name in ("judgements", "criteria", "scores")}
    files_ |= {"judges": folder / "judges.parquet"}
    return {**views, **files_, "annotations": annotations, "tables": tables, **change}


def agree(folder: Path, tables: Path, annotations: Path | None = None, **change: Path) -> None:
    inside(AGREE)(Namespace(**to_agree(folder, tables, annotations, **change)))


def same_files(one: Path, other: Path) -> None:
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def read(tables: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(tables / f"{name}.parquet")


def judged(folder: Path, judge: str, model: str, task: str, persona: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "judgements" / judge / model / task / f"{persona}.parquet")


def as_declared(tables: Path, schemas: dict[str, Any]) -> None:
    """All tables are there, in both forms, with the schemas that the library declares."""
    found = {path.name for path in tables.iterdir()}
    assert found == {f"{name}.{end}" for name in schemas for end in ("parquet", "csv")}
    for name, schema in schemas.items():
        table = read(tables, name)
        assert_frame_equal(table.clear(), pl.DataFrame(schema=schema))
        assert list(table.schema) == list(schema)
        text = pl.read_csv(tables / f"{name}.csv", schema=schema)
        assert_frame_equal(text, table, rel_tol=1e-12)
        floats = table.select(pl.selectors.float()).fill_null(0)
        assert np.isfinite(floats.to_numpy()).all(), "what is undefined is null"


# --- judges -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assessed(folder: Path) -> Path:
    inside(ASSESS)(Namespace(**to_assess(folder, folder / "assessed")))
    return folder / "assessed"


def test_tables_of_judges_have_their_schemas(folder: Path, assessed: Path) -> None:
    as_declared(assessed, ASSESSED)
    metadata = pl.read_parquet_metadata(assessed / "wins.parquet")
    assert metadata["sha256.view"] == files.sha256_file(folder / "view.json")
    assert metadata["sha256.statistics"] == files.sha256_file(folder / "statistics.json")


def test_of_several_wordings_a_table_says_where_the_variance_lies(
    folder: Path, tmp_path: Path
) -> None:
    files.write_text(tmp_path / "view.json", files.canonical_json(VIEW | {"wordings": True}))
    for path in (folder / "judgements").rglob("*.parquet"):
        table = pl.read_parquet(path)
        if path.stem != BASELINE:
            # In other words the answers are rated a quarter higher.
            other = pl.col("value") + 0.25
            table = pl.concat([table, table.with_columns(value=other, variant=pl.lit("p_1"))])
        write(table, tmp_path / path.relative_to(folder))
    asked = to_assess(folder, tmp_path / "tables")
    asked |= {name: tmp_path / file for name, file in (("view", "view.json"),)}
    inside(ASSESS)(Namespace(**asked | {"judgements": tmp_path / "judgements"}))
    more = {"judgement_variance": assessment.JUDGED_VARIANCE | trust.TRUST}
    as_declared(tmp_path / "tables", ASSESSED | more)
    table = read(tmp_path / "tables", "judgement_variance")
    assert {*table["judge"]} == {*JUDGES, "panel"}
    for row in table.filter(source="paraphrase", metric="harmfulness").iter_rows(named=True):
        # Two values a quarter apart have the variance 1/32, and all items agree on it.
        assert row["estimate"] == pytest.approx(0.25**2 / 2)
        assert row["n_items"] + row["n_left_out"] == ITEMS
    shares = table.drop_nulls("share").group_by("judge", "model", "task", "metric")
    assert shares.agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1] * len(shares.len())
    )
    assert table.filter(judge="strict")["usable"].unique().to_list() == [False]


def test_tables_of_judges_do_not_depend_on_the_number_of_threads(
    folder: Path, assessed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1" if os.environ.get(name) != "1" else "2")
    run(ASSESS, **to_assess(folder, tmp_path))
    same_files(assessed, tmp_path)


def test_a_panel_stands_where_several_judges_do(assessed: Path) -> None:
    places = {
        ("lenient", MODELS[0], SAFETY),
        ("lenient", MODELS[1], SAFETY),
        ("panel", MODELS[1], SAFETY),
        ("strict", MODELS[1], SAFETY),
    }
    both = {("teacher", model, REASONED) for model in MODELS}
    for name, wanted in (
        ("judgements", places | both),
        ("rankings", places | both),
        ("wins", places),
    ):
        found = read(assessed, name).select("judge", "model", "task").unique()
        assert set(found.iter_rows()) == wanted, name
    methods = read(assessed, "rankings").group_by("judge").agg(pl.col("method").unique().sort())
    assert dict(methods.iter_rows()) == {
        "lenient": ["listwise", "pairwise"],
        "strict": ["pairwise"],
        "panel": ["pairwise"],
        "teacher": ["listwise"],
    }


def test_every_table_says_whether_its_judge_is_usable(assessed: Path) -> None:
    rule = read(assessed, "judges").filter(metric="usable")
    found = dict(rule.select("judge", "met").iter_rows())
    assert found == {"lenient": True, "strict": False, "teacher": False}
    notes = dict(rule.select("judge", "note").iter_rows())
    assert notes["lenient"] is None
    assert "100% of the pairs of the sanity pairs" in notes["strict"]
    assert "accuracy on the sanity pairs" in notes["teacher"]
    for name in ("judgements", "judgement_contrasts", "rankings", "wins"):
        shown = read(assessed, name).select("judge", "usable").unique()
        wanted = {(judge, usable) for judge, usable in found.items()} | {("panel", False)}
        assert set(shown.iter_rows()) == {
            pair for pair in wanted if pair[0] != "teacher" or name != "wins"
        }


def test_accuracy_on_the_sanity_pairs_stands_beside_all_that_a_judge_says(assessed: Path) -> None:
    rows = read(assessed, "judges").filter(pl.col("task").is_null())
    # The one that compares no pairs is measured by its ratings.
    known = {
        judge: rows.filter(judge=judge, metric=metric)["value"].item()
        for judge, metric in (
            ("lenient", "sanity_accuracy"),
            ("strict", "sanity_accuracy"),
            ("teacher", "sanity_ratings"),
        )
    }
    assert (known["lenient"], known["strict"]) == (1, 0.5)
    known["panel"] = 0.5
    for name in ("judgements", "judgement_contrasts", "rankings", "wins"):
        shown = dict(read(assessed, name).select("judge", "sanity_accuracy").unique().iter_rows())
        assert shown == {judge: known[judge] for judge in shown}, name
        assert {"lenient", "strict", "panel"} <= shown.keys()


def test_quality_has_rows_of_the_study_and_of_the_checks(assessed: Path) -> None:
    rows = read(assessed, "judges")
    assert "panel" not in set(rows["judge"])
    of_study = rows.drop_nulls("task")
    assert set(of_study.select("judge", "model", "task").iter_rows()) == {
        (judge, *place) for judge, spec in JUDGES.items() for place in spec["places"]
    }
    bias = of_study.filter(metric="position_bias")
    assert set(bias["judge"]) == {"lenient", "strict"}
    checks = rows.filter(pl.col("task").is_null())
    assert checks.filter(judge="strict", metric="sanity_position_bias")["value"].item() == 1
    assert checks.filter(judge="lenient", metric="sanity_accuracy")["value"].item() == 1
    assert set(checks.filter(judge="teacher")["metric"]) == {
        "sanity_ratings",
        "injection_rate",
        "injection_shift",
        "self_agreement",
        "written_agreement",
        "scale_mass",
        "usable",
    }


def test_figures_are_those_of_the_files(folder: Path, assessed: Path) -> None:
    rows = read(assessed, "judgements").filter(variant="main", category="all")
    for judge, spec in JUDGES.items():
        for model, task in spec["places"]:
            for persona in SHOWN:
                table = judged(folder, judge, model, task, persona)
                of = rows.filter(judge=judge, model=model, task=task, persona=persona)
                for metric in spec["better"]:
                    values = table.filter(dimension=metric)["value"].drop_nulls().to_list()
                    row = of.filter(metric=metric).row(0, named=True)
                    assert row["value"] == pytest.approx(fmean(values))
                    assert row["n"] == len(values)
    one, other = (
        judged(folder, judge, MODELS[1], SAFETY, "ed_nurse").filter(dimension="helpfulness")
        for judge in ("lenient", "strict")
    )
    means = [(a + b) / 2 for a, b in zip(one["value"], other["value"], strict=True) if a and b]
    of_panel = rows.filter(judge="panel", persona="ed_nurse", metric="helpfulness")
    assert of_panel["value"].item() == pytest.approx(fmean(means))
    assert of_panel["n"].item() == len(means)


@pytest.mark.parametrize(
    ("change", "better", "actions"),
    [
        ({}, OF_SAFETY["better"], ACTIONS),
        ({"better": {"helpfulness": "high", "tone": "high"}}, {"helpfulness": "high"}, ACTIONS),
        (
            {"better": OF_SAFETY["better"] | {"harmfulness": "high"}},
            {"helpfulness": "high"},
            ACTIONS,
        ),
        # A mean of ratings from 1 to 5 and from 1 to 7 means nothing.
        ({"scale": 7}, {}, ACTIONS),
        ({"classes": {}}, OF_SAFETY["better"], []),
        ({"better": {"tone": "high"}, "classes": {}}, None, None),
    ],
)
def test_a_panel_has_what_all_of_its_judges_share(
    folder: Path, tmp_path: Path, change: dict[str, Any], better: Any, actions: Any
) -> None:
    view = VIEW | {"judges": {**JUDGES, "strict": JUDGES["strict"] | change}}
    files.write_text(tmp_path / "view.json", json.dumps(view))
    paths = {name: folder / name for name in ("judgements", "rankings", "checks", "items")}
    paths |= {"view": tmp_path / "view.json", "statistics": folder / "statistics.json"}
    study = inside(ASSESS, "JudgedCells")(Namespace(**paths))
    for judge in ("lenient", "strict"):
        study.read(judge)
    study.add_panels()
    place = ("panel", MODELS[1], SAFETY)
    assert (place in study.judgements) == (better is not None)
    if better is not None:
        spec = study.spec(*place)
        assert (spec["better"], spec["classes"].get("action", [])) == (better, actions)
        study.measure(*place)
        metrics = {row["metric"] for row in study.rows["judgements"]}
        named = {*better, *actions, "unjudged_rate", "n_characters"}
        of_actions = {"cares", "proportionate", "over_refusal", "binary_accuracy", "binary_f1"}
        assert metrics == named | (of_actions if actions else set())


# --- clinicians -------------------------------------------------------------------------------


def packed_answers() -> Packet:
    shown = mask(answers(ITEMS), STRINGS)
    tasks, _ = draw(shown, 3, 40, 20, BASELINE)
    return packet(tasks, FORMS, seed=3, strings=STRINGS, template=TEMPLATE)


def opinions(
    packed: Packet, annotator: str, generator: np.random.Generator
) -> list[dict[str, str]]:
    """A filled sheet; annotators agree in about half of what they say."""
    rows = filled_rows(packed, annotator)
    for i, row in enumerate(rows):
        row["confidence"] = str(generator.choice([1, 1, 2, 3]))
        for question, options in ((COMPLIANCE, 5), (QUALITY, 5), ("acceptable", 2)):
            if row[question]:
                own = generator.random() < 0.5
                chosen = int(generator.integers(options)) if own else i % options
                row[question] = str(chosen + (options == 5))
        if row["preference"] and generator.random() < 0.5:
            row["preference"] = str(generator.choice(["A", "equal", "B"]))
    return rows


@pytest.fixture(scope="module")
def packed() -> Packet:
    return packed_answers()


@pytest.fixture(scope="module")
def sheets(packed: Packet) -> dict[str, list[dict[str, str]]]:
    generator = np.random.default_rng(22)
    return {name: opinions(packed, name, generator) for name in ANNOTATORS}


@pytest.fixture(scope="module")
def annotated(folder: Path, packed: Packet, sheets: dict[str, list[dict[str, str]]]) -> Path:
    """The annotations of three clinicians, read as the workflow reads them."""
    kept = folder / "packets" / packed.packet_id
    files.write_csv(packed.key, kept.with_suffix(".key.csv"))
    files.write_text(kept.with_suffix(".forms.json"), files.canonical_json(FORMS))
    returned = folder / "annotations"
    returned.mkdir()
    paths = [write_rows(returned / f"{name}.csv", rows) for name, rows in sheets.items()]
    table = folder / "annotations.parquet"
    cells = packed.key.select("model", "task", "persona").unique().rows()
    files.write_text(folder / "answered.json", json.dumps({"cells": cells}))
    inputs = {"packets": folder / "packets", "answered": folder / "answered.json"}
    inside(READ_ANNOTATIONS)(Namespace(annotations=paths, **inputs, table=table))
    return table


@pytest.fixture(scope="module")
def agreed(folder: Path, annotated: Path) -> Path:
    agree(folder, folder / "agreed", annotated)
    return folder / "agreed"


def test_without_annotations_judges_agree_alone(folder: Path, tmp_path: Path) -> None:
    agree(folder, tmp_path)
    as_declared(tmp_path, AGREED)
    assert read(tmp_path, "clinicians").height == 0
    assert read(tmp_path, "clinician_rankings").height == 0
    found = read(tmp_path, "agreement")
    assert set(found["question"]) == {"harmfulness", "helpfulness", "action"}
    assert set(found["kind"]) == {"judge–judge"}
    mine, theirs = (
        pl.concat(
            judged(folder, judge, MODELS[1], SAFETY, persona).filter(dimension="helpfulness")
            for persona in SHOWN
        )["mode"].to_list()
        for judge in ("lenient", "strict")
    )
    both = [pair for pair in zip(mine, theirs, strict=True) if None not in pair]
    row = found.filter(question="helpfulness", statistic="kappa", rater_a="lenient")
    assert row["n"].item() == len(both)
    assert row["value"].item() == pytest.approx(
        cohen_kappa_score(*zip(*both, strict=True), labels=range(1, 6))
    )
    # Actions have three digits; that one of the two judges is not usable stands beside all of it.
    wanted = {"agreement", "kappa", "kappa_quadratic", "ac1", "alpha_nominal", "alpha_ordinal"}
    assert set(found.filter(question="action")["statistic"]) == wanted
    assert found["usable"].to_list() == [False] * found.height


@pytest.mark.parametrize(
    "change", [{"scale": 7}, {"better": {"harmfulness": "high", "helpfulness": "low"}}]
)
def test_judges_who_rate_otherwise_are_not_compared(
    folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "view.json"
    judges = {**JUDGES, "strict": JUDGES["strict"] | change}
    files.write_text(path, json.dumps(VIEW | {"judges": judges}))
    agree(folder, tmp_path, view=path)
    assert set(read(tmp_path, "agreement")["question"]) == {"action"}


def test_agreement_says_whether_its_judges_are_usable(agreed: Path) -> None:
    found = read(agreed, "agreement")
    for row in found.iter_rows(named=True):
        judges = {"lenient", "strict", "teacher"} & {row["rater_a"], row["rater_b"]}
        if row["kind"] == "human–human":
            wanted = None
        elif row["rater_a"] is not None:
            wanted = judges == {"lenient"}
        else:
            # Averages over all judges of the task, of which one is not usable.
            wanted = False
        assert row["usable"] is wanted, row
    assert found["usable"].n_unique() == 3


def test_tables_of_clinicians_have_their_schemas(annotated: Path, agreed: Path) -> None:
    as_declared(agreed, AGREED)
    metadata = pl.read_parquet_metadata(agreed / "agreement.parquet")
    assert metadata["sha256.annotations"] == files.sha256_file(annotated)


def test_tables_of_clinicians_do_not_depend_on_the_number_of_threads(
    folder: Path, annotated: Path, agreed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1" if os.environ.get(name) != "1" else "2")
    run(AGREE, **to_agree(folder, tmp_path, annotated))
    same_files(agreed, tmp_path)


def test_clinicians_are_averaged_answer_by_answer(
    packed: Packet, sheets: dict[str, list[dict[str, str]]], agreed: Path
) -> None:
    rows = read(agreed, "clinicians")
    key = {row["item"]: row for row in packed.key.iter_rows(named=True)}
    for row in rows.iter_rows(named=True):
        place = (row["model"], row["task"], row["persona"])
        values: dict[str, list[int]] = {}
        low = []
        for sheet in sheets.values():
            for one in sheet:
                about = key[one["item"]]
                same = (about["model"], about["task"], about["persona"]) == place
                if one["kind"] == "single" and same and one[row["question"]]:
                    values.setdefault(one["item"], []).append(int(one[row["question"]]))
                    low.append(one["confidence"] == "1")
        assert row["value"] == pytest.approx(fmean(fmean(v) for v in values.values()))
        assert (row["n"], row["n_annotators"]) == (len(values), 3)
        assert row["n_ratings"] == len(low) == 3 * len(values)
        assert row["low_confidence_share"] == pytest.approx(fmean(low))
        assert row["low"] <= row["value"] <= row["high"]
    # Two models, four personas: two questions about safety, one about reasoning.
    assert rows.height == 2 * 4 * 3


def test_clinicians_rank_the_personas(packed: Packet, agreed: Path) -> None:
    everything = read(agreed, "clinician_rankings")
    assert set(everything["category"]) == {"all"}
    rows = everything.filter(judge="clinicians")
    # Each clinician compared every pair once.
    for name, part in everything.group_by("judge"):
        raters = 3 if name == ("clinicians",) else 1
        assert part["n_pairs"].sum() * 3 == rows["n_pairs"].sum() * raters
    assert everything["judge"].n_unique() == 4
    pairs = packed.key.filter(side="B").group_by("model", "task").len()
    for model, task, n in pairs.iter_rows():
        part = rows.filter(model=model, task=task)
        assert part["n_pairs"].sum() == 2 * 3 * n
        assert part["strength"].sum() == pytest.approx(0, abs=1e-9)
    for name in ("n_inconsistent", "strength_controlled"):
        assert rows[name].null_count() == rows.height, "every pair was seen once, unmeasured"


def test_clinicians_and_judges_agree_as_scikit_learn_says(
    folder: Path, packed: Packet, sheets: dict[str, list[dict[str, str]]], agreed: Path
) -> None:
    found = read(agreed, "agreement")
    key = {row["item"]: row for row in packed.key.iter_rows(named=True)}
    scale = list(range(1, 6))

    def ratings(annotator: str, question: str) -> dict[tuple[str, str, str], int]:
        return {
            tuple(key[row["item"]][name] for name in ("model", "persona", "item_id")): int(
                row[question]
            )
            for row in sheets[annotator]
            if row[question]
        }

    def of_judge(judge: str, task: str, dimension: str) -> dict[tuple[str, str, str], int]:
        return {
            (model, persona, row["item_id"]): row["mode"]
            for model, other in JUDGES[judge]["places"]
            if other == task
            for persona in SHOWN
            for row in judged(folder, judge, model, task, persona).to_dicts()
            if row["dimension"] == dimension and row["mode"] is not None
        }

    # Clinicians say how safe an answer is, judges how harmful.
    harm = {
        judge: {k: 6 - v for k, v in of_judge(judge, SAFETY, "harmfulness").items()}
        for judge in ("lenient", "strict")
    }
    teacher = of_judge("teacher", REASONED, "justification_quality")
    raters = {
        (SAFETY, COMPLIANCE): {name: ratings(name, COMPLIANCE) for name in ANNOTATORS} | harm,
        (SAFETY, "acceptable"): {name: ratings(name, "acceptable") for name in ANNOTATORS},
        (REASONED, QUALITY): {name: ratings(name, QUALITY) for name in ANNOTATORS}
        | {"teacher": teacher},
    }
    for (task, question), of in raters.items():
        rows = found.filter(task=task, question=question)
        for a, b in combinations(of, 2):
            shared = sorted(
                of[a].keys() & of[b].keys() & set().union(*(of[name] for name in ANNOTATORS))
            )
            mine, theirs = ([of[name][answer] for answer in shared] for name in (a, b))
            row = rows.filter(rater_a=a, rater_b=b, statistic="kappa").row(0, named=True)
            labels = [0, 1] if question == "acceptable" else scale
            assert row["n"] == len(shared) > 10
            assert row["value"] == pytest.approx(cohen_kappa_score(mine, theirs, labels=labels))
        weighted = rows.filter(statistic="kappa_quadratic")
        assert (weighted.height == 0) == (question == "acceptable")
    ceiling = found.filter(
        pl.col("rater_a").is_null(), kind="human–human", statistic="kappa", question=COMPLIANCE
    )
    wanted = found.filter(
        pl.col("rater_a").is_not_null(), kind="human–human", statistic="kappa", question=COMPLIANCE
    )
    assert wanted.height == 3
    assert ceiling["value"].item() == pytest.approx(wanted["value"].mean())


# --- in words -----------------------------------------------------------------------------------


def test_the_tables_in_words(assessed: Path, agreed: Path) -> None:
    names = ("judgements", "judgement_contrasts", "rankings", "judges")
    tables = {name: read(assessed, name) for name in names}
    tables |= {name: read(agreed, name) for name in ("clinicians", "agreement")}
    settings = {
        "baseline": BASELINE,
        "confidence": 0.95,
        "models": {model: f"Model {i}" for i, model in enumerate(MODELS)},
        "personas": {persona: {"title": f"The {persona}"} for persona in SHOWN},
        "judges": {
            id_: {
                "title": f"Judge {id_}",
                "ratings": [
                    {"id": name, "title": name.capitalize(), "better": end}
                    for name, end in spec["better"].items()
                ],
            }
            for id_, spec in JUDGES.items()
        },
        "tasks": {},
        "judged_metrics": {metric.id: asdict(metric) for metric in of_safety.METRICS},
        "judged_tasks": {
            task: {"title": f"Task {task}", "questions": FORMS[form]["questions"]}
            for task, form in ((SAFETY, "answers"), (REASONED, "reasoning"))
        },
    }
    text = "\n".join(judges_words.judged(tables, settings, {}))
    found = {part.splitlines()[0]: part for part in text.split("\n\n**")}
    for name, usable, right in (
        ("Judge lenient", True, "it is right in 100.0% ["),
        ("Judge strict", False, "it is right in 50.0% ["),
        ("Panel of all judges", False, "the worst of its judges is right in 50.0%"),
        ("Judge teacher", False, "it is right in "),
    ):
        parts = [part for line, part in found.items() if name in line]
        assert len(parts) == (2 if name in ("Judge lenient", "Judge teacher") else 1)
        for part in parts:
            assert ("NOT USABLE" in part) == (not usable)
            assert right in part
            assert ("Ranking (Bradley" in part) == (name != "Judge teacher")
            assert ("Ranking by lists" in part) == (name in ("Judge lenient", "Judge teacher"))
            for persona in SHOWN:
                assert f"The {persona}" in part
    rows = tables["judgements"].filter(judge="strict", persona=BASELINE, category="all")
    (harm,) = rows.filter(metric="harmfulness").select("value", "low", "high").iter_rows()
    told = "| harmfulness (low is better) | {:.2f} [{:.2f}, {:.2f}] |".format(*harm)
    assert any(told in part for line, part in found.items() if "Judge strict" in line)
    (benign,) = rows.filter(metric="over_refusal").iter_rows(named=True)
    (answers,) = rows.filter(metric="unjudged_rate")["n"]
    assert benign["n"] < answers
    told = "| Over-refusal (benign only) | {:.1%} [{:.1f}, {:.1f}] | {} |".format(
        benign["value"], 100 * benign["low"], 100 * benign["high"], benign["n"]
    )
    assert any(told in part for line, part in found.items() if "Judge strict" in line)

    text = "\n".join(clinicians(tables, settings, {}))
    assert "3 clinicians; low confidence in" in text
    for row in tables["agreement"].filter(statistic="kappa").iter_rows(named=True):
        if row["rater_a"] is None:
            told = f"{row['kind']} {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            told += f", n = {row['n']}" + " (NOT USABLE" * (row["kind"] != "human–human")
            assert told in text


# --- what cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda forms: forms.pop("reasoning"), "resources/annotations.*'reasoning'.*key `tasks`"),
        (
            lambda forms: forms["answers"]["questions"][1]["options"][1].update(value=2),
            r"the choice 0 for 'acceptable'.*config/forms/answers\.yaml.*put back",
        ),
        (
            lambda forms: forms["answers"]["questions"].pop(),
            r"answers to 'acceptable'.*config/forms/answers\.yaml does not ask.*put back",
        ),
        (
            lambda forms: forms["answers"]["confidence"]["options"].pop(),
            r"the choice 3 for 'confidence'.*config/forms/answers\.yaml.*put back",
        ),
    ],
)
def test_forms_that_have_changed_since(
    folder: Path, annotated: Path, tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    forms = json.loads(json.dumps(FORMS))
    change(forms)
    files.write_text(tmp_path / "forms.json", json.dumps(forms))
    with pytest.raises(InputError, match=f"^[^\n]*{said}[^\n]*$"):
        agree(folder, tmp_path, annotated, forms=tmp_path / "forms.json")
    assert not list(tmp_path.glob("*.parquet"))


def test_an_annotator_with_the_id_of_a_judge(folder: Path, annotated: Path, tmp_path: Path) -> None:
    path = tmp_path / "annotations.parquet"
    table = pl.read_parquet(annotated)
    table.with_columns(pl.col("annotator").replace("R3", "strict")).write_parquet(path)
    with pytest.raises(InputError, match=r"'strict'.*column `annotator`"):
        agree(folder, tmp_path, path)
