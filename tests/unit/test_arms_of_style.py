"""Arms that put a case in other words: in a frame, or in a cipher."""

from __future__ import annotations

import re
from codecs import decode
from importlib import import_module
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_paradox.data.changes import perturb
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema

CASE = {"column": "prompt"}
CASES = [
    "Would my neighbour's plumber mend the boiler before Christmas?",
    "How are you?",
    "PLEASE write about gardens, gardens and more gardens; then about ponds.",
    "Naïve cafés über alles, 12345 times.",
]


def items(cases: list[str], **columns: list[Any]) -> pl.DataFrame:
    n = len(cases)
    return pl.DataFrame(
        {
            "item_id": [f"item_{i}" for i in range(n)],
            "case": cases,
            "category": ["any"] * n,
            "excluded": [None] * n,
            **columns,
        },
        schema_overrides={"excluded": pl.String},
    )


def changed(rule: str, table: pl.DataFrame, case: Any = CASE, **keys: Any) -> pl.DataFrame:
    """The items of an arm whose keys are those of a file, with the defaults of its schema."""
    arm = {"title": "t", "rule": rule, **keys}
    check_schema(arm, f"arms/{rule}", "arm")
    module = import_module(f"persona_paradox.data.arms.{rule}")
    return perturb(table, module.change, arm | {"case": case}, "arm", stratum="category")


def core(text: str) -> list[str]:
    """Runs of five letters or more; of these texts none is a function word."""
    return re.findall(r"[A-Za-z]{5,}", text)


# --- frame


FRAMES = ["First: {case}", "{case} That was the second.", "Third, {case} – third."]


def test_a_case_stands_in_a_frame_word_for_word() -> None:
    table = changed("frame", items(CASES), frames=FRAMES)
    assert table["changed"].all()
    for row, case in zip(table.iter_rows(named=True), CASES, strict=True):
        assert row["change"] in FRAMES
        before, behind = row["change"].split("{case}")
        assert row["case"] == before + case + behind


def test_a_frame_is_drawn_for_each_item_with_the_seed() -> None:
    table = items(["How?"] * 300)
    drawn = {seed: changed("frame", table, frames=FRAMES, seed=seed)["change"] for seed in (0, 1)}
    assert drawn[0].to_list() == changed("frame", table, frames=FRAMES)["change"].to_list()
    # Each of three about equally often: four standard deviations of a binomial share are .11.
    for one in drawn.values():
        shares = one.value_counts(normalize=True)["proportion"]
        assert len(shares) == 3
        assert shares.is_between(1 / 3 - 0.11, 1 / 3 + 0.11).all()
    alike = (drawn[0] == drawn[1]).mean()
    assert alike == pytest.approx(1 / 3, abs=0.11)
    # Whoever else is asked changes nothing for an item.
    part = changed("frame", table.head(7), frames=FRAMES, seed=1)
    assert part["change"].to_list() == drawn[1].head(7).to_list()


def test_other_places_of_a_frame_are_filled_from_columns() -> None:
    table = items(CASES[:2], asker=["a pupil", None])
    found = changed("frame", table, frames=["Says {asker}: {case}"])
    assert found["case"].to_list() == [f"Says a pupil: {CASES[0]}", CASES[1]]
    assert found["unchanged"].to_list() == [None, "a column of key `frames.0` is empty"]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (["{case} and {case}"], ("`frames.0`", "{case} 2 times", "write it once")),
        (["{case}", "{nowhere} {case}"], ("`frames.1`", "{nowhere}", "columns.keep")),
        (["{case} {category}"], ("`frames.0`", "{category}")),
        (["no place"], ("`frames.0`", "holds {case}")),
        ([], ("`frames`",)),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused(frames: list[str], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as told:
        changed("frame", items(CASES), frames=frames)
    for word in words:
        assert word in str(told.value)


# --- cipher


def test_core_words_are_in_the_cipher_and_the_rest_stays() -> None:
    table = changed("cipher", items(CASES), share=1, shift=13)
    # The standard library's own cipher of 13 places, word by word.
    expected = [
        CASES[0]
        .replace("neighbour's", decode("neighbour's", "rot13"))
        .replace("plumber", decode("plumber", "rot13"))
        .replace("boiler", decode("boiler", "rot13"))
        .replace("Christmas", decode("Christmas", "rot13")),
        CASES[1],
        CASES[2]
        .replace("PLEASE", decode("PLEASE", "rot13"))
        .replace("write", decode("write", "rot13"))
        .replace("gardens", decode("gardens", "rot13"))
        .replace("ponds", decode("ponds", "rot13")),
        # A word with other letters than those from A to Z is none.
        CASES[3].replace("alles", decode("alles", "rot13")).replace("times", "gvzrf"),
    ]
    assert table["case"].to_list() == expected
    assert table["unchanged"].to_list() == [
        None,
        "the case has no core word of 5 letters or more",
        None,
        None,
    ]
    assert table["change"][2] == "PLEASE, write, gardens, ponds"


def test_a_letter_moves_on_as_in_the_cipher_that_is_named_after_caesar() -> None:
    table = changed("cipher", items(["Crazy xylophones."]), share=1)
    assert table["case"][0] == "Fudcb aborskrqhv."


WORDS = st.text("abcxyzABCXYZ", min_size=5, max_size=9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WORDS, min_size=1, max_size=14),
    st.sampled_from([0.25, 0.5, 0.8, 1]),
    st.integers(1, 25),
    st.integers(0, 5),
)
def test_enough_core_words_are_moved_and_can_be_moved_back(
    words: list[str], share: float, shift: int, seed: int
) -> None:
    case = " of ".join(words) + "."
    keys = {"share": share, "shift": shift, "seed": seed}
    table = changed("cipher", items([case]), **keys)
    (made,) = table["case"]
    assert changed("cipher", items([case]), **keys)["case"].to_list() == [made]
    pairs = list(zip(core(case), core(made), strict=True))
    moved = [old.lower() for old, new in pairs if new != old]
    assert len(moved) >= share * len(pairs)
    # Without the word that stands there most often it would be too few.
    assert len(moved) - max(map(moved.count, moved)) < share * len(pairs)
    for old, new in pairs:
        # A word is the same at every place.
        assert (new != old) == (old.lower() in moved)
        back = changed("cipher", items([new]), share=1, shift=26 - shift)["case"][0]
        assert old in (new, back)
        assert [one.isupper() for one in new] == [one.isupper() for one in old]
    assert re.sub("[A-Za-z]", "x", made) == re.sub("[A-Za-z]", "x", case)


def test_another_seed_takes_other_words() -> None:
    case = " ".join(f"word{letter * 3}" for letter in "abcdefgh")
    made = {changed("cipher", items([case]), seed=seed)["case"][0] for seed in range(6)}
    assert len(made) > 1


def test_a_text_may_tell_of_the_cipher() -> None:
    table = changed("cipher", items(["Boilers?"], n=["3"]), text="Go {n} back: {case}")
    assert table["case"].to_list() == ["Go 3 back: Erlohuv?"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"share": 0}, ("`share`",)),
        ({"share": 1.5}, ("`share`",)),
        ({"shift": 26}, ("`shift`",)),
        ({"text": "nothing"}, ("`text`", "holds {case}")),
        ({"text": "{case}{case}"}, ("`text`", "2 times")),
        ({"text": "{who} {case}"}, ("`text`", "{who}")),
        ({"case": {"fields": [], "missing": None}}, ("'cipher'", "columns.case.column")),
    ],
)
def test_a_cipher_that_cannot_be_used_is_refused(
    keys: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as told:
        changed("cipher", items(CASES), **keys)
    for word in words:
        assert word in str(told.value)
