"""Derived conditions: what a set makes of its sentence, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.identification.blinding import unblinded
from persona_paradox.schema import check_schema
from persona_paradox.study.conditions import bases, personas_of, plain
from persona_paradox.study.identities import identifying

# Personas of the bundled sets.
SIZES = {
    "behaviour": 8,
    "behaviour_control": 3,
    "behaviour_roles": 20,
    "big_five": 20,
    "experts": 13,
    "identities": 18 * 3,
    "identities_nurse": 17 * 3,
    "role_titles": 275,
    "roles": 54,
    "steered_nurse": 6,
}
SETS = sorted((ROOT / "config/persona_sets").glob("*.yaml"))


def shifts() -> dict[str, Any]:
    """A set of six personas, checked."""
    content: dict[str, Any] = {
        "title": "Role and shift",
        "texts": {
            "main": "You are {role} {shift}.",
            "paraphrase_1": "Act {shift}, as {role}.",
        },
        "factors": {
            "role": {"nurse": {"title": "Nurse", "text": "a nurse"}, "medic": "a {shift} medic"},
            "shift": {"day": "by day", "late_night": "late at night", "any": ""},
        },
    }
    check_schema(content, "persona_set", "config/persona_sets/shifts.yaml")
    return content


def made(content: dict[str, Any], *wanted: str) -> dict[str, dict[str, Any]]:
    return personas_of([*wanted] or ["shifts@all"], {}, {"shifts": content})


def test_personas_are_all_combinations_in_the_order_of_levels() -> None:
    found = made(shifts())
    levels = product(("nurse", "medic"), ("day", "late_night", "any"))
    assert list(found) == [f"shifts@{role}_{shift}" for role, shift in levels]
    nurse = found["shifts@nurse_late_night"]
    assert nurse["title"] == "Nurse, late night"
    assert nurse["group"] == "shifts"
    assert nurse["texts"] == {
        "main": "You are a nurse late at night.",
        "paraphrase_1": "Act late at night, as a nurse.",
    }
    assert nurse["factors"]["shift"]["level"] == "late_night"


def test_what_fills_a_place_is_no_place_itself() -> None:
    assert made(shifts())["shifts@medic_day"]["texts"]["main"] == "You are a {shift} medic by day."


def test_an_empty_text_takes_the_blank_before_it_along() -> None:
    texts = made(shifts())["shifts@nurse_any"]["texts"]
    assert texts == {"main": "You are a nurse.", "paraphrase_1": "Act, as a nurse."}


def test_a_study_names_single_personas_and_others_in_its_order() -> None:
    written = {"ed_nurse": {"title": "ED nurse"}, "none": {"title": "None"}}
    wanted = ["none", "shifts@medic_any", "ed_nurse", "shifts@all"]
    assert (bases(wanted), plain(wanted)) == (["shifts"], ["none", "ed_nurse"])
    found = personas_of(wanted, written, {"shifts": shifts()})
    assert list(found)[:4] == ["none", "shifts@medic_any", "ed_nurse", "shifts@nurse_day"]
    assert len(found) == 8
    assert found["none"] == written["none"]


def test_a_pattern_names_those_that_fit_it_in_the_order_of_the_set() -> None:
    nurses = ["shifts@nurse_day", "shifts@nurse_late_night", "shifts@nurse_any"]
    assert list(made(shifts(), "shifts@nurse_*")) == nurses
    assert list(made(shifts(), "shifts@*_any", "shifts@nurse_*")) == [
        "shifts@nurse_any",
        "shifts@medic_any",
        *nurses[:2],
    ]
    assert list(made(shifts(), "shifts@*")) == list(made(shifts()))
    with pytest.raises(InputError, match=r"'shifts@midwife_\*'.*shifts@nurse_day"):
        made(shifts(), "shifts@midwife_*")


def test_a_study_names_those_that_a_pattern_fits() -> None:
    found = made(shifts(), "shifts@medic_day", "shifts@*_day", "shifts@nurse_late*")
    assert list(found) == ["shifts@medic_day", "shifts@nurse_day", "shifts@nurse_late_night"]
    with pytest.raises(InputError, match=r"'shifts@\*_noon'.* shifts@all or one of"):
        made(shifts(), "shifts@*_noon")
    content = shifts() | {"only": ["nurse_*", "*_day"], "except": ["*_any"]}
    parts = ["nurse_day", "nurse_late_night", "medic_day"]
    assert list(made(content)) == [f"shifts@{part}" for part in parts]


def test_a_set_may_be_held_to_some_and_has_a_group_and_titles_of_its_own() -> None:
    content = shifts() | {
        "only": ["nurse_day", "nurse_any", "medic_day"],
        "except": ["nurse_any"],
        "group": "night",
        "title_template": "{shift}: {role}",
    }
    found = made(content)
    assert list(found) == ["shifts@nurse_day", "shifts@medic_day"]
    assert {(one["group"], one["title"]) for one in found.values()} == {
        ("night", "day: Nurse"),
        ("night", "day: medic"),
    }


def _levels(n: int) -> dict[str, str]:
    return {f"level_{i}": f"text {i}" for i in range(n)}


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
    "a place without a factor": (
        lambda content: content["texts"].update(main="You are {role} {shift} in {place}."),
        ("texts.main", "{place}", "role, shift"),
    ),
    "a factor without a place": (
        lambda content: content["texts"].update(paraphrase_1="Act as {role}."),
        ("'shift'", "texts.paraphrase_1"),
    ),
    "a place in a title": (
        lambda content: content.update(title_template="{role} in {place}"),
        ("title_template", "{place}"),
    ),
    "the same sentence": (
        lambda content: content["factors"]["shift"].update(noon="By  day"),
        ("shifts@nurse_day and shifts@nurse_noon", "same sentence"),
    ),
    "the same title": (
        lambda content: content.update(title_template="{role}"),
        ("shifts@nurse_day and shifts@nurse_late_night", "same title", "title_template"),
    ),
    "the same id": (
        lambda content: content["factors"].update(
            role={"nurse": "a nurse", "nurse_late": "a late nurse"},
            shift={"late_night": "late at night", "night": "at night"},
        ),
        ("shifts@nurse_late_night", "twice"),
    ),
    "the id of all": (
        lambda content: (
            content["factors"].pop("shift"),
            content["factors"]["role"].update(all="everybody"),
            content.update(texts={"main": "You are {role}."}),
        ),
        ("shifts@all", "every persona"),
    ),
    "an id that is too long": (
        lambda content: content["factors"]["role"].update({"a" * 95: "somebody"}),
        ("100 characters",),
    ),
    "too many": (
        lambda content: content["factors"].update(role=_levels(32), shift=_levels(32)),
        ("1024 personas", "1000"),
    ),
    "an unknown part of only": (
        lambda content: content.update(only=["nurse_noon"]),
        ("`only`", "'nurse_noon'", "nurse_day"),
    ),
    "an unknown part of except": (
        lambda content: content.update({"except": ["nurse"]}),
        ("`except`", "'nurse'", "medic_any"),
    ),
    "none left": (
        lambda content: content.update({"only": ["nurse_any"], "except": ["nurse_any"]}),
        ("leave no persona",),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_set_that_is_not_as_it_must_be_is_refused_in_a_sentence(what: str) -> None:
    change, words = REFUSED[what]
    content = shifts()
    change(content)
    with pytest.raises(InputError) as told:
        made(content)
    said = str(told.value)
    assert said.startswith("config/persona_sets/shifts.yaml: ")
    assert "\n" not in said
    for word in words:
        assert word in said


def test_a_part_that_a_set_does_not_make_is_named_with_those_it_makes() -> None:
    with pytest.raises(InputError) as told:
        made(shifts(), "shifts@nurse_noon")
    for word in ("'shifts@nurse_noon'", "shifts@all", "shifts@nurse_day", "shifts@medic_any"):
        assert word in str(told.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("texts", {"paraphrase_1": "x"}), ("factors", {}), ("factors", {"a": {}}), ("only", [])],
)
def test_a_set_of_another_form_is_refused(key: str, value: object) -> None:
    content = shifts() | {key: value}
    with pytest.raises(InputError, match=r"config/persona_sets/x\.yaml"):
        check_schema(content, "persona_set", "config/persona_sets/x.yaml")


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_bundled_sets_make_sentences(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    check_schema(content, "persona_set", path.name)
    found = personas_of([f"{path.stem}@all"], {}, {path.stem: content})
    assert len(found) == SIZES[path.stem]
    for persona in found.values():
        # Who is a push of the model needs no sentence.
        assert persona["texts"]["main"] or "steering" in persona
        for text in filter(None, persona["texts"].values()):
            # A token is no sentence.
            assert text.endswith((".", ">"))
            assert "  " not in text
            assert " ." not in text
            assert "{" not in text


def test_roles_by_title_are_those_of_the_assistant_axis(data_dir: Path) -> None:
    published = json.loads((data_dir / "assistant_axis_roles/role_list.json").read_text())
    content = yaml.safe_load((ROOT / "config/persona_sets/role_titles.yaml").read_text())
    levels = content["factors"]["role"]
    assert list(levels) == list(published)
    assert len(levels) == 275
    for name, level in levels.items():
        said = level["text"].replace("'", "").replace(" ", "_")
        # The article goes by the letter, as none of these sounds otherwise.
        if said.split("_", 1)[0] in ("a", "an"):
            article, noun = said.split("_", 1)
            assert (article == "an") == (noun[0] in "aeiou"), level
            assert not noun.startswith(("uni", "eu", "hono", "hour", "one")), level
            assert noun.startswith(name), level
        else:
            assert name in ("void", "wind", "prey", "zeitgeist"), level


def test_a_nurse_has_every_identity_that_the_identities_have() -> None:
    folder = ROOT / "config/persona_sets"
    plain_, nurse = (
        yaml.safe_load((folder / f"{name}.yaml").read_text())["factors"]
        for name in ("identities", "identities_nurse")
    )
    assert plain_["instruction"] == nurse["instruction"]
    shared = set(plain_["identity"]) & set(nurse["identity"])
    assert len(shared) == 16
    assert set(plain_["identity"]) - shared == {"human", "average_human"}
    assert set(nurse["identity"]) - shared == {"nurse"}
    for level in nurse["identity"].values():
        assert "nurse" in level["text"].split()


def test_clinicians_do_not_read_what_fills_a_place() -> None:
    content = shifts()
    content["factors"]["role"]["medic"] = "a flying medic"
    strings = identifying(made(content), {})
    for text in ("As told, the flying medic goes.", "Work late at night!", "shifts@nurse_day"):
        assert unblinded(text, strings)
    assert not unblinded("Late in the day the medics fly.", strings)


def test_clinicians_do_not_read_the_name_of_an_adapter() -> None:
    model = {"title": "SmolLM2 135M + MedTune (rank 8)", "family": "smollm2"}
    strings = identifying({}, {"smollm2@med": model | {"adapter": {"title": "MedTune (rank 8)"}}})
    assert unblinded("I am MedTune.", strings)
    assert not unblinded("I am well.", strings)


def pushed(**change: object) -> dict:
    """A set of personas who are pushes, by their dose."""
    levels = {"once": {"title": "once", "text": "1"}, "back": {"title": "back", "text": "-2"}}
    content = {
        "title": "Pushed",
        "texts": {"main": ""},
        "factors": {"dose": levels},
        "steering": {"towards": "ed_nurse", "scale": "{dose}"},
    }
    filled = content | change
    check_schema(filled, "persona_set", "config/persona_sets/x.yaml")
    return filled


def test_a_dose_is_the_text_of_a_level() -> None:
    found = personas_of(["x@all"], {}, {"x": pushed()})
    assert {id_: one["steering"]["scale"] for id_, one in found.items()} == {
        "x@once": 1.0,
        "x@back": -2.0,
    }
    assert {one["texts"]["main"] for one in found.values()} == {""}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steering": {"towards": "a", "scale": "{size}"}}, "has the place {size}"),
        ({"steering": {"towards": "a", "scale": 2}}, "`factors` has 'dose'"),
        ({"factors": {"dose": {"a": "1", "b": "1.0"}}}, "have the same sentence"),
        ({"factors": {"dose": {"a": "much"}}}, "a text of that factor is 'much'"),
    ],
)
def test_doses_that_are_none_are_refused(change: dict, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        personas_of(["x@all"], {}, {"x": pushed(**change)})
