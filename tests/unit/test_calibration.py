import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from threadpoolctl import threadpool_limits

from persona_paradox.calibration import (
    METRICS,
    calibration_intervals,
    calibration_metrics,
    reliability_bins,
)
from persona_paradox.statistics import bootstrap_counts

pytestmark = pytest.mark.filterwarnings("error")

ROOT = Path(__file__).parents[2]
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


CASES = {
    "continuous": sample(200),
    "few": sample(7, seed=2),
    "saturated": saturated(60),
    "tied": tied(60),
    "constant": (np.full(40, 0.7), np.arange(40) % 2 == 0),
    "all certain": (np.ones(30), np.arange(30) % 5 > 0),
    "all zero": (np.zeros(30), np.arange(30) % 5 > 0),
    "on the edges": (np.linspace(0, 1, 11), np.arange(11) % 2 == 0),
    "one": (np.array([0.7]), np.array([True])),
    "one certain": (np.array([1.0]), np.array([False])),
}


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
    # The interval of a single draw is that draw.
    measured = calibration_intervals(
        confidence, correct, BINS, draws=1, seed=seed, confidence_level=0.95
    )
    drawn = np.repeat(np.arange(len(confidence)), bootstrap_counts(len(confidence), 1, seed)[0])
    expected = calibration_metrics(confidence[drawn], correct[drawn], BINS)
    expected["ece_equal_mass"] = naive_ece(
        confidence[drawn], correct[drawn], mass_edges(confidence[drawn])
    )
    for name in METRICS:
        low, high = measured[name]
        assert low == high
        tolerance = 5e-4 if name == "smooth_ece" else 1e-12
        assert low == pytest.approx(expected[name], abs=tolerance)


def test_intervals_of_means_are_the_normal_approximation_for_many_items():
    confidence, correct = sample(1000)
    intervals = calibration_intervals(
        confidence, correct, BINS, draws=2000, seed=1, confidence_level=0.95
    )
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
        return calibration_intervals(*sample(50), BINS, draws=50, seed=seed, confidence_level=0.95)

    assert intervals(1) == intervals(1)
    assert intervals(1) != intervals(2)


def test_the_number_of_threads_does_not_decide_the_intervals():
    confidence, correct = sample(1245, seed=1245)

    def intervals(threads):
        with threadpool_limits(threads):
            return calibration_intervals(
                confidence, correct, BINS, draws=2000, seed=1, confidence_level=0.95
            )

    assert intervals(1) == intervals(2)


def test_no_items_give_nan():
    assert all(np.isnan(value) for value in calibration_metrics([], [], BINS).values())
    intervals = calibration_intervals([], [], BINS, draws=5, seed=0, confidence_level=0.95)
    assert set(intervals) == set(METRICS)
    assert np.isnan(list(intervals.values())).all()
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
        "from persona_paradox.calibration import calibration_metrics\n"
        "calibration_metrics([0.5, 1.0], [True, False], 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        cwd=ROOT / "workflow",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert done.stderr == ""
