"""Arms of tasks: which tasks and data sets a study gets of what a task's file declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from persona_paradox.errors import InputError
from persona_paradox.study import arm_rules
from persona_paradox.study.arm_rules import rules
from persona_paradox.study.arms import check_arms, datasets_of, tasks_of, view_of
from persona_paradox.study.inventory import restricted, restricted_tasks
from persona_paradox.study.study import Study

ARMS = {
    "late": {"title": "late", "rule": "append", "text": "It is late."},
    "early": {"title": "early", "rule": "append", "text": "It is early."},
}
TASKS: dict[str, dict[str, Any]] = {
    "one": {"title": "One", "kind": "triage", "dataset": "cases", "arms": ARMS, "user": "{case}"},
    "two": {"title": "Two", "kind": "triage", "dataset": "cases", "arms": {}},
}
DATASETS = {
    "cases": {
        "title": "Cases",
        "licence": {"id": "X", "redistribution": False},
        "columns": {"case": {"column": "text"}, "cluster": "patient", "human": [{"id": "nurse"}]},
        "subgroups": [{"id": "age"}],
        "source": {"kind": "path", "path": "cases.csv"},
    }
}


def study(*wanted: str, **settings: Any) -> Study:
    tasks = tasks_of(wanted, TASKS, {})
    return Study(
        settings={"limit": 5, "limits": {"one": 3}, **settings},
        models={},
        tasks=tasks,
        personas={},
        datasets=datasets_of(tasks, DATASETS),
    )


@pytest.mark.parametrize(
    ("wanted", "tasks"),
    [
        (["one"], ["one"]),
        (["one@all"], ["one", "one@late", "one@early"]),
        (["two", "one@early"], ["two", "one@early"]),
        (["one@early", "one@all", "two@all"], ["one@early", "one", "one@late", "two"]),
        (["one@*", "one"], ["one@late", "one@early", "one"]),
        (["one@e*y", "one@*a*"], ["one@early", "one@late"]),
    ],
)
def test_a_study_has_the_tasks_that_it_names_in_its_order(
    wanted: list[str], tasks: list[str]
) -> None:
    assert list(tasks_of(wanted, TASKS, {})) == tasks


def test_an_arm_is_its_base_with_a_title_and_a_data_set_of_its_own() -> None:
    arm = tasks_of(["one@late"], TASKS, {})["one@late"]
    assert (arm["title"], arm["dataset"], arm["user"]) == ("One, late", "cases@late", "{case}")
    assert (arm["arm"]["base"], arm["arm"]["id"]) == ("one", "late")
    assert "arms" not in arm


def test_the_data_set_of_an_arm_inherits_all_but_its_human_raters() -> None:
    made = study("one@late").datasets
    # The base is needed, though no task reads it.
    assert list(made) == ["cases", "cases@late"]
    base, arm = made.values()
    for key in ("licence", "subgroups", "source"):
        assert arm[key] == base[key]
    assert arm["columns"] == base["columns"] | {"human": []}
    assert base["columns"]["human"]


def test_what_may_not_be_passed_on_of_the_base_may_not_be_of_its_arms() -> None:
    made = study("one@late", "two")
    assert restricted(made) == ["cases", "cases@late"]
    assert restricted_tasks(made) == ["one@late", "two"]


def test_an_arm_has_the_limit_of_its_base() -> None:
    made = study("one@late", "two")
    assert [made.limit_of(task) for task in made.tasks] == [3, 5]


def test_a_title_is_no_part_of_what_an_arm_depends_on() -> None:
    made = study("one@late").datasets["cases@late"]
    view = view_of("cases@late", made)
    assert view["arm"] == {"rule": "append", "text": "It is late."}
    assert view["base"] == "cases"
    assert "seed" not in view


def test_a_rule_without_keys_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_rules, "RULES", tmp_path)
    (tmp_path / "shorten.py").touch()
    with pytest.raises(InputError, match=r"shorten\.py: .* write shorten\.schema\.yaml beside it"):
        check_arms("task", {"short": {"rule": "shorten"}})


def test_arms_of_one_name_on_one_data_set_are_one_change() -> None:
    other = {"title": "later", "rule": "append", "text": "It is late."}
    tasks = TASKS | {"two": TASKS["two"] | {"arms": {"late": other}}}
    assert len(tasks_of(["one@late", "two@late"], tasks, {})) == 2
    other["text"] = "It is very late."
    with pytest.raises(InputError) as told:
        tasks_of(["one@late", "two@late"], tasks, {})
    for word in ("config/tasks/two.yaml", "`arms.late`", "config/tasks/one.yaml", "rename"):
        assert word in str(told.value)


def test_an_id_that_is_too_long_for_files_is_refused() -> None:
    tasks = {"one": TASKS["one"] | {"arms": {"a" * 98: ARMS["late"]}}}
    with pytest.raises(InputError, match="more than 100 characters"):
        tasks_of(["one@all"], tasks, {})


def test_rules_are_found_by_their_files() -> None:
    assert {"append", "field", "replace", "turns"} <= {*rules()}


def test_a_pattern_that_fits_no_arm_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError) as told:
        tasks_of(["one@night*"], TASKS, {})
    for word in ("'one@night*'", "one@all", "one@late", "one@early"):
        assert word in str(told.value)
