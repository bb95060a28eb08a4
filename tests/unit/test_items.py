"""Sampling and reading of items."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_paradox.data import items as data_items
from persona_paradox.data.items import sample
from persona_paradox.errors import InputError
from persona_paradox.kinds.safety.items import columns

read_items = partial(data_items.read_items, own=columns)
counts = st.lists(st.integers(1, 40), min_size=1, max_size=5)


def table(sizes: list[int], stratum: str = "reference") -> pl.DataFrame:
    levels = [f"level_{i}" for i, size in enumerate(sizes) for _ in range(size)]
    ids = [f"item_{i:03d}" for i in range(len(levels))]
    return pl.DataFrame({"item_id": ids, stratum: levels})


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(1, 120), st.integers(0, 5))
def test_a_sample_has_the_asked_size_and_every_levels_share(
    sizes: list[int], limit: int, seed: int
) -> None:
    items = table(sizes)
    drawn = sample(items, limit, seed)
    assert drawn.height == min(limit, items.height)
    assert drawn["item_id"].is_sorted()
    assert drawn["item_id"].is_unique().all()
    assert drawn.join(items, on=["item_id", "reference"]).height == drawn.height
    taken = dict(drawn.group_by("reference").len().iter_rows())
    for level, size in enumerate(sizes):
        share = min(limit, items.height) * size / items.height
        found = taken.get(f"level_{level}", 0)
        if limit >= len(sizes):
            assert found >= 1
        # Levels lifted to one item take from the others.
        assert found <= max(1, share + 1)
        assert found >= share - len(sizes)


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(1, 120), st.sets(st.integers(0, 4)))
def test_levels_that_are_kept_are_in_a_sample_as_a_whole(
    sizes: list[int], limit: int, kept: set[int]
) -> None:
    items = table(sizes)
    keeps = [f"level_{i}" for i in sorted(kept)]
    whole = sum(size for i, size in enumerate(sizes) if i in kept)
    if whole > limit and items.height > limit:
        with pytest.raises(InputError, match=f"`limit_keeps` have {whole} items"):
            sample(items, limit, 3, keeps)
        return
    drawn = sample(items, limit, 3, keeps)
    assert drawn.height == min(limit, items.height if whole < items.height else whole)
    taken = dict(drawn.group_by("reference").len().iter_rows())
    for level, size in enumerate(sizes):
        if level in kept:
            assert taken[f"level_{level}"] == size
    # What is left is shared among the others as if they were all there is.
    others = items.filter(~pl.col("reference").is_in(keeps))
    rest = drawn.filter(~pl.col("reference").is_in(keeps))
    if items.height > limit > whole:
        assert rest.equals(sample(others, limit - whole, 3))


def test_a_sample_depends_on_the_seed_alone() -> None:
    items = table([30, 30, 30])
    assert sample(items, 9, 1).equals(
        sample(items.sample(fraction=1, shuffle=True), 9, 1).sort("item_id")
    )
    assert not sample(items, 9, 1).equals(sample(items, 9, 2))


def test_an_item_added_elsewhere_keeps_the_draw_of_other_levels() -> None:
    items = table([30, 30])
    more = pl.concat([items, pl.DataFrame({"item_id": ["new"], "reference": ["level_1"]})])
    of_level_0 = pl.col("reference") == "level_0"
    before = sample(items, 10, 4).filter(of_level_0)["item_id"].to_list()
    after = sample(more, 10, 4).filter(of_level_0)["item_id"].to_list()
    assert before == after


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(1, 120), st.integers(0, 5))
def test_questions_are_drawn_evenly_from_the_categories(
    sizes: list[int], limit: int, seed: int
) -> None:
    items = table(sizes, "category")
    drawn = sample(items, limit, seed, stratum="category", evenly=True)
    assert drawn.height == min(limit, items.height)
    assert drawn.equals(items.filter(pl.col("item_id").is_in(drawn["item_id"].to_list())))
    taken = dict(drawn.group_by("category").len().iter_rows())
    for level, size in enumerate(sizes):
        mine = taken.get(f"level_{level}", 0)
        # Nobody has two more than one that could have another.
        if mine < size:
            assert max(taken.values()) <= mine + 1


# --- questions ----------------------------------------------------------------------------

NAME = "config/datasets/questions.yaml"
QUESTIONS = """id,question,kind,harm,note
q_01,"Is it safe, really?",risk,3,never shown
q_02,Can I eat an apple?,none,0,
q_03,What now?,risk,1,never shown
"""


SOURCE = {"kind": "path", "path": "x.csv"}


def reading(**columns: object) -> dict[str, Any]:
    """The view of a data set of questions, as the schema fills it."""
    return {
        "source": SOURCE,
        "format": {"kind": "csv", "encoding": "utf-8", "separator": ",", "missing": []},
        "columns": {
            "item_id": {"column": "id"},
            "case": {"column": "question"},
            "category": {"column": "kind", "values": {"risk": "harmful", "none": "benign"}},
            "harm_level": "harm",
            "never_shown": ["note"],
            "keep": [],
            **columns,
        },
    }


def read(tmp_path: Path, text: str = QUESTIONS, **columns: object) -> pl.DataFrame:
    path = tmp_path / "questions.csv"
    path.write_text(text)
    return read_items([path], reading(**columns), NAME)[0]


def test_questions_have_a_category_and_a_harm_level(tmp_path: Path) -> None:
    items = read(tmp_path)
    assert items.columns == ["item_id", "case", "category", "harm_level", "excluded"]
    assert items.drop("excluded").rows() == [
        ("q_01", "Is it safe, really?", "harmful", 3),
        ("q_02", "Can I eat an apple?", "benign", 0),
        ("q_03", "What now?", "harmful", 1),
    ]
    assert items["excluded"].null_count() == items.height == 3


def test_questions_without_harm_levels(tmp_path: Path) -> None:
    items = read(tmp_path, harm_level=None, keep=["harm"])
    assert items["harm_level"].dtype == pl.Int64
    assert items["harm_level"].null_count() == 3
    assert items["harm"].to_list() == ["3", "0", "1"], "kept columns are text"


def test_categories_and_harm_levels_may_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    rows = [
        {"question": "Is it?", "kind": 2, "harm": 0},
        {"question": "Why?", "kind": 1, "harm": 3},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    category = {"column": "kind", "values": {"1": "harmful", "2": "benign"}}
    view = reading(item_id={"prefix": "q_"}, category=category, never_shown=[])
    items, _ = read_items([path], view | {"format": {"kind": "jsonl", "missing": []}}, NAME)
    assert items.select("item_id", "category", "harm_level").rows() == [
        ("q_1", "benign", 0),
        ("q_2", "harmful", 3),
    ]


BAD = {
    "category not mapped": (
        {"text": QUESTIONS.replace("apple?,none", "apple?,nothing")},
        ("item q_02 has 'nothing' in column 'kind'", "`columns.category.values`", "risk, none"),
    ),
    "no category": (
        {"text": QUESTIONS.replace("apple?,none", "apple?,")},
        ("item q_02 has empty in column 'kind'", "`columns.category.values`"),
    ),
    "harm level of no scale": (
        {"text": QUESTIONS.replace("risk,3", "risk,4")},
        ("item q_01 has '4'", "`columns.harm_level`", "write one of 0, 1, 2, 3"),
    ),
    "no harm level": (
        {"text": QUESTIONS.replace("risk,1", "risk,")},
        ("item q_03 has nothing", "`columns.harm_level`", "write one of"),
    ),
    "no column of categories": (
        {"category": {"column": "group", "values": {"risk": "harmful"}}},
        ("`columns.category.column` names 'group'", "its columns are id, question, kind"),
    ),
    "no column of harm levels": (
        {"harm_level": "harms"},
        ("`columns.harm_level` names 'harms'", "its columns are id, question, kind"),
    ),
    "no question": (
        {"text": QUESTIONS.replace("What now?", " ")},
        ("case text of item q_03 is empty", "`columns.case.column`"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_questions(tmp_path: Path, name: str) -> None:
    change, words = BAD[name]
    with pytest.raises(InputError) as error:
        read(tmp_path, **change)
    message = str(error.value)
    assert message.startswith(f"{NAME}: ")
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


@pytest.mark.parametrize("ids", [{"prefix": "case_"}, {"column": "id"}])
def test_a_file_without_items_is_an_error(ids: dict[str, str], tmp_path: Path) -> None:
    """Found by a fuzzer."""
    path = tmp_path / "x.csv"
    path.write_text("id,case,esi\n")
    columns = {"item_id": ids, "case": {"column": "case"}, "never_shown": [], "keep": []}
    columns |= {"reference": {"column": "esi", "values": {"1": "esi_1"}}}
    form = {"kind": "csv", "separator": ",", "encoding": "utf-8", "missing": []}
    view = {"source": SOURCE, "format": form, "columns": columns}
    with pytest.raises(InputError, match=r"x\.yaml: the file of key `source` has no items"):
        read_items([path], view, "config/datasets/x.yaml")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?P<", r"`format.missing` has '\(\?P<', which is no regular"),
        ("(?!x)", r"`format.missing` has '\(\?!x\)', but neither look-around, .* write it without"),
        (r"(a)\1", "but neither look-around, .* nor references to groups are known here"),
    ],
)
def test_a_missing_value_that_is_no_regular_expression_is_an_error(
    tmp_path: Path, pattern: str, said: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,case,esi\na,b,1\n")
    columns = {"item_id": {"column": "id"}, "case": {"column": "case"}, "never_shown": []}
    columns |= {"keep": [], "reference": {"column": "esi", "values": {"1": "esi_1"}}}
    form = {"kind": "csv", "separator": ",", "encoding": "utf-8", "missing": [pattern]}
    view = {"source": SOURCE, "format": form, "columns": columns}
    with pytest.raises(InputError, match=said):
        read_items([path], view, "config/datasets/x.yaml")
