"""Rules of arms that change questions with options: what each makes of items worked by hand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_paradox.data.arms import expand
from persona_paradox.data.changes import perturb
from persona_paradox.data.orders import shuffled
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema

ASKED = "A man has chest pain. It began today. Which of the following is the most likely cause?"


def questions(*rows: tuple[str, list[str], str], **columns: Any) -> pl.DataFrame:
    """Items of case, options and key."""
    n = len(rows)
    table = {
        "item_id": [f"q_{i}" for i in range(n)],
        "case": [row[0] for row in rows],
        "options": [row[1] for row in rows],
        "reference": [row[2] for row in rows],
        "order": [None] * n,
        "stratum": ["heart"] * n,
        "excluded": [None] * n,
        **columns,
    }
    types = {"order": pl.List(pl.Int64), "excluded": pl.String(), "options": pl.List(pl.String)}
    return pl.DataFrame(table, schema_overrides=types)


def changed(rule: str, table: pl.DataFrame, answers: Any = None, **keys: Any) -> pl.DataFrame:
    """What an arm makes of items, its keys checked and filled by its schema."""
    arm = {"title": "x", "rule": rule, **keys}
    check_schema(arm, f"arms/{rule}", "arm")
    module = import_module(f"persona_paradox.data.arms.{rule}")
    arm |= {"case": {"column": "text"}, "answers": answers or {"labels": [*"ABCDEFGHIJ"]}}
    return perturb(table, module.change, arm, "arm", stratum="stratum")


HEART = questions(
    (ASKED, ["Angina", "Reflux", "Anxiety"], "A"),
    ("A woman is short of breath. What is the best test?", ["ECG", "X-ray"], "B"),
)


def test_a_wrong_option_is_named_by_the_letter_that_is_shown() -> None:
    text = 'The nurse says {letter}, "{option}".'
    found = changed("name_option", HEART, text=text, names="wrong", at="before_last_sentence")
    (first, second), options = found["named"], HEART["options"]
    assert first in (1, 2)
    assert second == 0
    assert found["change"][0] == f'The nurse says {"ABC"[first]}, "{options[0][first]}".'
    assert found["case"][1] == (
        'A woman is short of breath. The nurse says A, "ECG". What is the best test?'
    )
    assert found["reference"].equals(HEART["reference"])
    # Where the task shows options in an order of its own, the letter is that of the position.
    answers = {"labels": [*"ABC"], "order_seed": 4}
    moved = changed("name_option", HEART, answers, text=text, names="wrong")
    assert moved["named"].equals(found["named"])
    letters = [
        "ABC"[shuffled(f"q_{i}", n, 4).index(place)]
        for i, (n, place) in enumerate(((3, first), (2, second)))
    ]
    for case, letter in zip(moved["case"], letters, strict=True):
        assert f"says {letter}," in case


def test_the_right_option_or_any_is_named() -> None:
    right = changed("name_option", HEART, text="It is {option}.", names="right")
    assert right["named"].to_list() == [0, 1]
    assert right["case"][0].endswith("cause? It is Angina.")
    many = questions(*((ASKED, ["Angina", "Reflux", "Anxiety"], "A"),) * 300)
    places = changed("name_option", many, text="{letter}", names="random")["named"]
    shares = [(places == place).mean() for place in range(3)]
    # Within four standard errors of a third.
    assert all(abs(share - 1 / 3) < 4 * (2 / 9 / 300) ** 0.5 for share in shares)
    wrong = changed("name_option", many, text="{letter}", names="wrong")["named"]
    assert set(wrong) == {1, 2}
    again = changed("name_option", many, text="{letter}", names="wrong", seed=1)["named"]
    assert again.to_list() != wrong.to_list()


def test_an_item_whose_options_are_all_right_has_no_wrong_one_to_name() -> None:
    table = questions((ASKED, ["Angina", "Reflux"], "AB"), (ASKED, ["Angina", "Reflux"], "A"))
    found = changed("name_option", table, text="{option}", names="wrong")
    assert found["unchanged"].to_list() == ["no option is wrong", None]
    assert found["named"].to_list() == [None, 1]


def test_of_levels_another_one_is_named_by_its_title_and_label() -> None:
    table = HEART.drop("options", "order").with_columns(reference=pl.Series(["esi_1", "esi_3"]))
    answers = {"levels": ["esi_1", "esi_3"], "labels": ["1", "3"], "titles": ["ESI 1", "ESI 3"]}
    found = changed("name_option", table, answers, text="I say {letter}, {option}.", names="wrong")
    assert found["named"].to_list() == [1, 0]
    assert found["change"].to_list() == ["I say 3, ESI 3.", "I say 1, ESI 1."]


@pytest.mark.parametrize("place", ["options", "order", "stratum", "reference"])
def test_what_no_model_may_read_is_no_place_of_a_sentence(place: str) -> None:
    with pytest.raises(InputError, match=rf"key `text` has the place \{{{place}\}}"):
        changed("name_option", HEART, text=f"{{letter}} {{{place}}}", names="wrong")


def test_a_sentence_that_names_no_option_is_refused() -> None:
    with pytest.raises(InputError, match=r"a text with \{option\} or \{letter\}, which names"):
        changed("name_option", HEART, text="It is serious.", names="wrong")


def test_items_without_options_or_levels_are_refused() -> None:
    table = HEART.drop("options", "order")
    with pytest.raises(InputError, match="neither options nor levels"):
        changed("name_option", table, {"labels": ["1"]}, text="{letter}", names="wrong")
    for rule in ("negate", "invert", "expand", "impossible"):
        with pytest.raises(InputError, match=rf"key `rule` is '{rule}', but .* no options"):
            changed(rule, table)


OF_OTHERS = (ASKED, ["Angina", "Reflux", "None of the above"], "A")


def test_the_right_option_is_hidden_behind_its_letter() -> None:
    table = questions(*HEART.select("case", "options", "reference").iter_rows(), OF_OTHERS)
    table = pl.concat([table, questions((ASKED, ["Angina", "Reflux"], "AB"))])
    found = changed("negate", table)
    assert found["options"].to_list()[:2] == [
        ["None of the other options is right", "Reflux", "Anxiety"],
        ["ECG", "None of the other options is right"],
    ]
    assert found["reference"].to_list() == ["A", "B", "A", "AB"]
    assert found["case"].equals(table["case"])
    assert found["change"][0] == "A: Angina → None of the other options is right"
    assert found["unchanged"].to_list()[2:] == [
        "an option speaks of others",
        "several options are right",
    ]


INVERTED = {
    ASKED: "the most likely cause?|not the most likely cause?",
    "She is ill. Which finding is most consistent with this?": "is most|is not most",
    "He fell. Her condition is most likely caused by which of these?": "is most|is not most",
    "It is 4.5 cm. What is the next step?": "is the next|is not the next",
    "Which of the following should be given first?": "should be|should not be",
    "What can be seen in the smear?": "can be|cannot be",
    "Which of these most likely explains it?": "most likely explains|does not most likely explain",
    "Which medicine is given first?": "is given|is not given",
    "He fell. Which of these gives two points?": "gives|does not give",
    "He is ill. The best drug is:": None,
    "How will the value be affected?": None,
    "What response would you expect?": None,
    "Which of the following is not the most likely cause?": None,
    "All of these are likely EXCEPT: which is the most rare?": "",
    "The patient would recover. Give the most likely cause.": None,
}


@pytest.mark.parametrize("case", [case for case, by in INVERTED.items() if by != ""])
def test_a_question_is_inverted_and_every_other_option_is_right(case: str) -> None:
    by = INVERTED[case]
    table = questions((case, ["a", "b", "c"], "B"), (ASKED, ["a", "b"], "A"))
    found = changed("invert", table)
    assert found["reference"][1] == "B"
    if by is None:
        assert found["case"][0] == case
        assert found["reference"][0] == "B"
        assert found["unchanged"][0]
    else:
        assert found["case"][0] == case.replace(*by.split("|"))
        assert found["reference"][0] == "AC"
        assert " → " in found["change"][0]


def test_the_words_before_the_question_stay() -> None:
    before = "It is the most likely thing, and he would go. "
    case = "Which of the following is the most likely cause?"
    found = changed("invert", questions((before + case, ["a", "b"], "A")))
    assert found["case"][0] == before + case.replace("is the", "is not the")


def test_more_options_are_those_of_other_items_of_the_stratum_and_none_of_its_own() -> None:
    table = questions(
        (ASKED, ["Angina", "Reflux", "Anxiety"], "A"),
        (ASKED, ["reflux ", "Gout", "All of the above"], "B"),
        (ASKED, ["Asthma", "Stroke", "angina."], "C"),
        (ASKED, ["Mole", "Wart"], "A"),
    ).with_columns(stratum=pl.Series(["heart"] * 3 + ["skin"]))
    found = changed("expand", table, n=2)
    first = found["options"][0].to_list()
    assert first[:3] == ["Angina", "Reflux", "Anxiety"]
    assert set(first[3:]) <= {"Gout", "Asthma", "Stroke"}
    assert len(set(first)) == 5
    assert found["reference"].equals(table["reference"])
    assert found["change"][0] == "; ".join(first[3:])
    assert found["unchanged"].to_list()[1::2] == [
        "an option speaks of others",
        "other items of the stratum have too few other options",
    ]
    ten = questions((ASKED, [str(i) for i in range(10)], "A"), (ASKED, ["x", "9"], "A"))
    found = changed("expand", ten, n=8)
    assert found["unchanged"].to_list() == ["there is no room for more options", None]
    assert len(found["options"][1]) == 10


@given(
    st.integers(0, 999),
    st.integers(1, 8),
    st.lists(st.sampled_from("abcdefghijkl"), min_size=2, max_size=10, unique=True),
)
def test_no_added_option_stands_twice(seed: int, n: int, options: list[str]) -> None:
    others = questions((ASKED, options, "A"), (ASKED, [*"ABCDEF"], "A"), (ASKED, [*"mnop"], "A"))
    made = expand.change(others, {"n": n, "seed": seed})
    for before, after in zip(others["options"], made["options"], strict=True):
        same = [text.casefold() for text in after]
        assert len(set(same)) == len(same) <= 10
        assert after.to_list()[: len(before)] == before.to_list()


def test_another_item_seldom_changes_what_is_drawn() -> None:
    rows = [(ASKED, [f"option {i} {j}" for j in range(4)], "A") for i in range(60)]
    before = changed("expand", questions(*rows))
    after = changed("expand", questions(*rows, (ASKED, ["new 1", "new 2"], "A")))
    same = [
        one.to_list() == two.to_list()
        for one, two in zip(before["options"], after["options"], strict=False)
    ]
    assert sum(same) >= 60 - 2 * 8


def test_an_impossible_value_has_an_option_of_its_own_that_is_right() -> None:
    table = questions(
        ("His pulse is 96/min and his blood pressure 120/80 mm Hg.", ["a", "b"], "A"),
        ("Temperature is 38.2°C (100.8°F). What is it?", ["a", "b", "c"], "B"),
        ("Pulse 90/min, then pulse 99/min; blood pressure is 120/80 mm Hg.", ["a", "b"], "A"),
        ("There is a rash.", ["a", "b"], "A"),
        ("Pulse oximetry shows 96% on room air.", ["a", "None of the above"], "A"),
        ("Pulse oximetry shows 96% on room air.", ["a", "b"], "A"),
    )
    found = changed("impossible", table, option="That cannot be")
    assert found["case"].to_list() == [
        "His pulse is 940/min and his blood pressure 120/80 mm Hg.",
        "Temperature is 54.0°C (129.2°F). What is it?",
        "Pulse 90/min, then pulse 99/min; blood pressure is 640/80 mm Hg.",
        "There is a rash.",
        "Pulse oximetry shows 96% on room air.",
        "Pulse oximetry shows 140% on room air.",
    ]
    assert found["reference"].to_list() == ["C", "D", "C", "A", "A", "C"]
    assert found["options"][1].to_list() == ["a", "b", "c", "That cannot be"]
    assert found["unchanged"].to_list()[3:5] == [
        "the case has no vital sign that could be set",
        "an option speaks of others",
    ]


def test_options_and_case_are_taken_from_other_columns() -> None:
    table = HEART.with_columns(
        other=pl.Series(["A woman has chest pain.", HEART["case"][1]]),
        a=pl.Series(["Gout", "ECG"]),
        b=pl.Series(["Flu", "X-ray"]),
        c=pl.Series(["Cold", None]),
    )
    found = changed("column", table, column="other")
    assert found["case"].to_list() == table["other"].to_list()
    assert found["unchanged"].to_list() == [None, "the case reads so already"]
    found = changed("column", table, options=["a", "b", "c"])
    assert found["options"].to_list() == [["Gout", "Flu", "Cold"], ["ECG", "X-ray"]]
    assert found["changed"].to_list() == [True, False]
    assert found["case"].equals(table["case"])
    with pytest.raises(InputError, match=r"key `column` names 'more', .* `columns\.keep`"):
        changed("column", table, column="more")


def test_a_key_of_an_arm_is_of_letters_that_the_items_have() -> None:
    # In the order of letters, as every key is.
    found = changed("append", HEART, text="It hurts.", key="BA")
    assert found["reference"].to_list() == ["AB", "AB"]
    with pytest.raises(InputError, match=r"^arm: key `key` is 'C', but item q_1 has 2 options"):
        changed("append", HEART, text="It hurts.", key="C")
    # An item that the arm leaves need not have them.
    pair = {"find": "chest pain", "with": "a rash"}
    found = changed("replace", HEART, pairs=[pair], key="C")
    assert found["reference"].to_list() == ["C", "B"]


def test_an_option_without_a_label_cannot_be_named() -> None:
    with pytest.raises(InputError, match="arm: item q_1 has 3 options, but key `labels` of the"):
        changed(
            "name_option",
            questions(*[("What?", ["a", "b", "c"], "A")] * 9),
            {"labels": ["A", "B"]},
            text="{letter}",
            names="wrong",
        )
