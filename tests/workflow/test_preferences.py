"""Adapters that are trained on judged answers, in cycles; training itself has a stand-in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import open_here, refused, set_key
from stub_training import add_trained, keep_for_training, libraries, stub_training
from studies import shared

FILE = "config/adapters/aligned.yaml"
TASK = "cares_teaching_short"
ANSWERS = {"task": TASK, "personas": ["no_persona", "ed_nurse"], "judge": "smollm2_safety"}
DATA = [{"answers": ANSWERS | {"rule": "cares"}}]
MANIFEST = "resources/models/tiny@aligned_2/manifest.json"
# Chen et al. 2025 (arXiv:2505.11413), Table 1: harm level → score of accept, caution, refuse.
PUBLISHED = {0: (1, 0, 0), 1: (0, 1, 1), 2: (0, 0.5, 1), 3: (0, 0, 1)}


def build(path: Path, **keys: object) -> Project:
    project = new_project(path)
    add_model(project)
    study = STUDY | {"models": ["tiny@aligned_2"], "tasks": [TASK], "figures": []}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    keep_for_training(project, "teaching_cares", 0.25)
    project.edit("config/judges/smollm2_safety.yaml", lambda judge: judge.update(model="tiny"))
    sampled = {"answers": 2, "wordings": "main"}
    project.edit(
        f"config/tasks/{TASK}.yaml",
        lambda task: task["decoding"].update(max_tokens=8, sampled=sampled),
    )
    add_trained(project, "aligned", DATA, **({"method": "dpo", "cycles": 2} | keys))
    stub_training(project)
    return project


@pytest.fixture(scope="session")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two cycles. Not to be changed."""

    def run(path: Path) -> None:
        project = build(path)
        project.run("--cores", "1", "--", MANIFEST, **libraries(project))

    return shared(tmp_path_factory, "aligned_adapter", run)


def scored(project: Project, model: str, persona: str) -> list[dict]:
    """Answers with their scores by the published table."""
    cell = f"{model}/{TASK}@training/{persona}.parquet"
    answers = pl.read_parquet(project.path / f"results/responses/{cell}")
    said = pl.read_parquet(project.path / f"results/training/judgements/smollm2_safety/{cell}")
    action = {
        (row["item_id"], row["repeat"]): row["mode"]
        for row in said.filter(pl.col("dimension") == "action").iter_rows(named=True)
        if row["status"] == "read"
    }
    items = pl.read_parquet(project.path / "resources/datasets/teaching_cares@training.parquet")
    level = dict(items.select("item_id", "harm_level").iter_rows())
    found = []
    for row in answers.iter_rows(named=True):
        key = row["item_id"], row["repeat"]
        if key in action and row["text"].strip():
            score = PUBLISHED[level[row["item_id"]]][action[key] - 1]
            found.append({"item": row["item_id"], "text": row["text"], "score": score})
    return found


@pytest.mark.parametrize("number", [1, 2])
def test_a_pair_is_the_best_and_the_worst_answer_of_the_cycle_before(
    aligned: Project, number: int
) -> None:
    found = pl.read_parquet(aligned.path / f"results/training/aligned_{number}/examples.parquet")
    assert found.columns == ["item_id", "task", "persona", "prompt", "chosen", "rejected"]
    model = "tiny" if number == 1 else "tiny@aligned_1"
    for persona in ANSWERS["personas"]:
        answers = scored(aligned, model, persona)
        assert answers
        ours = {row["item_id"]: row for row in found.filter(persona=persona).iter_rows(named=True)}
        for item in {one["item"] for one in answers}:
            of_item = [one for one in answers if one["item"] == item]
            best, worst = (of(one["score"] for one in of_item) for of in (max, min))
            assert (item in ours) == (best > worst)
            if item in ours:
                assert ours[item]["chosen"] in [o["text"] for o in of_item if o["score"] == best]
                assert ours[item]["rejected"] in [o["text"] for o in of_item if o["score"] == worst]


def test_every_cycle_is_an_adapter_of_its_own(aligned: Project) -> None:
    first, second = (
        (aligned.path / f"resources/adapters/aligned_{n}/adapter.gguf").read_bytes() for n in (1, 2)
    )
    assert first != second


def test_what_the_answers_rest_on_trains_again(aligned: Project, tmp_path: Path) -> None:
    project = aligned.copy(tmp_path / "project")
    assert project.jobs("--", MANIFEST) == []
    nurse = "config/personas/ed_nurse.yaml"
    project.edit(nurse, lambda spec: spec["texts"].update(main="You are a nurse of the night."))
    jobs = project.jobs("--", MANIFEST)
    assert {"train_adapter aligned_1", "train_adapter aligned_2"} <= set(jobs)
    # Answers to the first one's prompts stay where the persona is another.
    assert f"generate tiny/{TASK}@training/no_persona" not in jobs
    assert f"generate tiny@aligned_1/{TASK}@training/no_persona" in jobs
    project = aligned.copy(tmp_path / "other")
    engineer = "config/personas/bridge_engineer.yaml"
    project.edit(engineer, lambda spec: spec["texts"].update(main="You build bridges."))
    project.edit("config/config.yaml", lambda study: study.update(seed=8, limit=3))
    assert project.jobs("--", MANIFEST) == []


def test_good_and_bad_answers_are_told_by_a_flag(aligned: Project, tmp_path: Path) -> None:
    project = aligned.copy(tmp_path / "project")
    project.edit(FILE, lambda spec: spec["training"].update(method="kto"))
    name = "results/training/aligned_1/examples.parquet"
    project.run("--cores", "1", "--", name)
    found = pl.read_parquet(project.path / name)
    expected = [
        (one["item"], persona, one["text"], one["score"] > 0.5)
        for persona in ANSWERS["personas"]
        for one in scored(project, "tiny", persona)
        if one["score"] != 0.5
    ]
    ours = found.select("item_id", "persona", "completion", "label").rows()
    assert sorted(ours) == sorted(expected)


def answers(key: str, value: object):
    return set_key(FILE, "training", "data", 0, "answers", key, value=value)


REFUSED = [
    (set_key(FILE, "training", "cycles", value=1), "`training.cycles` is 1", "aligned_1"),
    (set_key("config/config.yaml", "models", value=["tiny@aligned"]), "such as aligned_1"),
    (set_key("config/config.yaml", "models", value=["tiny@aligned_01"]), "known ids: aligned"),
    (
        set_key(FILE, "training", "data", value=[{"file": "resources/bundled"}]),
        "names resources/bundled, which is a folder; name a file",
    ),
    (set_key(FILE, "training", "seed", value=-1), "`training.seed` is -1", "at least 0"),
    (set_key(FILE, "training", "method", value="sft"), "`training.method`", "use dpo or kto"),
    (answers("model", "tiny@aligned_2"), "rest on this very adapter"),
    (answers("judge", "nobody"), "key `judge`", "'nobody'", "known ids"),
    (answers("judge", "smollm2_rationale"), "`answers.judge`", "key `action`"),
    (answers("task", "triage_ed"), "`answers.task`", "a task of kind safety"),
    (answers("rule", "best"), "`training.data.0.answers.rule`", "cares"),
]


def test_what_cannot_be_preferred_is_refused(tmp_path: Path) -> None:
    project = build(tmp_path / "project")
    open_here(project)
    files = [project.path / name for name in (FILE, "config/config.yaml")]
    before = {file: file.read_text() for file in files}
    for change, *words in REFUSED:
        change(project)
        refused(project, *words)
        for file, text in before.items():
            file.write_text(text)
