"""What a study leaves on disk: the same bytes every time, and nothing that gives an answer away."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import polars as pl
import pytest
from project import STUDY, Project, new_project, small_study
from studies import shared

from persona_paradox.figures.catalogue import figures
from persona_paradox.files import sha256_bytes
from persona_paradox.launch.names import ADDRESS
from persona_paradox.names import RATED, WORDS

RESPONSES = [
    "item_id",
    "prompt_id",
    "variant",
    "repeat",
    "text",
    "finish_reason",
    "n_prompt_tokens",
    "n_tokens",
    "label_logprob",
    "label_mass",
    "token_logprob",
    "thought",
    "n_thought_tokens",
    "thought_cut",
    "persona_delivered",
    "system_role",
    "prompt_sha256",
    "response_key",
    "backend",
]
SCORES = {
    "item_id",
    "prompt_id",
    "variant",
    "repeat",
    "reference",
    "label",
    "label_logprob_argmax",
    "parse_status",
    "level_error",
    "correct",
    "confidence",
    "confidence_generated",
    "entropy",
    "margin",
}
STAGES = (
    "prompts",
    "delivered",
    "responses",
    "scores",
    "calibration",
    "measures",
    "tables",
    "figures",
    "config",
    "report",
)
WRITTEN_LAST = ("summary.md", "provenance.json", "report.html", "ro-crate-metadata.json")


def test_two_runs_from_nothing_on_one_core_and_two_are_byte_identical(
    finished: Project, tmp_path: Path
) -> None:
    """The one that is there ran on one core, and with one thread where `make test` runs.

    Its jobs came from a server; those of the other each had a Python of their own.
    """
    other = small_study(tmp_path / "other")
    other.run("--cores", "2", **{ADDRESS: "", "POLARS_MAX_THREADS": "2"})
    # The study asks for some figures; all that there are must be the same.
    chosen = [
        id_
        for id_, figure in figures().items()
        if figure.kind in ("labelled", "triage") and figure.only_with is None
    ]
    drawn = [f"results/figures/{figure}.pdf" for figure in chosen]
    finished.run("--cores", "1", *drawn)
    other.run("--cores", "2", *drawn, **{ADDRESS: "", "POLARS_MAX_THREADS": "2"})
    first, second = finished.checksums(), other.checksums()
    assert first == second
    assert {Path(name).parts[0] for name in first} == {*STAGES, *WRITTEN_LAST}
    assert {f"results/{name}" for name in first if name.endswith(".pdf")} == {*drawn}


def test_every_later_stage_may_count_on_these_columns(finished: Project) -> None:
    results = finished.path / "results"
    cell = "tiny/triage_ed/ed_nurse.parquet"
    prompts = pl.read_parquet(results / "prompts/triage_ed/ed_nurse.parquet")
    assert {"item_id", "prompt_id", "variant", "system", "user"} <= set(prompts.columns)
    responses = pl.read_parquet(results / "responses" / cell)
    assert responses.columns == RESPONSES
    scores = pl.read_parquet(results / "scores" / cell)
    assert set(scores.columns) >= SCORES
    assert prompts["item_id"].to_list() == responses["item_id"].to_list()
    assert prompts["item_id"].to_list() == scores["item_id"].to_list()
    assert responses["persona_delivered"].all()
    assert responses["response_key"].n_unique() == responses.height
    assert responses["label_logprob"].list.len().to_list() == [5] * 6


def test_a_table_names_what_made_it(finished: Project) -> None:
    path = finished.path / "results/scores/tiny/triage_ed/ed_nurse.parquet"
    metadata = pl.read_parquet_metadata(path)
    sums = {k: v for k, v in metadata.items() if k.startswith("sha256.")}
    assert set(sums) == {"sha256.items", "sha256.responses", "sha256.scoring"}
    assert (
        sums["sha256.responses"]
        == finished.checksums()["responses/tiny/triage_ed/ed_nurse.parquet"]
    )


def test_the_sample_is_stratified_and_the_same_for_every_persona(finished: Project) -> None:
    results = finished.path / "results"
    frames = {
        persona: pl.read_parquet(results / f"scores/tiny/triage_primary/{persona}.parquet")
        for persona in STUDY["personas"]
    }
    ids = {tuple(frame["item_id"]) for frame in frames.values()}
    assert len(ids) == 1
    counts = frames["ed_nurse"].group_by("reference").len().sort("reference").rows()
    assert counts == [("A", 2), ("B", 2), ("C", 2)]


def test_tables_count_what_the_scores_hold(finished: Project) -> None:
    results = finished.path / "results"
    cells = pl.read_csv(results / "tables/cells.csv")
    contrasts = pl.read_csv(results / "tables/contrasts.csv")
    assert cells.height == 6
    accuracy = contrasts.filter((pl.col("metric") == "accuracy") & pl.col("confidence").is_null())
    assert accuracy.height == 4
    for row in cells.iter_rows(named=True):
        place = f"{row['model']}/{row['task']}/{row['persona']}.parquet"
        scores = pl.read_parquet(results / "scores" / place)
        assert row["n"] == scores.height == 6
        assert row["n_invalid"] == scores["label"].null_count()
        assert row["accuracy"] == pytest.approx(scores["correct"].mean())
        rates = ("accuracy", "invalid_rate", "under_triage_rate", "over_triage_rate")
        assert sum(row[rate] for rate in rates) == pytest.approx(1)
        for rate in rates:
            assert row[f"{rate}_low"] - 1e-12 <= row[rate] <= row[f"{rate}_high"] + 1e-12
    merged = accuracy.join(cells, on=["model", "task", "persona"], suffix="_cell")
    base = cells.filter(pl.col("persona") == "no_persona").select("task", base="accuracy")
    merged = merged.join(base, on="task")
    expected = merged["accuracy"] - merged["base"]
    assert merged["difference"].to_list() == pytest.approx(expected.to_list())


@pytest.fixture(scope="session")
def ktas(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Project:
    """A study of real cases with one persona more than the baseline, and the tiny model.

    It is not to be changed.
    """

    def build(path: Path) -> None:
        two = ["no_persona", "ed_nurse"]
        project = small_study(path, tasks=["triage_ktas"], personas=two, data_dir=str(data_dir))
        project.run("--cores", "1", "results/tables/cells.csv")

    return shared(tmp_path_factory, "ktas", build)


def test_the_human_line(ktas: Project) -> None:
    """The nurse against the expert panel, as published for all 1,267 records (Moon et al. 2019)."""
    cells = pl.read_csv(ktas.path / "results/tables/cells.csv", infer_schema_length=None)
    nurse = cells.filter(model="human", variant="main").row(0, named=True)
    assert (nurse["persona"], nurse["n"], nurse["n_invalid"]) == ("triage_nurse", 1267, 0)
    assert round((1 - nurse["accuracy"]) * 1267, 6) == 186
    assert round(nurse["under_triage_rate"] * 1267, 6) == 131
    assert round(nurse["over_triage_rate"] * 1267, 6) == 55
    assert round(nurse["kappa_linear"], 2) == 0.83
    # The figures compare it with the models on the items that these were asked.
    same = cells.filter(model="human", variant="same_items").row(0, named=True)
    assert same["n"] == 6
    manifest = json.loads((ktas.path / "resources/datasets/ktas.manifest.json").read_text())
    assert manifest["items"] == 1267
    assert manifest["excluded"] == {"chief complaint not recorded": 22}


def test_ktas_cases_say_what_was_recorded(ktas: Project, data_dir: Path) -> None:
    items = pl.read_parquet(ktas.path / "resources/datasets/ktas.parquet")
    lines = data_dir.joinpath("ktas1267/ktas_clean.jsonl").read_text().splitlines()
    clean = [json.loads(line) for line in lines]
    shown = items["excluded"].is_null().to_list()
    assert shown == [row["chief_complaint"] is not None for row in clean]
    yes_no = {True: "yes", False: "no"}
    mental = {"verbal response": "responds to voice", "pain response": "responds to pain"}

    def with_unit(value: float | None, unit: str) -> str:
        return "not recorded" if value is None else f"{value:g} {unit}"

    for case, row in zip(items["case"], clean, strict=True):
        facts = dict(line.split(": ", 1) for line in case.splitlines())
        arrival = facts.pop("Arrival")
        assert (arrival == "other") == (row["arrival_mode"] >= 5)
        temperature = facts.pop("Temperature")
        assert (temperature == "not recorded") == (row["temp_c"] is None)
        if row["temp_c"] is not None:
            assert float(temperature.removesuffix(" °C")) == row["temp_c"]
        assert facts == {
            "Chief complaint": row["chief_complaint"] or "not recorded",
            "Age": f"{row['age']} years",
            "Sex": row["sex"],
            "Mental state": mental.get(row["mental"], row["mental"]),
            "Injury": yes_no[row["injury"]],
            "Pain": yes_no[row["pain"]],
            "Pain score": with_unit(row["nrs_pain"], "of 10"),
            "Systolic blood pressure": with_unit(row["sbp"], "mmHg"),
            "Diastolic blood pressure": with_unit(row["dbp"], "mmHg"),
            "Heart rate": with_unit(row["hr"], "per minute"),
            "Respiratory rate": with_unit(row["rr"], "per minute"),
            "Oxygen saturation": with_unit(row["spo2"], "%"),
        }


def test_no_prompt_holds_what_gives_the_answer_away(
    ktas: Project, data_dir: Path, tmp_path: Path
) -> None:
    """Every hidden column is filled with a mark of its own; no rendered prompt may hold one."""
    real = ktas.copy(tmp_path / "project")
    hidden = ["Diagnosis in ED", "Disposition", "Error_group", "mistriage", "Length of stay_min"]
    source = data_dir / "ktas1267/data_raw_cp.csv"
    raw = pl.read_csv(
        source.read_bytes().decode("latin-1").encode(), separator=";", infer_schema=False
    )
    marks = [pl.lit(f"LEAK{i}").alias(column) for i, column in enumerate(hidden)]
    levels = [pl.lit("2").alias("KTAS_RN"), pl.lit("4").alias("KTAS_expert")]
    # Levels have to stay levels: the nurse's and the panel's are swapped for known ones, and the
    # prompts compared with those made from the true ones.
    folder = real.path / "marked" / "ktas1267"
    folder.mkdir(parents=True)
    text = raw.with_columns(*marks, *levels).write_csv(separator=";").encode("latin-1")
    (folder / "data_raw_cp.csv").write_bytes(text)

    real.edit("config/config.yaml", lambda s: s.update(limit=None))
    targets = [f"results/prompts/triage_ktas/{p}.parquet" for p in ("no_persona", "ed_nurse")]
    real.run("--cores", "1", *targets)
    true = [pl.read_parquet(real.path / target) for target in targets]
    real.edit("config/config.yaml", lambda s: s.update(data_dir="marked"))

    def pin(dataset: dict) -> None:
        dataset["source"]["sha256"] = sha256_bytes(text)

    real.edit("config/datasets/ktas.yaml", pin)
    real.run("--cores", "1", *targets)
    for before, target in zip(true, targets, strict=True):
        after = pl.read_parquet(real.path / target)
        assert after.height == 1245
        assert not after["system"].str.contains("LEAK").any()
        assert not after["user"].str.contains("LEAK").any()
        assert after.equals(before), "a prompt depends on a hidden column"


def test_real_model_on_real_cases(data_dir: Path, tmp_path: Path) -> None:
    """SmolLM2-135M-Instruct from its wheel, a few cases of both real sets, to a figure."""
    project = new_project(tmp_path / "project")

    def change(study: dict) -> None:
        study.update(limit=5, personas=["no_persona", "ed_physician"], data_dir=str(data_dir))
        study.update(figures=["triage_accuracy"], recalibrations=[])

    project.edit("config/studies/real-data.yaml", change)
    arguments = ("--configfile", "config/studies/real-data.yaml", "--cores", "1")
    project.run(*arguments)
    cells = pl.read_csv(project.path / "results/tables/cells.csv", infer_schema_length=None)
    model = cells.filter(~pl.col("model").is_in(RATED))
    assert model["n"].to_list() == [5] * 4
    assert cells.filter(model=WORDS, variant="same_items")["n"].to_list() == [5] * 2
    assert model["label_mass"].is_between(0.2, 1).all()
    assert project.snakemake("-n", *arguments).stdout.count("rule ") == 0
    manifest = json.loads(
        (project.path / "resources/models/smollm2_135m_instruct/manifest.json").read_text()
    )
    assert manifest["format"] == "f16"
    assert 0 < manifest["largest_weight_change"] < 0.01
    assert manifest["origin"]["sha256"].startswith("b179c952")
    page = html.unescape((project.path / "results/report.html").read_text())
    command = re.search("[\n>]export PERSONA_DATA_DIR=/path/to/data +# (.*)\n", page)
    assert re.findall(r"[\w/]+\.(?:csv|jsonl)", command[1]) == [
        "ktas1267/data_raw_cp.csv",
        "semigran45/semigran_vignettes.jsonl",
    ]
