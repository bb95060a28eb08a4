import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from persona_paradox.kinds.triage.formulas import (
    confusion,
    confusion_metrics,
    costs,
    high_acuity_auc,
    high_acuity_auc_draws,
)
from persona_paradox.measures.statistics import bootstrap_counts

pytestmark = pytest.mark.filterwarnings("error")

SHARES = ("accuracy", "invalid_rate", "under_triage_rate", "over_triage_rate")
HIGH_OF_THREE = (True, False, False)


def measure(counts, high_acuity, under_cost=2.0, over_cost=1.0):
    return confusion_metrics(counts, high_acuity, under_cost, over_cost)


def binary_counts(hits, misses, false_alarms, correct_rejections):
    return np.array([[hits, misses, 0], [false_alarms, correct_rejections, 0]])


@st.composite
def answered_items(draw):
    n_levels = draw(st.integers(2, 6))
    level = st.integers(0, n_levels - 1)
    pairs = draw(st.lists(st.tuples(level, st.integers(-1, n_levels - 1)), min_size=1))
    reference, answer = np.array(pairs).T
    return n_levels, reference, answer


def test_counts_by_hand():
    counts = confusion([0, 0, 1, 2, 2, 2], [0, -1, 2, 2, 0, 0], 3)
    assert counts.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [2, 0, 1, 0]]


@given(answered_items(), st.integers(0, 1000))
def test_weighted_counts_are_those_of_the_items_drawn(items, seed):
    n_levels, reference, answer = items
    weights = bootstrap_counts(len(reference), 4, seed)
    counts = confusion(reference, answer, n_levels, weights)
    labels = [*range(n_levels), -1]
    for weight, table in zip(weights, counts, strict=True):
        expected = sklearn_metrics.confusion_matrix(
            np.repeat(reference, weight), np.repeat(answer, weight), labels=labels
        )
        assert np.array_equal(table, expected[:n_levels])


def test_no_items_give_zero_counts():
    assert not confusion([], [], 3).any()
    assert confusion([], [], 3, np.zeros((2, 0))).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("reference", "answer"), [([3], [0]), ([-1], [0]), ([0], [3]), ([0], [-2]), ([0, 1], [0])]
)
def test_levels_out_of_range_are_refused(reference, answer):
    with pytest.raises(ValueError, match=r"level|answer"):
        confusion(reference, answer, 3)


def test_counts_that_do_not_fit_the_levels_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        measure(np.zeros((3, 3)), HIGH_OF_THREE)


def test_every_figure_of_a_three_level_table_by_hand():
    # reference by answer: most urgent first, the last column not valid
    result = measure([[4, 2, 1, 1], [1, 6, 2, 1], [0, 3, 5, 0]], HIGH_OF_THREE)
    assert result["accuracy"] == pytest.approx(15 / 26)
    assert result["under_triage_rate"] == pytest.approx(5 / 26)
    assert result["over_triage_rate"] == pytest.approx(4 / 26)
    assert result["invalid_rate"] == pytest.approx(2 / 26)
    # under-triage: 2 + 2 by one level, 1 by two; over-triage: 1 + 3 by one level
    assert result["level_error"] == pytest.approx((4 - 6) / 24)
    assert result["cost"] == pytest.approx((6 * 2 + 4 * 1) / 24)
    assert result["sensitivity"] == pytest.approx(4 / 7)
    assert result["specificity"] == pytest.approx(16 / 17)
    # margins 7, 9, 8 and 5, 11, 8; disagreement expected by chance
    linear = (7 * 11 + 2 * 7 * 8 + 9 * 5 + 9 * 8 + 2 * 8 * 5 + 8 * 11) / 24
    quadratic = (7 * 11 + 4 * 7 * 8 + 9 * 5 + 9 * 8 + 4 * 8 * 5 + 8 * 11) / 24
    assert result["kappa_linear"] == pytest.approx(1 - (2 + 2 * 1 + 1 + 2 + 3) / linear)
    assert result["kappa_quadratic"] == pytest.approx(1 - (2 + 4 * 1 + 1 + 2 + 3) / quadratic)


@given(answered_items())
def test_right_wrong_and_invalid_add_up_to_all_items(items):
    n_levels, reference, answer = items
    result = measure(confusion(reference, answer, n_levels), np.arange(n_levels) < 1)
    assert sum(result[name] for name in SHARES) == pytest.approx(1)
    assert result["accuracy"] == pytest.approx(np.mean(reference == answer))


@given(answered_items())
def test_kappa_is_scikit_learns(items):
    n_levels, reference, answer = items
    result = measure(confusion(reference, answer, n_levels), np.arange(n_levels) < 1)
    valid = answer >= 0
    # One level throughout on both sides: no disagreement is to be expected.
    undefined = len({*reference[valid], *answer[valid]}) < 2
    for weights in ("linear", "quadratic"):
        kappa = result[f"kappa_{weights}"]
        if undefined:
            assert np.isnan(kappa)
        else:
            expected = sklearn_metrics.cohen_kappa_score(
                reference[valid], answer[valid], labels=range(n_levels), weights=weights
            )
            assert kappa == pytest.approx(expected)


def test_draws_of_any_shape_are_measured_each_from_its_own_items():
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 4, size=80)
    answer = np.clip(reference + generator.integers(-1, 2, size=80), 0, 3)
    weights = bootstrap_counts(80, 6, seed=1)
    result = measure(confusion(reference, answer, 4, weights).reshape(2, 3, 4, 5), [1, 1, 0, 0])
    for draw, weight in zip(np.ndindex(2, 3), weights, strict=True):
        items = np.repeat(reference, weight), np.repeat(answer, weight)
        assert result["accuracy"][draw] == pytest.approx(np.mean(items[0] == items[1]))
        assert result["level_error"][draw] == pytest.approx(np.mean(items[0] - items[1]))
        assert result["kappa_quadratic"][draw] == pytest.approx(
            sklearn_metrics.cohen_kappa_score(*items, weights="quadratic")
        )
        assert result["sensitivity"][draw] == pytest.approx(
            sklearn_metrics.recall_score(items[0] < 2, items[1] < 2)
        )


def test_d_prime_and_criterion_of_a_published_example():
    # Wickens 2002, as in the R package statpsych: signal(82, 46, 100, 100)
    result = measure(binary_counts(82, 18, 46, 54), [True, False])
    assert result["d_prime"] == pytest.approx(1.002793, abs=1e-6)
    assert result["criterion"] == pytest.approx(-0.4019603, abs=1e-7)


def test_log_linear_correction_at_the_extremes():
    # corrected rates 19.5 / 20 = 0.975 and 0.5 / 20 = 0.025, of z = ±1.959964
    perfect = measure(binary_counts(19, 0, 0, 19), [True, False])
    assert perfect["d_prime"] == pytest.approx(2 * 1.959964, abs=1e-6)
    assert perfect["criterion"] == pytest.approx(0, abs=1e-12)
    never = measure(binary_counts(0, 19, 0, 19), [True, False])
    assert never["d_prime"] == pytest.approx(0, abs=1e-12)
    assert never["criterion"] == pytest.approx(1.959964, abs=1e-6)


@given(st.floats(-2, 2), st.floats(0, 3))
def test_the_normal_model_is_recovered(criterion, d_prime):
    n = 10**6
    hits = round(n * stats.norm.sf(criterion - d_prime / 2))
    false_alarms = round(n * stats.norm.sf(criterion + d_prime / 2))
    counts = binary_counts(hits, n - hits, false_alarms, n - false_alarms)
    result = measure(counts, [True, False])
    assert result["criterion"] == pytest.approx(criterion, abs=0.01)
    assert result["d_prime"] == pytest.approx(d_prime, abs=0.01)


def test_a_model_that_avoids_emergencies_takes_risks():
    reference = [0, 0, 0, 1, 1, 1]
    timid = measure(confusion(reference, [0, 0, 0, 0, 0, 1], 2), [True, False])
    bold = measure(confusion(reference, [0, 1, 1, 1, 1, 1], 2), [True, False])
    assert timid["criterion"] < 0 < bold["criterion"]
    assert bold["level_error"] < 0 < timid["level_error"]
    assert bold["under_triage_rate"] == pytest.approx(2 / 6)
    assert timid["over_triage_rate"] == pytest.approx(2 / 6)


def test_undefined_figures_are_nan():
    nothing = measure(np.zeros((3, 4)), HIGH_OF_THREE)
    assert all(np.isnan(value) for value in nothing.values())

    only_invalid = measure(confusion([0, 1], [-1, -1], 3), HIGH_OF_THREE)
    defined = {name for name, value in only_invalid.items() if not np.isnan(value)}
    assert defined == set(SHARES)
    assert only_invalid["invalid_rate"] == 1

    no_high = measure(confusion([1, 2], [0, 2], 3), HIGH_OF_THREE)
    undefined = {name for name, value in no_high.items() if np.isnan(value)}
    assert undefined == {"sensitivity", "criterion", "d_prime"}

    no_low = measure(confusion([0, 0], [0, 2], 3), HIGH_OF_THREE)
    undefined = {name for name, value in no_low.items() if np.isnan(value)}
    assert undefined == {"specificity", "criterion", "d_prime"}


def test_auc_is_the_share_of_pairs_in_the_right_order():
    generator = np.random.default_rng(0)
    p_high = generator.integers(0, 20, size=80) / 20
    is_high = generator.random(80) < p_high
    u = stats.mannwhitneyu(p_high[is_high], p_high[~is_high]).statistic
    assert high_acuity_auc(p_high, is_high) == pytest.approx(u / is_high.sum() / (~is_high).sum())


@pytest.mark.parametrize("is_high", [[], [True, True], [False, False]])
def test_auc_of_one_class_is_nan(is_high):
    assert np.isnan(high_acuity_auc([0.5] * len(is_high), is_high))


@pytest.mark.parametrize("seed", range(5))
def test_auc_of_a_draw_is_the_weighted_area_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    is_high = rng.random(40) < 0.4
    p_high = rng.integers(0, 8, 40) / 8  # with ties
    counts = bootstrap_counts(40, 30, seed)
    ours = high_acuity_auc_draws(p_high, is_high, counts)
    theirs = [
        sklearn_metrics.roc_auc_score(is_high, p_high, sample_weight=weights) for weights in counts
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_auc_of_a_draw_with_one_class_is_nan():
    drawn = high_acuity_auc_draws([0.1, 0.9], [False, True], [[2, 0], [1, 1]])
    np.testing.assert_array_equal(drawn, [np.nan, 1.0])


def test_the_nurses_of_the_ktas_records_score_as_published(data_dir):
    path = data_dir / "ktas1267" / "ktas_clean.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    expert = np.array([row["ktas_expert"] for row in rows]) - 1
    nurse = np.array([row["ktas_nurse"] for row in rows]) - 1
    result = measure(confusion(expert, nurse, 5), [True, True, False, False, False])
    # Moon et al. 2019, doi 10.1371/journal.pone.0216972
    assert len(rows) == 1267
    assert round((1 - float(result["accuracy"])) * 1267, 6) == 186
    assert round(float(result["under_triage_rate"]) * 1267, 6) == 131
    assert round(float(result["over_triage_rate"]) * 1267, 6) == 55
    assert round(float(result["kappa_linear"]), 2) == 0.83
    assert result["invalid_rate"] == 0


@given(answered_items(), st.floats(0, 5), st.floats(0, 5))
def test_costs_of_items_have_the_mean_of_the_counts(items, under, over):
    n_levels, reference, answer = items
    found = costs(reference, answer, under, over)
    assert (np.isnan(found) == (answer < 0)).all()
    for one, right, said in zip(found, reference, answer, strict=True):
        if said > right:
            assert one == pytest.approx(under * (said - right))
        elif said >= 0:
            assert one == pytest.approx(over * (right - said))
    if (answer >= 0).any():
        counts = confusion(reference, answer, n_levels)
        mean = measure(counts, np.arange(n_levels) < 1, under, over)["cost"]
        assert np.nanmean(found) == pytest.approx(mean)
