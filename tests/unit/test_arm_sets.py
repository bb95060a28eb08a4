"""Sets of arms: what a set makes of its arm for every task that names it, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema
from persona_paradox.study.arm_sets import arms_of
from persona_paradox.study.arms import datasets_of, tasks_of, view_of

SET = """
title: Who says that there is no time
arm:
  rule: append
  text: "{speaker} {saying} (item {number})"
  about: {attribute: time}
factors:
  speaker:
    nurse: {title: by the nurse, text: The nurse}
    nobody: ""
  saying:
    hurry: {title: hurry, text: "says to {speaker}: hurry."}
    wait: {text: "says: wait {long}.", arm: {at: beginning, about: {level: "-2"}}}
  long:
    hour: an hour
    day: a day
except: ["*_hurry_day"]
"""


def content(**change: Any) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(SET) | change
    check_schema(made, "arm_set", "config/arm_sets/time.yaml")
    return made


def test_arms_are_all_combinations_that_are_left_with_the_keys_of_their_levels() -> None:
    made = arms_of("time", content())
    assert list(made) == [
        f"time_{part}"
        for part in (
            "nurse_hurry_hour",
            "nurse_wait_hour",
            "nurse_wait_day",
            "nobody_hurry_hour",
            "nobody_wait_hour",
            "nobody_wait_day",
        )
    ]
    # Places of later factors are filled, that of an earlier one and the rule's own are left.
    assert made["time_nurse_wait_day"] == {
        "rule": "append",
        "text": "The nurse says: wait a day. (item {number})",
        "at": "beginning",
        "separator": " ",
        "title": "by the nurse, wait, day",
        "about": {
            "attribute": "time",
            "speaker": "nurse",
            "saying": "wait",
            "long": "day",
            "level": "-2",
        },
        "set": "time",
    }
    assert made["time_nobody_hurry_hour"]["text"] == "says to {speaker}: hurry. (item {number})"
    assert made["time_nobody_hurry_hour"]["at"] == "end"


def test_a_level_may_have_a_rule_of_its_own() -> None:
    made: dict[str, Any] = {
        "title": "Two rules",
        "factors": {
            "kind": {
                "more": {"arm": {"rule": "append", "text": "Hurry."}},
                "other": {"arm": {"rule": "replace", "pairs": [{"find": "a", "with": "b"}]}},
            }
        },
    }
    check_schema(made, "arm_set", "config/arm_sets/two.yaml")
    arms = arms_of("two", made)
    assert [arm["rule"] for arm in arms.values()] == ["append", "replace"]
    assert arms["two_more"]["about"] == {"kind": "more"}


TASKS: dict[str, dict[str, Any]] = {
    id_: {
        "title": id_,
        "kind": "triage",
        "dataset": "cases",
        "arms": {"late": {"title": "late", "rule": "append", "text": "It is late."}},
        "arm_sets": ["time"],
    }
    for id_ in ("one", "two")
}
DATASETS = {"cases": {"title": "Cases", "columns": {"case": {"column": "text"}}}}


def test_every_task_that_names_the_set_has_its_arms() -> None:
    tasks = tasks_of(["one@all", "two@time_nurse_*"], TASKS, {"time": content()})
    assert len(tasks) == 1 + 1 + 6 + 3
    arm = tasks["one@time_nurse_wait_day"]
    assert arm["title"] == "one, by the nurse, wait, day"
    assert not {"arms", "arm_sets"} & arm.keys()
    assert arm["arm"]["about"]["level"] == "-2"
    made = datasets_of(tasks, DATASETS)["cases@time_nurse_wait_day"]
    assert made["arm"]["name"] == "config/arm_sets/time.yaml: arm 'nurse_wait_day'"
    # What an arm is about, its title and its set change no item.
    assert view_of("cases@time_nurse_wait_day", made)["arm"] == {
        "rule": "append",
        "text": "The nurse says: wait a day. (item {number})",
        "at": "beginning",
        "separator": " ",
    }


def test_an_arm_of_a_set_does_not_take_the_place_of_one_of_the_task() -> None:
    tasks = deepcopy(TASKS)
    tasks["one"]["arms"]["time_nurse_wait_day"] = tasks["one"]["arms"]["late"]
    with pytest.raises(InputError) as told:
        tasks_of(["one"], tasks, {"time": content()})
    for word in ("config/tasks/one.yaml", "`arm_sets`", "'time_nurse_wait_day'", "rename"):
        assert word in str(told.value)


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
    "no rule": (
        lambda made: made["arm"].pop("rule"),
        ("'nurse_hurry_hour'", "no rule", "`arm`"),
    ),
    "an unknown rule": (
        lambda made: made["arm"].update(rule="shorten"),
        ("'nurse_hurry_hour'", "'shorten'", "append"),
    ),
    "a key that the rule has not": (
        lambda made: made["factors"]["saying"]["wait"]["arm"].update(where="here"),
        ("'nurse_wait_hour'", "'where'"),
    ),
    "a title of all": (lambda made: made["arm"].update(title="time"), ("`title`", "share")),
    "a factor without a place": (
        lambda made: made["arm"].update(text="{saying}"),
        ("nurse_hurry_hour and nobody_hurry_hour", "same change", "place"),
    ),
    "the same title": (
        lambda made: made.update(title_template="{speaker}, {saying}"),
        ("nurse_wait_hour and nurse_wait_day", "same title", "title_template"),
    ),
    "an unknown part": (
        lambda made: made.update({"except": ["*_noon"]}),
        ("`except`", "'*_noon'", "nurse_hurry_hour"),
    ),
    "too many": (
        lambda made: made["factors"].update(
            {name: {f"l_{i}": str(i) for i in range(32)} for name in ("speaker", "saying")}
        ),
        ("2048 arms", "1000"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_set_that_is_not_as_it_must_be_is_refused_in_a_sentence(what: str) -> None:
    change, words = REFUSED[what]
    made = content()
    change(made)
    with pytest.raises(InputError) as told:
        arms_of("time", made)
    said = str(told.value)
    assert said.startswith("config/arm_sets/time.yaml: ")
    assert "\n" not in said
    for word in words:
        assert word in said
