"""Positions on the axis, the space of personas, and rank correlations: against known truths."""

from __future__ import annotations

from math import atanh, sqrt, tanh

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from persona_paradox.axis import effects
from persona_paradox.axis.positions import (
    DEFAULT,
    ROLE,
    Axis,
    Readings,
    axis_rows,
    mean_of,
)
from persona_paradox.axis.reading import repeated
from persona_paradox.axis.space import space_rows

SETTINGS = {"draws": 200, "seed": 3, "confidence": 0.95}
TRUTH = {"default": 1.0, "a": 0.3, "b": -0.3, "c": 0.0, "far": 1.5, "near": 0.6}
ROLES = ("a", "b", "c")
WIDTH = 16


def drawn(rng: np.random.Generator, n: int, noise: float, size: float = 4.0) -> dict[str, Readings]:
    """Personas at their true places on one line; items differ more than personas do."""
    line = np.zeros(WIDTH)
    line[:2] = 0.6, 0.8
    items = rng.normal(0, 5, (n, WIDTH))
    return {
        persona: Readings(
            items + place * size * line + rng.normal(0, noise, (n, WIDTH)), np.ones(n, bool)
        )
        for persona, place in TRUTH.items()
    }


def axis_of(read: dict[str, Readings], clusters: np.ndarray | None = None, **change) -> Axis:
    n = len(read["default"].there)
    roles = [read[role] for role in ROLES]
    own = np.arange(n) if clusters is None else clusters
    return Axis.of(read["default"], roles, own, SETTINGS | change)


def test_without_noise_every_persona_stands_where_it_is() -> None:
    read = drawn(np.random.default_rng(1), 12, 0.0)
    axis = axis_of(read)
    for persona, place in TRUTH.items():
        told = axis.told("position", axis.positions(read[persona]))
        assert told["position"] == pytest.approx(place)
        assert told["position_low"] == pytest.approx(place)
        assert told["position_high"] == pytest.approx(place)
    assert axis.length[0] == pytest.approx(4.0)
    assert axis.cosine[0] == pytest.approx(1.0)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10.0))
def test_ends_are_nought_and_one_and_units_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    read = drawn(rng, 15, 1.0)
    turn, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    shift = rng.normal(size=(15, WIDTH))
    turned = {
        id_: Readings((one.vectors + shift) @ turn * scale, one.there) for id_, one in read.items()
    }
    axis, other = axis_of(read, draws=20), axis_of(turned, draws=20)
    np.testing.assert_allclose(axis.positions(read["default"])[0], 1.0)
    middle = mean_of([read[role] for role in ROLES])
    np.testing.assert_allclose(axis.positions(middle)[0], 0.0, atol=1e-9)
    np.testing.assert_allclose(
        axis.positions(read["far"]), other.positions(turned["far"]), rtol=1e-6
    )


def test_noise_moves_nobody_on_the_mean_and_intervals_cover() -> None:
    rng = np.random.default_rng(4)
    places, naive, covered = [], [], 0
    runs = 150
    for _ in range(runs):
        read = drawn(rng, 30, 1.5)
        axis = axis_of(read)
        told = axis.told("position", axis.positions(read["near"]))
        places.append(told["position"])
        assert told["position_low"] is not None
        covered += told["position_low"] <= TRUTH["near"] <= told["position_high"]
        # The usual projection, on the axis of the same answers.
        apart = axis.apart.vectors.mean(axis=0)
        own = (read["near"] - axis.roles).vectors.mean(axis=0)
        naive.append(own @ apart / (apart @ apart))
    error = np.std(places) / sqrt(runs)
    assert abs(np.mean(places) - TRUTH["near"]) < 4 * error
    assert np.mean(naive) < TRUTH["near"] - 4 * error  # shrunk by the noise of the axis
    assert covered / runs > 0.88


def test_of_noise_alone_there_is_no_axis() -> None:
    rng = np.random.default_rng(6)
    cosines = [axis_of(drawn(rng, 30, 1.0, size=0.0), draws=2).cosine[0] for _ in range(60)]
    assert abs(np.mean(cosines)) < 0.15
    assert sum(cosine > 0.8 for cosine in cosines) == 0
    undefined = drawn(np.random.default_rng(6), 30, 1.0, size=0.0)
    axis = axis_of(undefined)
    assert np.isnan(axis.length[1:]).mean() > 0.025
    assert axis.told("position", axis.positions(undefined["near"]))["position_low"] is None


def test_answers_without_a_reading_are_counted_and_left_out() -> None:
    read = drawn(np.random.default_rng(8), 14, 0.0)
    gaps = np.ones(14, bool)
    gaps[[2, 5]] = False
    read["near"] = Readings(read["near"].vectors * gaps[:, None], gaps)
    axis = axis_of(read)
    ends = dict.fromkeys(ROLES, ROLE) | {"default": DEFAULT}
    moved = Readings(read["near"].vectors + gaps[:, None] * (axis.apart.vectors.mean(axis=0)), gaps)
    rows = axis_rows(axis, {"near": [read["near"], moved], "a": [read["a"]]}, ends)
    first, second, role = rows
    assert (first["n_items"], first["n_missing"], first["end"]) == (12, 2, None)
    assert first["position"] == pytest.approx(TRUTH["near"])
    assert "change" not in first
    assert second["change"] == pytest.approx(1.0)
    assert role["end"] == ROLE


def test_whole_clusters_are_drawn_and_stay_in_one_half() -> None:
    read = drawn(np.random.default_rng(9), 20, 1.0)
    clusters = np.repeat(np.arange(10), 2)
    axis = axis_of(read, clusters)
    assert all(len({*axis.half[clusters == one]}) == 1 for one in range(10))
    assert (axis.counts[:, ::2] == axis.counts[:, 1::2]).all()


def test_one_cluster_has_no_interval() -> None:
    read = drawn(np.random.default_rng(9), 6, 0.0)
    axis = axis_of(read, np.zeros(6))
    assert axis.told("position", axis.positions(read["near"]))["position_low"] is None


def test_components_are_those_of_scikit_learn() -> None:
    read = drawn(np.random.default_rng(10), 25, 2.0)
    rows = pl.DataFrame(space_rows(axis_of(read), read))
    means = np.stack([one.vectors.mean(axis=0) for one in read.values()])
    fitted = PCA(3).fit(means)
    scores = fitted.transform(means)
    for k in range(3):
        own = rows.filter(component=k + 1)
        assert own["persona"].to_list() == [*read]
        np.testing.assert_allclose(np.abs(own["score"]), np.abs(scores[:, k]), atol=1e-8)
        np.testing.assert_allclose(own["share"], fitted.explained_variance_ratio_[k])
        assert own.filter(persona="default")["score"][0] > own.filter(persona="a")["score"][0] or k
    assert (rows["score_low"] <= rows["score"] + 1e-9).all()
    assert (rows["score_high"] >= rows["score"] - 1e-9).all()


def test_a_line_of_personas_is_one_component_that_is_the_axis() -> None:
    read = drawn(np.random.default_rng(11), 25, 0.0)
    rows = pl.DataFrame(space_rows(axis_of(read), read))
    assert {*rows["component"]} == {1}
    np.testing.assert_allclose(rows["share"], 1.0)
    np.testing.assert_allclose(rows["axis_cosine"], 1.0)
    assert not space_rows(axis_of(read), {id_: read[id_] for id_ in ("a", "b")})


def test_rank_correlation_has_the_interval_of_its_paper() -> None:
    first, second = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [2.0, 1.0, 4.0, 3.0, 7.0, 5.0, 6.0]
    value = 1 - 6 * sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) / (7 * 48)
    reach = 1.959963984540054 * sqrt((1 + value**2 / 2) / 4)
    found = effects.spearman(first, second, 0.95)
    assert found == pytest.approx((value, tanh(atanh(value) - reach), tanh(atanh(value) + reach)))
    assert effects.spearman(first[:3], second[:3], 0.95)[1:] == (None, None)
    assert effects.spearman(first, [1.0] * 7, 0.95) == (None, None, None)
    assert effects.spearman(first, first, 0.95) == (pytest.approx(1.0), None, None)


def test_repeats_are_counted_by_hand() -> None:
    assert repeated([1, 2, 3, 4]) is None
    assert repeated([1, 2, 3, 4, 5, 6]) == 0
    assert repeated([7] * 10) == pytest.approx(6 / 7)  # seven runs, all the same
    assert repeated([1, 2, 3, 4, 1, 2, 3, 4]) == pytest.approx(1 / 5)
