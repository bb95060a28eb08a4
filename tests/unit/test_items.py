"""Sampling and reading of items."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_paradox.errors import InputError
from persona_paradox.items import sample

counts = st.lists(st.integers(1, 40), min_size=1, max_size=5)


def table(sizes: list[int]) -> pl.DataFrame:
    levels = [f"level_{i}" for i, size in enumerate(sizes) for _ in range(size)]
    ids = [f"item_{i:03d}" for i in range(len(levels))]
    return pl.DataFrame({"item_id": ids, "reference": levels})


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
