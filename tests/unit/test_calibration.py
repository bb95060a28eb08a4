import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quiet import assert_quiet
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from persona_paradox.measures.calibration import calibration_draws, calibration_metrics
from persona_paradox.measures.calibration_curves import reliability_bins, risk_coverage
from persona_paradox.measures.statistics import (
    bootstrap_counts,
    cluster_counts,
    percentile_interval,
)
from persona_paradox.names import CALIBRATION


def intervals_of(confidence, correct, draws, seed):
    counts = bootstrap_counts(len(confidence), draws, seed)
    drawn = calibration_draws(confidence, correct, BINS, counts)
    return {name: percentile_interval(values, 0.95) for name, values in drawn.items()}


pytestmark = pytest.mark.filterwarnings("error")

BINS = 10


def sample(n, seed=0, power=2.0):
    """Continuous confidences of an overconfident model, and what came of them."""
    generator = np.random.default_rng(seed)
    confidence = generator.beta(4, 2, size=n)
    return confidence, generator.random(n) < confidence**power


def saturated(n, seed=0):
    """Many confidences of exactly 1, and some of exactly 0."""
    generator = np.random.default_rng(seed)
    confidence = np.clip(generator.normal(0.8, 0.5, size=n), 0, 1)
    return confidence, generator.random(n) < 0.7


def tied(n, seed=0):
    generator = np.random.default_rng(seed)
    confidence = generator.choice([0.2, 0.3, 0.6, 0.9], size=n)
    return confidence, generator.random(n) < confidence


def naive_ece(confidence, correct, edges):
    total = 0.0
    for number in range(len(edges) - 1):
        last = number == len(edges) - 2
        inside = [
            index
            for index, value in enumerate(confidence)
            if edges[number] <= value and (value < edges[number + 1] or last)
        ]
        if inside:
            gap = np.mean(confidence[inside]) - np.mean(correct[inside])
            total += len(inside) / len(confidence) * abs(gap)
    return total


def mass_edges(confidence):
    # Inner edges alone decide; a confidence of 1 belongs to the last bin, as in netcal.
    edges = np.quantile(np.clip(confidence, 1e-15, 1 - 1e-15), np.linspace(0, 1, BINS + 1))
    edges[0], edges[-1] = 0, 1
    return edges


def sure(n, seed=0):
    """A model that is almost never wrong, and knows it."""
    generator = np.random.default_rng(seed)
    return 1 - 0.01 * generator.random(n), np.arange(n) % 150 != 7


def far_off(n, seed=0):
    """An overconfident model, off by more than a half."""
    generator = np.random.default_rng(seed)
    return generator.uniform(0.9, 1, size=n), generator.random(n) < 0.3


CASES = {
    "continuous": sample(200),
    "few": sample(7, seed=2),
    "saturated": saturated(60),
    "tied": tied(60),
    "constant": (np.full(40, 0.7), np.arange(40) % 2 == 0),
    "all certain": (np.ones(30), np.arange(30) % 5 > 0),
    "all zero": (np.zeros(30), np.arange(30) % 5 > 0),
    "on the edges": (np.linspace(0, 1, 11), np.arange(11) % 2 == 0),
    "sure": sure(300),
    "far off": far_off(100),
    "one": (np.array([0.7]), np.array([True])),
    "one certain": (np.array([1.0]), np.array([False])),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [*CASES, 2, 6, 60, 1245])
def test_figures_of_netcal_and_relplot_are_theirs_to_the_last_bit(n):
    from netcal.metrics.confidence import ECE, MCE  # noqa: PLC0415 - they take seconds
    from relplot import smECE  # noqa: PLC0415

    confidence, correct = CASES[n] if n in CASES else sample(n, seed=n)
    outcome = correct.astype(float)
    result = calibration_metrics(confidence, correct, BINS)
    assert result["ece_equal_width"] == ECE(BINS).measure(confidence, outcome)
    assert result["mce"] == MCE(BINS).measure(confidence, outcome)
    if np.unique(mass_edges(confidence)).size == BINS + 1:
        mass = ECE(BINS, equal_intervals=False).measure(confidence, outcome)
        assert result["ece_equal_mass"] == mass
    place = np.clip(confidence, 0.001, 0.999)
    assert result["smooth_ece"] == smECE(place, outcome + place - confidence)


@pytest.mark.parametrize("case", CASES)
def test_binned_errors_are_the_naive_sum_over_bins(case):
    confidence, correct = CASES[case]
    result = calibration_metrics(confidence, correct, BINS)
    width = naive_ece(confidence, correct, np.linspace(0, 1, BINS + 1))
    assert result["ece_equal_width"] == pytest.approx(width, abs=1e-12)
    mass = naive_ece(confidence, correct, mass_edges(confidence))
    assert result["ece_equal_mass"] == pytest.approx(mass, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "strategy"), [("ece_equal_width", "uniform"), ("ece_equal_mass", "quantile")]
)
def test_binned_errors_are_those_of_scikit_learns_curve(name, strategy):
    confidence, correct = sample(500)
    accuracy, mean_confidence = calibration_curve(
        correct, confidence, n_bins=BINS, strategy=strategy
    )
    if strategy == "uniform":
        n = np.histogram(confidence, np.linspace(0, 1, BINS + 1))[0]
    else:
        n = np.full(BINS, len(confidence) / BINS)
    expected = np.sum(n[n > 0] * np.abs(accuracy - mean_confidence)) / len(confidence)
    assert calibration_metrics(confidence, correct, BINS)[name] == pytest.approx(expected)


def test_scores_are_scikit_learns():
    confidence, correct = sample(300)
    result = calibration_metrics(confidence, correct, BINS)
    assert result["brier"] == pytest.approx(brier_score_loss(correct, confidence))
    assert result["log_loss"] == pytest.approx(log_loss(correct, confidence))


def test_means_by_hand():
    result = calibration_metrics([0.9, 0.8, 0.5, 0.6], [True, False, True, True], BINS)
    assert result["mean_confidence"] == pytest.approx(0.7)
    assert result["accuracy"] == pytest.approx(0.75)
    assert result["overconfidence"] == pytest.approx(-0.05)
    assert result["brier"] == pytest.approx((0.01 + 0.64 + 0.25 + 0.16) / 4)


def test_log_loss_stays_finite_where_a_certain_answer_is_wrong():
    result = calibration_metrics([1.0, 0.0], [False, True], BINS)
    assert result["log_loss"] == pytest.approx(12 * np.log(10), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 0.98), st.integers(0, 50))
def test_every_error_of_one_confidence_is_the_gap(confidence, successes):
    result = calibration_metrics(np.full(50, confidence), np.arange(50) < successes, BINS)
    gap = abs(confidence - successes / 50)
    assert result["ece_equal_width"] == pytest.approx(gap, abs=1e-12)
    assert result["ece_equal_mass"] == pytest.approx(gap, abs=1e-12)
    assert result["smooth_ece"] == pytest.approx(gap, abs=2e-3)


def test_errors_vanish_for_a_calibrated_model_and_many_items():
    confidence, correct = sample(20_000, power=1.0)
    result = calibration_metrics(confidence, correct, BINS)
    for name in ("ece_equal_width", "ece_equal_mass", "smooth_ece"):
        assert result[name] < 0.02
    assert abs(result["overconfidence"]) < 0.01


def test_smooth_error_gives_certain_answers_their_full_weight():
    # Half the answers have a confidence of 1 and are right in 80%, the other half is calibrated.
    confidence = np.repeat([1.0, 0.5], 100)
    correct = np.concatenate([np.arange(100) % 5 > 0, np.arange(100) % 2 == 0])
    assert calibration_metrics(confidence, correct, BINS)["smooth_ece"] == pytest.approx(
        0.1, abs=2e-3
    )


def test_a_perfect_model_has_no_error():
    result = calibration_metrics(np.ones(20), np.ones(20, dtype=bool), BINS)
    for name in ("ece_equal_width", "ece_equal_mass", "smooth_ece", "brier", "log_loss"):
        assert result[name] == pytest.approx(0, abs=1e-11)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_resample_is_measured_as_the_libraries_measure_its_items(case, seed):
    confidence, correct = CASES[case]
    counts = bootstrap_counts(len(confidence), 1, seed)
    measured = calibration_draws(confidence, correct, BINS, counts)
    drawn = np.repeat(np.arange(len(confidence)), counts[0])
    expected = calibration_metrics(confidence[drawn], correct[drawn], BINS)
    expected["ece_equal_mass"] = naive_ece(
        confidence[drawn], correct[drawn], mass_edges(confidence[drawn])
    )
    for name in CALIBRATION:
        tolerance = 1e-3 if name == "smooth_ece" else 1e-12
        assert measured[name] == pytest.approx([expected[name]], abs=tolerance, nan_ok=True)


def test_resamples_of_unequal_size_are_measured_item_by_item():
    confidence, correct = sample(60, seed=5)
    cluster = np.arange(60) // np.repeat([1, 3, 8], 20)
    counts = np.vstack([cluster_counts(cluster, 4, 3), np.zeros(60, dtype=np.uint8)])
    assert len(set(counts.sum(axis=1))) > 3
    measured = calibration_draws(confidence, correct, BINS, counts)
    for draw, row in enumerate(counts[:-1]):
        drawn = np.repeat(np.arange(60), row)
        expected = calibration_metrics(confidence[drawn], correct[drawn], BINS)
        for name in CALIBRATION:
            if name != "ece_equal_mass":  # netcal's bins differ where quantiles coincide
                assert measured[name][draw] == pytest.approx(expected[name], abs=1e-3, nan_ok=True)
    assert all(np.isnan(values[-1]) for values in measured.values())


def test_intervals_of_means_are_the_normal_approximation_for_many_items():
    confidence, correct = sample(1000)
    intervals = intervals_of(confidence, correct, 2000, 1)
    for name, value in {
        "accuracy": correct.astype(float),
        "mean_confidence": confidence,
        "overconfidence": confidence - correct,
        "brier": (confidence - correct) ** 2,
    }.items():
        error = value.std() / np.sqrt(len(value))
        expected = stats.norm.interval(0.95, value.mean(), error)
        assert intervals[name] == pytest.approx(expected, abs=0.3 * error)


def test_the_seed_decides_the_intervals():
    def intervals(seed):
        return intervals_of(*sample(50), 50, seed)

    assert intervals(1) == intervals(1)
    assert intervals(1) != intervals(2)


def test_the_number_of_threads_does_not_decide_the_intervals():
    confidence, correct = sample(1245, seed=1245)

    def intervals(threads):
        with threadpool_limits(threads):
            return intervals_of(confidence, correct, 2000, 1)

    assert intervals(1) == intervals(2)


def test_no_items_give_nan():
    assert all(np.isnan(value) for value in calibration_metrics([], [], BINS).values())
    drawn = calibration_draws([], [], BINS, np.zeros((5, 0)))
    assert set(drawn) == set(CALIBRATION)
    assert np.isnan(list(drawn.values())).all()
    rows = reliability_bins([], [], BINS, 0.95)
    assert [row["n"] for row in rows] == [0] * BINS


@pytest.mark.parametrize(
    ("confidence", "correct"), [([0.5, 1.1], [1, 0]), ([-0.1], [1]), ([np.nan], [1]), ([0.5], [])]
)
def test_bad_confidences_are_refused(confidence, correct):
    with pytest.raises(ValueError, match="confidence"):
        calibration_metrics(confidence, correct, BINS)


def test_the_rounding_error_of_a_softmax_is_let_pass():
    assert calibration_metrics([1 + 1e-15], [True], BINS)["mean_confidence"] == 1.0


def naive_debiased(confidence, correct, edges):
    """Kumar, Liang and Ma's formula, bin by bin."""
    member = np.searchsorted(edges[1:-1], confidence, side="right")
    total = 0.0
    for number in range(len(edges) - 1):
        p, y = confidence[member == number], correct[member == number].astype(float)
        if len(y) > 1:
            gap = (p.mean() - y.mean()) ** 2 - y.mean() * (1 - y.mean()) / (len(y) - 1)
            total += len(y) / len(confidence) * gap
    return np.sqrt(max(total, 0))


@pytest.mark.parametrize("case", CASES)
def test_the_debiased_error_is_the_published_formula(case):
    confidence, correct = CASES[case]
    expected = naive_debiased(confidence, correct, mass_edges(confidence))
    result = calibration_metrics(confidence, correct, BINS)["ece_debiased"]
    assert result == pytest.approx(expected, abs=1e-12)


def test_the_debiased_error_by_hand():
    confidence = [0.2, 0.2, 0.3, 0.3, 0.7, 0.7, 0.9, 0.9]
    # The median is 0.5. Below: mean 0.25, 1 of 4 correct: 0 - 0.25 0.75 / 3 = -0.0625.
    # Above: mean 0.8, none correct: 0.64 - 0.
    correct = [True, False, False, False, False, False, False, False]
    result = calibration_metrics(confidence, correct, 2)
    assert result["ece_debiased"] == pytest.approx(np.sqrt((0.64 - 0.0625) / 2))
    # Above: 3 of 4 correct: 0.05² - 0.75 0.25 / 3 = -0.06. Less than nothing is nothing.
    correct = [True, False, False, False, True, True, True, False]
    assert calibration_metrics(confidence, correct, 2)["ece_debiased"] == 0
    # Bins of one item count nothing.
    assert calibration_metrics([0.2, 0.9], [True, False], 2)["ece_debiased"] == 0


@pytest.mark.simulation
def test_few_items_bias_the_binned_errors_most():
    generator = np.random.default_rng(45)
    results = []
    for _ in range(150):
        confidence = generator.uniform(1 / 3, 1, size=45)
        correct = generator.random(45) < confidence
        results.append(calibration_metrics(confidence, correct, BINS))
    mean = {name: np.mean([result[name] for result in results]) for name in CALIBRATION}
    assert mean["ece_equal_width"] > 0.1
    assert mean["ece_debiased"] < 0.75 * mean["ece_equal_width"]
    assert mean["smooth_ece"] < 0.75 * mean["ece_equal_width"]
    assert mean["ece_debiased"] < 0.75 * mean["ece_equal_mass"]


@pytest.mark.simulation
def test_the_squared_error_is_debiased():
    # The truth is a gap of 0.1; what the plain root mean square adds at this size is 0.03.
    generator = np.random.default_rng(1)
    squares = []
    for _ in range(300):
        confidence = generator.uniform(0.5, 0.9, size=200)
        correct = generator.random(200) < confidence - 0.1
        squares.append(calibration_metrics(confidence, correct, BINS)["ece_debiased"] ** 2)
    error = np.std(squares) / np.sqrt(len(squares))
    assert np.mean(squares) == pytest.approx(0.01, abs=4 * error)


samples = st.lists(
    st.tuples(st.integers(0, 40).map(lambda i: i / 40) | st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=30,
).map(lambda pairs: tuple(np.array(column) for column in zip(*pairs, strict=True)))


@settings(max_examples=100, deadline=None)
@given(samples, st.integers(1, 12))
def test_the_brier_score_is_the_sum_of_its_parts(pairs, bins):
    result = calibration_metrics(*pairs, bins)
    parts = (
        result["reliability"]
        - result["resolution"]
        + result["uncertainty"]
        + result["within_bin_variance"]
        - result["within_bin_covariance"]
    )
    assert parts == pytest.approx(result["brier"], abs=1e-12)
    assert result["uncertainty"] == pytest.approx(np.var(pairs[1]))
    for name in ("reliability", "resolution", "uncertainty", "within_bin_variance"):
        assert result[name] >= 0


def test_the_parts_of_the_brier_score_by_hand():
    confidence = np.repeat([0.25, 0.75], 4)
    correct = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    result = calibration_metrics(confidence, correct, BINS)
    assert result["reliability"] == 0
    assert result["resolution"] == pytest.approx(0.0625)
    assert result["uncertainty"] == 0.25
    assert result["within_bin_variance"] == pytest.approx(0, abs=1e-16)
    assert result["within_bin_covariance"] == pytest.approx(0, abs=1e-16)
    # One bin of confidences 0.2, 0.4, 0.6, of which the last is correct: mean 0.4, accuracy 1/3;
    # (0.04 + 0 + 0.04) / 3, and 2 (0.2 1/3 + 0 + 0.2 2/3) / 3.
    result = calibration_metrics([0.2, 0.4, 0.6], [False, False, True], 1)
    assert result["reliability"] == pytest.approx((0.4 - 1 / 3) ** 2)
    assert result["resolution"] == 0
    assert result["within_bin_variance"] == pytest.approx(0.08 / 3)
    assert result["within_bin_covariance"] == pytest.approx(0.4 / 3)


@settings(max_examples=50, deadline=None)
@given(samples, st.integers(1, 12))
def test_the_errors_keep_their_order(pairs, bins):
    result = calibration_metrics(*pairs, bins)
    root = np.sqrt(result["reliability"])
    assert result["mce"] >= root - 1e-9
    assert root >= result["ece_equal_width"] - 1e-9
    # Taking all items together can only cancel.
    for name in ("ece_equal_width", "ece_equal_mass"):
        assert result[name] >= abs(result["overconfidence"]) - 1e-9


def test_the_maximum_error_by_hand():
    confidence, correct = [0.15, 0.25, 0.25, 0.95], [False, True, False, True]
    assert calibration_metrics(confidence, correct, BINS)["mce"] == pytest.approx(0.25)


@pytest.mark.parametrize("case", CASES)
def test_auroc_is_the_share_of_pairs_in_order(case):
    confidence, correct = CASES[case]
    pairs = confidence[correct][:, None] - confidence[~correct]
    result = calibration_metrics(confidence, correct, BINS)["auroc"]
    if pairs.size:
        assert result == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())
    else:
        assert np.isnan(result)


def test_resamples_without_a_wrong_answer_do_not_count_in_the_auroc():
    confidence, correct = np.linspace(0.5, 0.9, 8), np.arange(8) != 3
    counts = bootstrap_counts(8, 200, 1)
    measured = calibration_draws(confidence, correct, BINS, counts)["auroc"]
    drawn = []
    for row in counts:
        index = np.repeat(np.arange(8), row)
        if not correct[index].all():
            drawn.append(roc_auc_score(correct[index], confidence[index]))
    assert len(drawn) < 200
    assert measured[~np.isnan(measured)] == pytest.approx(drawn)


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], (0 + 1 / 2 + 1 / 3 + 2 / 4) / 4),
        ([0.6, 0.9, 0.7, 0.8], [0, 1, 1, 0], (0 + 1 / 2 + 1 / 3 + 2 / 4) / 4),
        # Two items each: a share of 1/2 wrong, then 1/4.
        ([0.9, 0.9, 0.5, 0.5], [1, 0, 1, 1], 3 / 8),
        ([0.9, 0.9, 0.5, 0.5], [0, 1, 1, 1], 3 / 8),
        ([0.7, 0.7, 0.7], [1, 0, 0], 2 / 3),
    ],
)
def test_the_area_under_the_risk_coverage_curve_by_hand(confidence, correct, expected):
    result = calibration_metrics(confidence, np.array(correct, dtype=bool), BINS)
    assert result["aurc"] == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(samples)
def test_the_risk_coverage_curve(pairs):
    confidence, correct = pairs
    rows = risk_coverage(confidence, correct, 0.95)
    assert [row["threshold"] for row in rows] == sorted(set(confidence.tolist()), reverse=True)
    for row in rows:
        inside = confidence >= row["threshold"]
        assert row["n"] == inside.sum()
        assert row["coverage"] == pytest.approx(inside.mean())
        assert row["accuracy"] == pytest.approx(correct[inside].mean())
        assert row["low"] <= row["accuracy"] <= row["high"]
    assert rows[-1]["coverage"] == 1
    assert rows[-1]["accuracy"] == pytest.approx(correct.mean())
    entering = np.diff([row["n"] for row in rows], prepend=0)
    area = np.average([1 - row["accuracy"] for row in rows], weights=entering)
    assert calibration_metrics(*pairs, BINS)["aurc"] == pytest.approx(area)


def test_the_risk_coverage_curve_of_nothing_is_empty():
    assert risk_coverage([], [], 0.95) == []


def test_many_resamples_are_measured_as_one_is():
    # More than the 512 of a block, of a model that needs other bandwidths for each.
    confidence, correct = sample(80, seed=4, power=1.0)

    counts = bootstrap_counts(80, 520, 3)
    measured = calibration_draws(confidence, correct, BINS, counts)
    drawn = [np.repeat(np.arange(80), row) for row in counts]
    each = [calibration_metrics(confidence[d], correct[d], BINS) for d in drawn]
    for name, values in measured.items():
        tolerance = 1e-3 if name == "smooth_ece" else 1e-12
        assert values == pytest.approx([result[name] for result in each], abs=tolerance)


def test_reliability_bins_by_hand():
    rows = reliability_bins([0.1, 0.3, 0.5, 0.74, 1.0], [True, False, True, True, False], 4, 0.95)
    assert [row["bin"] for row in rows] == [0, 1, 2, 3]
    assert [(row["lower"], row["upper"]) for row in rows] == [
        (0, 0.25),
        (0.25, 0.5),
        (0.5, 0.75),
        (0.75, 1),
    ]
    assert [row["n"] for row in rows] == [1, 1, 2, 1]
    assert [row["mean_confidence"] for row in rows] == pytest.approx([0.1, 0.3, 0.62, 1.0])
    assert [row["accuracy"] for row in rows] == [1, 0, 1, 0]
    # Wilson's closed form for x = n: n / (n + z²) to 1
    square = stats.norm.ppf(0.975) ** 2
    assert (rows[2]["low"], rows[2]["high"]) == pytest.approx((2 / (2 + square), 1))


def test_an_empty_bin_is_kept_without_figures():
    row = reliability_bins([0.9], [True], 2, 0.95)[0]
    assert row["n"] == 0
    assert np.isnan([row[key] for key in ("mean_confidence", "accuracy", "low", "high")]).all()


@pytest.mark.parametrize("case", CASES)
def test_the_diagram_shows_the_bins_of_the_error(case):
    confidence, correct = CASES[case]
    rows = [row for row in reliability_bins(confidence, correct, BINS, 0.95) if row["n"]]
    error = sum(row["n"] * abs(row["mean_confidence"] - row["accuracy"]) for row in rows)
    result = calibration_metrics(confidence, correct, BINS)["ece_equal_width"]
    assert result == pytest.approx(error / len(confidence), abs=1e-12)


def test_the_libraries_keep_quiet():
    code = (
        "from persona_paradox.measures.calibration import calibration_metrics\n"
        "calibration_metrics([0.5, 1.0], [True, False], 10)\n"
    )
    assert_quiet(code)
