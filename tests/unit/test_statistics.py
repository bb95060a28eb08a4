from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.measures import statistics

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_published_intervals(successes, n, low, high):
    assert statistics.wilson(successes, n, 0.95) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.975, 0.99])
def test_wilson_is_that_of_statsmodels_to_the_last_bit(confidence):
    for n in (1, 2, 3, 10, 60, 1245):
        for successes in np.arange(0.5, n, 0.5):
            theirs = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
            assert statistics.wilson(successes, n, confidence) == theirs


def test_mcnemar_is_that_of_statsmodels_to_the_last_bit():
    for first in range(0, 60, 3):
        for second in range(0, 90, 7):
            theirs = mcnemar([[0, first], [second, 0]], exact=True).pvalue
            assert statistics.mcnemar_exact(first, second) == theirs


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, np.nan])), max_size=30))
def test_holm_is_that_of_statsmodels_to_the_last_bit(p_values):
    made = ~np.isnan(p_values)
    ours = statistics.holm(p_values)
    assert np.isnan(ours[~made]).all()
    if made.any():
        # It collects garbage at every call, which takes longer than all the rest.
        with mock.patch("gc.collect"):
            theirs = multipletests(np.array(p_values)[made], method="holm")[1]
        assert np.array_equal(ours[made], theirs)


@given(st.lists(st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.2, 0.6])), st.booleans())))
def test_the_area_under_the_curve_is_that_of_scikit_learn_to_the_last_bit(items):
    score, positive = np.array([s for s, _ in items]), np.array([p for _, p in items], dtype=bool)
    if positive.all() or not positive.any():
        assert np.isnan(statistics.roc_auc(score, positive))
    else:
        assert statistics.roc_auc(score, positive) == roc_auc_score(positive, score)


def test_an_area_of_nothing_or_of_unequal_shapes_is_refused():
    with pytest.raises(ValueError, match="do not match"):
        statistics.roc_auc([0.5], [True, False])
    with pytest.raises(ValueError, match="do not match"):
        statistics.roc_auc([np.nan, 0.2], [True, False])


def test_wilson_of_nothing_is_nan():
    assert np.isnan(statistics.wilson(0, 0, 0.95)).all()


@given(st.integers(1, 400), st.integers(0, 2**32), st.integers(1, 5))
def test_every_resample_has_as_many_items_as_the_sample(n_items, seed, draws):
    counts = statistics.bootstrap_counts(n_items, draws, seed)
    assert counts.shape == (draws, n_items)
    assert (counts.sum(axis=1) == n_items).all()


def test_resamples_are_those_of_the_multinomial_distribution():
    n_items, draws = 50, 20_000
    counts = statistics.bootstrap_counts(n_items, draws, seed=1).astype(float)
    # Var(count) = 1 - 1/n, Cov(count, other count) = -1/n
    covariance = np.cov(counts[:, :2].T)
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.04)
    assert np.diag(covariance) == pytest.approx(1 - 1 / n_items, abs=0.05)
    assert covariance[0, 1] == pytest.approx(-1 / n_items, abs=0.03)
    # P(an item is left out) = (1 - 1/n)^n
    assert (counts == 0).mean() == pytest.approx((1 - 1 / n_items) ** n_items, abs=0.005)


def test_resamples_depend_on_the_seed_alone():
    counts = statistics.bootstrap_counts(30, 10, seed=5)
    assert np.array_equal(counts, statistics.bootstrap_counts(30, 10, seed=5))
    assert np.array_equal(counts, statistics.bootstrap_counts(30, 40, seed=5)[:10])
    assert not np.array_equal(counts, statistics.bootstrap_counts(30, 10, seed=6))


def test_no_items_give_empty_resamples():
    assert statistics.bootstrap_counts(0, 3, seed=0).shape == (3, 0)


def test_two_personas_with_a_constant_difference_have_an_interval_of_no_width():
    values = np.random.default_rng(0).normal(size=40)
    draws = [
        statistics.bootstrap_counts(40, 200, seed=3) @ column / 40
        for column in (values, values + 0.25)
    ]
    low, high = statistics.percentile_interval(draws[1] - draws[0], 0.95)
    assert low == pytest.approx(0.25)
    assert high == pytest.approx(0.25)


def test_interval_of_a_mean_is_the_normal_approximation_for_many_items():
    n_items = 2000
    values = np.random.default_rng(0).normal(3, 2, size=n_items)
    draws = statistics.bootstrap_counts(n_items, 4000, seed=1) @ values / n_items
    interval = statistics.percentile_interval(draws, 0.9)
    expected = stats.norm.interval(0.9, values.mean(), values.std() / np.sqrt(n_items))
    assert interval == pytest.approx(expected, abs=0.006)


def test_interval_takes_the_percentiles_of_every_column():
    # 0, 1, …, 100 has its q-th percentile at q.
    column = np.random.default_rng(0).permutation(np.arange(101.0))
    low, high = statistics.percentile_interval(np.stack([column, 2 * column], axis=1), 0.9)
    assert low == pytest.approx([5, 10])
    assert high == pytest.approx([95, 190])


def test_undefined_draws_are_left_out_and_a_column_of_them_is_nan():
    nan = float("nan")
    values = np.array([[1.0, nan], [nan, nan], [3.0, nan]])
    low, high = statistics.percentile_interval(values, 0.5)
    assert [low[0], high[0]] == pytest.approx([1.5, 2.5])
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(statistics.percentile_interval([nan, nan], 0.95)).all()


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(first, second):
    p = statistics.mcnemar_exact(first, second)
    if first + second == 0:
        assert p == 1.0
    else:
        assert p == pytest.approx(stats.binomtest(first, first + second).pvalue)


def test_holm_by_hand():
    # sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, max(0.04 · 1, 0.06)
    adjusted = statistics.holm([0.01, 0.04, float("nan"), 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)


def test_holm_of_no_test_at_all():
    assert statistics.holm([]).shape == (0,)
    assert np.isnan(statistics.holm([float("nan")])).all()
