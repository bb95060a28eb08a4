"""A study of arms: from a task to answers, what an edited arm runs again, and its archive."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import refused
from studies import shared

TASK = "config/tasks/triage_ed.yaml"
ARMS = {
    "hurried": {"title": "hurried", "rule": "append", "text": "There is no time."},
    "short": {
        "title": "short",
        "rule": "replace",
        "pairs": [{"find": "heart rate", "with": "HR"}],
    },
}
PERSONAS = ["no_persona", "roles@nurse_plain_any_calm"]
TASKS = ["triage_ed", "triage_ed@hurried", "triage_ed@short"]
CELL = "results/{}/tiny/{}/{}.parquet"
STAGES = ("delivered", "responses", "scores")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small study of two arms, whose answers are scored. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        study = STUDY | {"tasks": ["triage_ed@all"], "personas": PERSONAS, "limit": 10}
        study |= {"tables": ["cells"], "figures": [], "audit_sample": 1}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        project.edit(TASK, lambda task: task.update(arms=ARMS, null_cases=["N/A"]))
        project.run("--cores", "2", "--until", "score")

    return shared(tmp_path_factory, "arms", build)


def table(project: Project, stage: str, task: str, persona: str = "no_persona") -> pl.DataFrame:
    return pl.read_parquet(project.path / CELL.format(stage, task, persona))


def items(project: Project, arm: str = "") -> pl.DataFrame:
    return pl.read_parquet(project.path / f"resources/datasets/teaching_ed{arm}.parquet")


def test_an_arm_asks_about_the_items_that_its_base_has(scored: Project) -> None:
    base = table(scored, "delivered", "triage_ed")
    assert len(base) == 10 + 1
    for task in TASKS[1:]:
        arm = table(scored, "delivered", task)
        assert arm["item_id"].to_list() == base["item_id"].to_list()
        assert arm["case_delivered"].all()
        assert arm["persona_delivered"].all()
    hurried = table(scored, "delivered", "triage_ed@hurried")
    for row in hurried.iter_rows(named=True):
        assert ("There is no time." in row["text"]) == (not row["item_id"].startswith("null:"))


def test_answers_to_what_a_rule_leaves_come_from_the_store(scored: Project) -> None:
    arm = items(scored, "@short")
    base = items(scored)
    assert 0 < arm["changed"].sum() < arm.height
    assert (arm["case"] != base["case"]).to_list() == arm["changed"].to_list()
    on = ["item_id", "variant"]
    both = table(scored, "responses", "triage_ed").join(
        table(scored, "responses", "triage_ed@short"), on=on, suffix="_arm"
    )
    same = both["response_key"] == both["response_key_arm"]
    changed = both.join(arm.select("item_id", "changed"), on="item_id", how="left")["changed"]
    # Null cases are those of the base.
    assert same.to_list() == (~changed.fill_null(value=False)).to_list()
    assert same.any()
    assert not same.all()


def test_an_edited_arm_runs_its_own_cells_again_and_no_others(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "edited")
    targets = [CELL.format("scores", task, persona) for task in TASKS for persona in PERSONAS]
    assert project.jobs("--", *targets) == []
    project.edit(TASK, lambda task: task["arms"]["hurried"].update(text="There is no time at all."))
    expected = [
        f"{stage} {'tiny/' * (stage != 'write_prompts')}triage_ed@hurried/{persona}"
        for stage in ("deliver", "generate", "score", "write_prompts")
        for persona in PERSONAS
    ]
    expected.append("perturb teaching_ed@hurried")
    assert project.jobs("--", *targets) == sorted(expected)
    # Only where the rule stands, it is run.
    rule = project.path / "workflow/persona_paradox/data/arms/replace.py"
    rule.write_text(rule.read_text() + "\n# edited\n")
    jobs = project.jobs("--", *targets)
    assert "perturb teaching_ed@short" in jobs
    assert not [job for job in jobs if job.endswith(("triage_ed/no_persona", "teaching_ed"))]
    project.edit(TASK, lambda task: task["arms"]["hurried"].update(ARMS["hurried"], title="quick"))
    assert not [job for job in project.jobs("--", *targets) if "@hurried" in job]


def test_a_new_arm_runs_its_own_cells(scored: Project, tmp_path: Path) -> None:
    project = scored.copy(tmp_path / "more")
    calm = {"title": "calm", "rule": "append", "text": "There is time.", "at": "beginning"}
    project.edit(TASK, lambda task: task["arms"].update(calm=calm))
    targets = [CELL.format("scores", task, "no_persona") for task in (*TASKS, "triage_ed@calm")]
    jobs = project.jobs("--", *targets)
    assert [job for job in jobs if "@calm" not in job] == []
    assert "perturb teaching_ed@calm" in jobs


@pytest.mark.parametrize(
    ("arms", "tasks", "words"),
    [
        (ARMS, ["triage_ed@slow"], ("'triage_ed@slow'", "triage_ed@hurried", "triage_ed@all")),
        (ARMS | {"x": {"title": "x", "rule": "mirror"}}, None, ("'mirror'", "append")),
        (ARMS | {"x": {"title": "x"}}, None, ("arms.x", "lacks the key `rule`")),
        (
            ARMS | {"x": {"title": "x", "rule": "append", "text": "y", "where": 1}},
            None,
            ("config/tasks/triage_ed.yaml: key `arms.x` has the unknown key 'where'",),
        ),
        (ARMS | {"all": ARMS["short"]}, None, ("'all'", "every arm")),
        (ARMS | {"x": ARMS["short"]}, None, ("triage_ed@x", "title", "tell them apart")),
    ],
)
def test_an_arm_that_is_not_as_it_must_be_is_refused_at_once(
    scored: Project, tmp_path: Path, arms: dict, tasks: list[str] | None, words: tuple[str, ...]
) -> None:
    project = scored.copy(tmp_path / "refused")
    # Without aliases.
    project.edit(TASK, lambda task: task.update(arms=json.loads(json.dumps(arms))))
    if tasks is not None:
        project.edit("config/config.yaml", lambda study: study.update(tasks=tasks))
    refused(project, *words)


def test_a_rule_that_cannot_be_used_stops_its_job_in_a_sentence(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "job")
    arm = {"title": "older", "rule": "field", "field": "Age", "value": "82"}
    project.edit(TASK, lambda task: task["arms"].update(older=arm))
    done = project.snakemake("--cores", "1", "resources/datasets/teaching_ed@older.parquet")
    assert done.returncode != 0
    # Snakemake shows the log of a job that failed as well.
    (said,) = {line for line in done.stdout.splitlines() if line.startswith("error: ")}
    for word in ("config/tasks/triage_ed.yaml: key `arms.older`", "`fields`", "'replace'"):
        assert word in said
    assert not (project.path / "resources/datasets/teaching_ed@older.parquet").exists()


def test_contrasts_are_with_the_persona_the_unchanged_case_and_both(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "contrasts")
    project.run("--cores", "2", "results/tables/contrasts.csv")
    contrasts = pl.read_csv(project.path / "results/tables/contrasts.csv")
    found = contrasts.filter(pl.col("metric") == "accuracy", pl.col("confidence").is_null())
    baseline, persona = PERSONAS
    rows = {
        (task, who, against)
        for task, who, against in found.select("task", "persona", "against").iter_rows()
    }
    assert rows == {
        *((task, persona, "persona") for task in TASKS),
        *((task, who, "arm") for task in TASKS[1:] for who in PERSONAS),
        *((task, persona, "both") for task in TASKS[1:]),
    }
    # By hand, from what was answered: only what the rule changed is compared.
    changed = items(project, "@short").select("item_id", "changed")
    sides = {}
    for who in PERSONAS:
        for task in ("triage_ed", "triage_ed@short"):
            scores = table(project, "scores", task, who).filter(
                pl.col("repeat") == 0, ~pl.col("item_id").str.starts_with("null:")
            )
            asked = scores.join(changed, on="item_id").filter("changed")
            sides[task, who] = asked["correct"].mean()
            n = asked.height
    effect = {who: sides["triage_ed@short", who] - sides["triage_ed", who] for who in PERSONAS}
    short = found.filter(pl.col("task") == "triage_ed@short")
    for row in short.filter(pl.col("against") != "persona").iter_rows(named=True):
        assert (row["n"], row["n_unchanged"]) == (n, 10 - n)
        both = row["against"] == "both"
        expected = effect[row["persona"]] - effect[baseline] * both
        assert row["difference"] == pytest.approx(expected)


def test_an_archive_of_arms_and_a_set_is_made_again_from_its_files(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "packed")
    # An arm without its base, of texts that may not be passed on.
    project.edit("config/config.yaml", lambda study: study.update(tasks=["triage_ed@short"]))
    project.edit(
        "config/datasets/teaching_ed.yaml",
        lambda dataset: dataset["licence"].update(redistribution=False),
    )
    project.run("--cores", "2", "results/archive.zip")
    provenance = json.loads((project.path / "results/provenance.json").read_text())
    configured = provenance["configuration"]
    assert list(configured["tasks"]) == ["triage_ed"]
    assert list(configured["datasets"]) == ["teaching_ed"]
    assert json.loads(configured["tasks"]["triage_ed"]["arms"])["short"]["rule"] == "replace"
    assert provenance["datasets"]["teaching_ed@short"]["base"] == "teaching_ed"
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", project.path / "results/archive.zip"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "resources/datasets/teaching_ed@short.manifest.json" in listed
    assert "resources/datasets/teaching_ed@short.parquet" not in listed
    assert "results/scores/tiny/triage_ed@short/roles@nurse_plain_any_calm.parquet" in listed
    verify = project.path / "workflow/scripts/verify.py"
    done = subprocess.run(
        [sys.executable, verify, "results/archive.zip", "--sample", "4"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "nothing differs" in done.stdout


def test_an_arm_is_compared_with_its_base(scored: Project, tmp_path: Path) -> None:
    project = scored.copy(tmp_path / "compared")
    project.run("--cores", "1", "results/tables/contrasts.csv")
    rows = pl.read_parquet(project.path / "results/tables/contrasts.parquet")
    assert set(rows.filter(pl.col("against") != "persona")["task"]) == {*TASKS[1:]}
    for task in TASKS[1:]:
        changed = items(project, "@" + task.partition("@")[2]).select("item_id", "changed")
        for persona in PERSONAS:
            mine, base = (
                table(project, "scores", one, persona).filter(repeat=0) for one in (task, TASKS[0])
            )
            both = mine.join(base, on="item_id", suffix="_base").join(changed, on="item_id")
            kept = both.filter("changed")
            (row,) = rows.filter(
                task=task, persona=persona, against="arm", metric="accuracy"
            ).to_dicts()
            assert (row["n"], row["n_unchanged"]) == (kept.height, both.height - kept.height)
            assert row["value"] == pytest.approx(kept["correct"].mean())
            assert row["baseline_value"] == pytest.approx(kept["correct_base"].mean())
            turned = kept.filter(pl.col("correct") & ~pl.col("correct_base")).height
            assert row["n_wrong_to_right"] == turned
        both = rows.filter(task=task, against="both", metric="accuracy")
        assert both["persona"].to_list() == PERSONAS[1:]


def test_what_an_arm_flips_and_arms_of_one_attribute(scored: Project, tmp_path: Path) -> None:
    project = scored.copy(tmp_path / "flips")
    project.edit(
        TASK,
        lambda task: [
            arm.update(about={"attribute": "wording", "class": id_})
            for id_, arm in task["arms"].items()
        ],
    )
    tables = ["measures", "contrasts", "arm_attributes"]
    project.edit("config/config.yaml", lambda study: study.update(tables=tables))
    project.run("--cores", "2", *(f"results/tables/{name}.parquet" for name in tables))
    measures, contrasts, attributes = (
        pl.read_parquet(project.path / f"results/tables/{name}.parquet") for name in tables
    )
    # Groups of items have their own.
    measures = measures.filter(pl.col("subgroup").is_null())
    levels = {"none": [], "hurried": [], "short": []}
    for persona in PERSONAS:
        sides = {
            task: table(project, "scores", task, persona).filter(repeat=0).sort("item_id")
            for task in TASKS
        }
        changed = {
            arm: items(project, f"@{arm}").filter("changed")["item_id"].to_list() for arm in ARMS
        }
        for arm in ARMS:
            both = (
                sides["triage_ed"]
                .join(sides[f"triage_ed@{arm}"], on="item_id", suffix="_arm")
                .filter(pl.col("item_id").is_in(changed[arm]))
            )
            (row,) = measures.filter(
                task=f"triage_ed@{arm}", persona=persona, metric="flip_rate"
            ).to_dicts()
            assert row["n"] == both.height
            flips = both["label"].ne_missing(both["label_arm"])
            assert row["value"] == pytest.approx(flips.mean())
        shared = sorted(set(changed["hurried"]) & set(changed["short"]))
        for arm, task in zip(levels, TASKS, strict=True):
            of_shared = sides[task].filter(pl.col("item_id").is_in(shared))
            expected = [
                sum(k * p for k, p in enumerate(row)) for row in of_shared["label_probabilities"]
            ]
            levels[arm].append(sum(expected) / len(expected))
            if arm == "none":
                continue
            (row,) = attributes.filter(
                **{"class": arm}, persona=persona, metric="expected_level", measure="mean"
            ).to_dicts()
            assert (row["task"], row["attribute"], row["n_arms"]) == ("triage_ed", "wording", 2)
            asked = {*sides["triage_ed"]["item_id"]}
            assert (row["n"], row["n_left_out"]) == (
                len(asked & {*shared}),
                len(asked - {*shared}),
            )
            assert row["value"] == pytest.approx(levels[arm][-1])
    (gap,) = attributes.filter(
        **{"class": "short"}, persona=PERSONAS[1], metric="expected_level", measure="gap"
    ).to_dicts()
    each = [levels["short"][i] - levels["hurried"][i] for i in (0, 1)]
    assert gap["value"] == pytest.approx(each[1])
    assert gap["difference"] == pytest.approx(each[1] - each[0])
    (row,) = contrasts.filter(task="triage_ed@short", metric="flip_rate").to_dicts()
    assert (row["persona"], row["against"]) == (PERSONAS[1], "persona")
