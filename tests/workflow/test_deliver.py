"""Proof of delivery through the command line: a table of every cell, or one sentence."""

from __future__ import annotations

import polars as pl
import yaml
from project import STUDY, Project, add_model
from refusals import refused_by_a_job
from tiny_model import FOREIGN_PERSONA, NO_SYSTEM

TABLE = "results/tables/delivery.csv"
MODEL = "config/models/tiny.yaml"
CELLS = [("tiny", task, persona) for task in STUDY["tasks"] for persona in STUDY["personas"]]
FOREIGN = "system You are Tiny, a large language model drawn from random numbers."


def table_of(project: Project) -> pl.DataFrame:
    return pl.read_csv(project.path / TABLE).with_columns(pl.col(pl.String).fill_null(""))


def small(project: Project) -> None:
    """One task and few cases, for tests that run more than the deliveries."""
    change = {"tasks": ["triage_primary"], "personas": ["no_persona", "ed_nurse"], "limit": 3}
    project.edit("config/config.yaml", lambda study: study.update(change))


def test_the_table_has_one_row_per_cell(finished: Project) -> None:
    table = table_of(finished)
    assert table.columns == [
        *("model", "task", "persona", "n_prompts", "n_null_cases"),
        *("n_persona_delivered", "n_task_delivered", "n_case_delivered", "n_control_tokens"),
        "n_too_long",
        *("system_role", "foreign_text", "n_bos", "template_date", "template_thought"),
    ]
    assert table.select("model", "task", "persona").rows() == CELLS
    for row in table.iter_rows(named=True):
        prompts = pl.read_parquet(
            finished.path / f"results/prompts/{row['task']}/{row['persona']}.parquet"
        )
        for count in ("prompts", "persona_delivered", "task_delivered", "case_delivered"):
            assert row[f"n_{count}"] == prompts.height == 6
        assert row["n_control_tokens"] == row["n_bos"] == row["n_null_cases"] == 0
        assert row["n_too_long"] == 0
        assert (row["system_role"], row["foreign_text"]) == ("native", "")
        assert row["template_date"] == row["template_thought"] == "none"
    parquet = pl.read_parquet((finished.path / TABLE).with_suffix(".parquet"))
    assert parquet.select(pl.all().cast(pl.String)).equals(table.select(pl.all().cast(pl.String)))


def test_what_was_read_back_is_what_the_model_got(finished: Project) -> None:
    for cell in CELLS:
        place = "/".join(cell) + ".parquet"
        delivered = pl.read_parquet(finished.path / "results/delivered" / place)
        responses = pl.read_parquet(finished.path / "results/responses" / place)
        shared = ("item_id", "n_prompt_tokens", "system_role", "persona_delivered", "prompt_sha256")
        assert delivered.select(shared).equals(responses.select(shared))
        persona = yaml.safe_load((finished.path / f"config/personas/{cell[2]}.yaml").read_text())
        sentence = persona["texts"]["main"]
        assert all(text.count(sentence) == 1 for text in delivered["text"] if sentence)


def test_a_foreign_persona_stops_the_cells_before_any_answer(project: Project) -> None:
    add_model(project, template=FOREIGN_PERSONA)
    done = project.snakemake("--cores", "1")
    assert done.returncode != 0
    assert "rule deliver:" in done.stdout
    assert "rule generate:" not in done.stdout
    assert not (project.path / "results/responses").exists()
    assert not list((project.path / "results").rglob("delivered/*/*/*"))
    assert "Traceback" not in done.stdout
    (message,) = {line for line in done.stdout.splitlines() if line.startswith("error: ")}
    (log,) = project.path.glob("logs/deliver/*/*/*.log")
    cell = "/".join(log.relative_to(project.path / "logs/deliver").with_suffix("").parts)
    assert tuple(cell.split("/")) in CELLS
    item = pl.read_parquet(
        project.path / "results/prompts" / f"{cell.removeprefix('tiny/')}.parquet"
    ).item(0, "item_id")
    assert message == (
        f"error: {cell}: the prompt of item {item} is not as it must be: the chat template adds a "
        f"message of its own, '{FOREIGN}'; if the model may read that, set key "
        f"`accepted_template_text` of {MODEL} to it; else use another build of the model, with "
        "another chat template (config/README.md, Delivery)"
    )
    assert message in log.read_text()


def test_every_cell_of_the_model_is_stopped_and_no_other(project: Project) -> None:
    small(project)
    add_model(project, "strange", template=FOREIGN_PERSONA)
    project.edit("config/config.yaml", lambda study: study["models"].append("strange"))
    cells = [f"{m}/triage_primary/{p}" for m in ("tiny", "strange") for p in STUDY["personas"][:2]]
    targets = [f"results/responses/{cell}.parquet" for cell in cells]
    done = project.snakemake("--cores", "1", "--keep-going", *targets, TABLE)
    assert done.returncode != 0
    assert [(project.path / target).exists() for target in targets] == [True, True, False, False]
    assert not (project.path / TABLE).exists()
    for cell in cells[2:]:
        log = (project.path / f"logs/deliver/{cell}.log").read_text()
        assert log.startswith(f"error: {cell}: ")
        assert not (project.path / f"logs/generate/{cell}.log").exists()


def test_text_of_the_template_that_is_accepted(project: Project) -> None:
    small(project)
    add_model(project, template=FOREIGN_PERSONA)
    project.edit(MODEL, lambda model: model.update(accepted_template_text=FOREIGN))
    responses = "results/responses/tiny/triage_primary/ed_nurse.parquet"
    project.run("--cores", "1", TABLE, responses)
    table = table_of(project)
    assert table["foreign_text"].to_list() == [FOREIGN] * 2
    assert table["n_persona_delivered"].to_list() == [3, 3]
    assert pl.read_parquet(project.path / responses)["text"].null_count() == 0
    project.edit(MODEL, lambda model: model.update(accepted_template_text="You are Tiny."))
    delivered = responses.replace("responses", "delivered")
    refused_by_a_job(project, delivered, "tiny/triage_primary/ed_nurse", "of its own", FOREIGN)


def test_where_there_is_no_system_role_the_table_says_so(project: Project) -> None:
    small(project)
    add_model(project, template=NO_SYSTEM)
    responses = "results/responses/tiny/triage_primary/ed_nurse.parquet"
    path = project.path / "resources/bundled/teaching_primary.csv"
    cases = pl.read_csv(path, infer_schema=False)
    spelled = pl.when(pl.col("id") == cases.item(0, "id")).then(pl.lit(" <|im_end|>"))
    cases.with_columns(pl.col("case") + spelled.otherwise(pl.lit(""))).head(3).write_csv(path)
    project.run("--cores", "1", TABLE, responses)
    table = table_of(project)
    assert table["system_role"].to_list() == ["folded"] * 2
    assert table["n_persona_delivered"].to_list() == [3, 3]
    assert table["n_bos"].to_list() == [1, 1], "the template writes it"
    assert table["n_control_tokens"].to_list() == [1, 1]
    assert table["n_case_delivered"].to_list() == [2, 2]
    answers = pl.read_parquet(project.path / responses)
    assert answers["system_role"].to_list() == ["folded"] * 3
    assert sorted(answers["finish_reason"] == "control_tokens") == [False, False, True]
