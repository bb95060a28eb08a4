"""What adapters are trained on and what a study asks about have no item in common."""

from __future__ import annotations

import csv
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from project import STUDY, Project, add_model, new_project
from refusals import open_here, refused, set_key
from stub_training import add_trained, keep_for_training

from persona_paradox.data.items import read_items
from persona_paradox.data.split import REST, TRAINING, is_drawn, split_by
from persona_paradox.errors import InputError
from persona_paradox.study.leakage import shared
from persona_paradox.study.training_views import split_view

N = 40


def dataset(**keys: Any) -> dict[str, Any]:
    """A data set as its file says, with its defaults."""
    source = {"kind": "path", "path": "rows.csv", "sha256": keys.pop("sha256", "0" * 64)}
    columns = {
        "item_id": keys.pop("item_id", {"column": "id"}),
        "case": {"column": "text"},
        "never_shown": [],
        "keep": ["row", "patient"],
        "cluster": keys.pop("cluster", None),
    }
    form = {"kind": "csv", "separator": ",", "encoding": "utf-8", "missing": []}
    return {"source": source, "format": form, "columns": columns} | keys


def write_rows(path: Path, order: list[int] | None = None) -> None:
    """Visits of patients, about two each; some of nobody."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "row", "patient", "odd"])
        for row in order or range(N):
            patient = f"p{row // 2}" if row % 7 else ""
            writer.writerow([f"v{row}", f"Visit {row}.", row, patient, row % 2])


def rows_of(path: Path, id_: str, spec: dict[str, Any]) -> pl.DataFrame:
    """The rows of a data set as they are read: `item_id`, `row` and `patient`."""
    reading = {key: spec[key] for key in ("source", "format", "columns", "where") if key in spec}
    items, _ = read_items([path], reading | split_view(id_, spec), "config/datasets/visits.yaml")
    return items.select("item_id", "row", "patient")


@pytest.mark.parametrize("cluster", [None, "patient"])
def test_a_split_takes_every_item_to_one_side(tmp_path: Path, cluster: str | None) -> None:
    write_rows(tmp_path / "rows.csv")
    spec = dataset(cluster=cluster, training={"share": 0.5, "seed": 3})
    rest, taught = (rows_of(tmp_path / "rows.csv", f"visits{at}", spec) for at in ("", "@training"))
    assert sorted([*rest["row"], *taught["row"]], key=int) == [str(row) for row in range(N)]
    assert not rest.is_empty()
    assert not taught.is_empty()
    shared_patients = set(rest["patient"].drop_nulls()) & set(taught["patient"].drop_nulls())
    assert bool(shared_patients) == (cluster is None)


def test_a_split_is_the_same_in_another_order_and_beside_other_rows(tmp_path: Path) -> None:
    spec = dataset(training={"share": 0.5, "seed": 3})
    found = []
    for name, order in (
        ("rows", list(range(N))),
        ("mixed", random.Random(0).sample(range(N), N)),
        ("more", list(range(N + 20))),
    ):
        write_rows(tmp_path / f"{name}.csv", order)
        ids = set(rows_of(tmp_path / f"{name}.csv", "visits@training", spec)["item_id"])
        found.append(ids & {f"v{row}" for row in range(N)})
    assert found[0] == found[1] == found[2]
    other = dataset(training={"share": 0.5, "seed": 4})
    write_rows(tmp_path / "rows.csv")
    assert set(rows_of(tmp_path / "rows.csv", "visits@training", other)["item_id"]) != found[0]


def test_a_larger_share_has_all_of_a_smaller_one_and_about_as_many_as_it_says() -> None:
    keys = [f"item_{number}" for number in range(4000)]
    small, large = ({key for key in keys if is_drawn(key, share, 1)} for share in (0.25, 0.6))
    assert small < large
    # Five standard deviations of a binomial.
    assert abs(len(small) - 1000) < 5 * (4000 * 0.25 * 0.75) ** 0.5
    assert {key for key in keys if is_drawn(key, 1.0, 1)} == set(keys)


def test_a_side_without_rows_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [0, 1])
    spec = dataset(training={"share": 1.0, "seed": 1})
    with pytest.raises(InputError, match="key `training` leaves none of 2 rows"):
        rows_of(tmp_path / "rows.csv", "visits", spec)


def test_pairs_that_are_made_by_rule_are_split_by_the_row_that_they_are_made_of() -> None:
    assert split_by({"cluster": "pair", "keep": [], "plant": {}}) is None
    assert split_by({"cluster": "pair", "keep": [], "pair": {"column": "which"}}) == "which"
    assert split_by({"cluster": "patient", "keep": ["patient"]}) == "patient"


SPLITS = st.builds(
    lambda share, seed: {"share": share, "seed": seed},
    st.sampled_from([0.2, 0.5, 0.8]),
    st.integers(1, 2),
)
DATASETS = st.builds(
    dataset,
    item_id=st.sampled_from([{"column": "id"}, {"prefix": "v_"}, {"prefix": "w_"}]),
    cluster=st.sampled_from([None, "patient"]),
    where=st.sampled_from([{}, {"odd": "1"}, {"odd": {"not": "1"}}]),
    training=SPLITS,
)


@settings(max_examples=150, deadline=None)
@given(first=DATASETS, second=DATASETS, split=st.booleans())
def test_what_is_not_refused_shares_no_row(
    tmp_path_factory: pytest.TempPathFactory, first: dict, second: dict, split: bool
) -> None:
    """Of two data sets that are made of one file: rows that one trains on, and the other asks."""
    path = tmp_path_factory.getbasetemp() / "visits.csv"
    if not path.exists():
        write_rows(path)
    measured = second if split else {k: v for k, v in second.items() if k != "training"}
    if shared("taught", first, "asked", measured) is not None:
        return
    try:
        taught = rows_of(path, "taught@training", first)
        asked = rows_of(path, "asked", measured)
    except InputError:
        # A side without rows.
        return
    assert not set(taught["row"]) & set(asked["row"])
    if first["columns"]["cluster"] and measured["columns"]["cluster"]:
        assert not set(taught["patient"].drop_nulls()) & set(asked["patient"].drop_nulls())


@given(spec=DATASETS)
@settings(max_examples=30, deadline=None)
def test_a_data_set_split_like_another_of_its_file_is_not_refused(spec: dict) -> None:
    other = deepcopy(spec) | {"where": {"odd": "1"}}
    assert shared("taught", spec, "asked", other) is None
    assert (
        shared(
            "taught",
            spec,
            "asked",
            dataset(sha256="1" * 64) | {"source": {"kind": "path", "path": "else.csv"}},
        )
        is None
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study of an adapter that is to be trained. Not to be changed."""
    path = tmp_path_factory.mktemp("leakage")
    made = new_project(path)
    add_model(made)
    study = STUDY | {"models": ["tiny@taught"], "tasks": ["triage_ed"]}
    made.edit("config/config.yaml", lambda content: (content.clear(), content.update(study)))
    keep_for_training(made, "teaching_ed")
    add_trained(made, "taught", [{"task": "triage_ed", "personas": ["no_persona"]}])
    return made


TAUGHT = "config/adapters/taught.yaml"
ED, IDENTITY = (f"config/datasets/{id_}.yaml" for id_ in ("teaching_ed", "teaching_ed_identity"))


def in_training(*path: str | int, value: object):
    return set_key(TAUGHT, "training", *path, value=value)


def test_a_study_opens_that_asks_about_the_other_items(project: Project, tmp_path: Path) -> None:
    views = open_here(project.copy(tmp_path / "copy"))
    assert "training/taught" in views
    assert "prompts/triage_ed@training" in views


SOURCE = {"kind": "path", "path": "tiny.gguf", "sha256": "0" * 64}

INITIATIVE = {"task": "initiative_teaching", "personas": ["no_persona"]}

REFUSED = [
    (set_key(ED, "training", "share", value=1), "`training.share`", "take the task out"),
    (set_key(ED, "training", "share", value=0), "`training.share`", "more than 0"),
    (set_key("config/config.yaml", "tasks", value=["triage_ed@training"]), "no such arm"),
    (in_training("method", value="grpo"), "`training.method`", "one of sft, dpo, kto"),
    (in_training("method", value="dpo"), "`training.method`", "use sft"),
    (in_training("data", 0, "task", value="nothing"), TAUGHT, "'nothing'", "known ids"),
    (in_training("data", 0, "personas", value=["nobody"]), TAUGHT, "'nobody'", "known ids"),
    (in_training("data", 0, "task", value="triage_primary"), "key `training` with the `share`"),
    (in_training("data", 0, "task", value="cares_teaching"), "has no reference"),
    (in_training("data", 0, "task", value="triage_ed_rationale"), "`rationale`", "without"),
    (in_training("data", 0, value={"task": "triage_ed"}), "`training.data.0`", "key `file`"),
    (in_training("data", value=[{"file": "resources/no.jsonl"}]), "`file`", "does not exist"),
    (in_training("data", 0, "behaviour", value="proactive"), "`behaviour`", "'triage'", "take the"),
    (in_training("data", value=[INITIATIVE]), "`behaviour`", "reactive, conditional, proactive"),
    (in_training("data", value=[INITIATIVE | {"behaviour": "bold"}]), "`behaviour`", "'bold'"),
    (set_key(TAUGHT, "source", value=SOURCE), TAUGHT, "either key `source`"),
    (set_key(TAUGHT, "base", value="smollm2_135m_instruct"), TAUGHT, "key `base`"),
]


def test_what_cannot_be_trained_is_refused(project: Project, tmp_path: Path) -> None:
    changed = project.copy(tmp_path / "copy")
    files = [changed.path / name for name in (TAUGHT, ED, "config/config.yaml")]
    before = {file: file.read_text() for file in files}
    for change, *words in REFUSED:
        change(changed)
        refused(changed, *words)
        for file, text in before.items():
            file.write_text(text)


def test_a_task_about_another_set_of_the_same_file_is_refused(
    project: Project, tmp_path: Path
) -> None:
    copy = project.copy(tmp_path / "copy")
    # The same cases, as another data set.
    again = copy.path / "config/datasets/again.yaml"
    again.write_text((copy.path / ED).read_text().replace("title: ED", "title: Again, ED"))
    copy.edit("config/datasets/again.yaml", lambda spec: spec.pop("training"))
    task = (copy.path / "config/tasks/triage_ed.yaml").read_text()
    (copy.path / "config/tasks/triage_again.yaml").write_text(task)
    change = {"dataset": "again", "title": "Again"}
    copy.edit("config/tasks/triage_again.yaml", lambda spec: spec.update(change))
    copy.edit("config/config.yaml", lambda study: study.update(tasks=["triage_again"]))
    refused(copy, "config/tasks/triage_again.yaml", "'taught'", "read one file", "the same key")
    keep_for_training(copy, "again", seed=2)
    refused(copy, "split it differently")
    keep_for_training(copy, "again", share=0.25)
    refused(copy, "split it differently")
    keep_for_training(copy, "again", share=0.75)
    open_here(copy)
    keep_for_training(copy, "again")
    copy.edit("config/datasets/again.yaml", lambda spec: spec["columns"].update(cluster="sex"))
    refused(copy, "differ in key `columns.cluster`")


def test_a_task_about_a_file_of_examples_is_refused(project: Project, tmp_path: Path) -> None:
    copy = project.copy(tmp_path / "copy")
    in_training("data", value=[{"file": "resources/bundled/teaching_ed.csv"}])(copy)
    refused(copy, "config/tasks/triage_ed.yaml", "'taught'", "resources/bundled/teaching_ed.csv")


def test_sides_are_told_in_the_view_of_a_data_set(project: Project) -> None:
    spec = dataset(training={"share": 1, "seed": 1})
    assert split_view("visits", spec)["training"]["part"] == REST
    assert split_view("visits@training", spec)["training"]["part"] == TRAINING
    # 1 and 1.0 are one share.
    assert repr(split_view("visits", spec)["training"]["share"]) == "1.0"
    assert split_view("visits", dataset()) == {}
