import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from quiet import assert_quiet
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from persona_paradox.measures.calibration import calibration_metrics
from persona_paradox.measures.folds import item_folds, stratified_folds
from persona_paradox.measures.recalibration import METHODS, cross_fitted

pytestmark = pytest.mark.filterwarnings("error")


def overconfident(n, seed=0):
    """Confidences of a model that is too sure, and what came of them."""
    generator = np.random.default_rng(seed)
    confidence = generator.beta(4, 1.5, size=n)
    return confidence, generator.random(n) < expit(0.5 * logit(confidence) - 0.3)


def test_folds_share_items_and_outcomes_evenly():
    correct = np.arange(103) % 3 == 0
    fold = stratified_folds(correct, 5, seed=1)
    for inside in (np.ones(103, dtype=bool), correct, ~correct):
        sizes = np.bincount(fold[inside], minlength=5)
        assert sizes.max() - sizes.min() <= 1
    assert np.array_equal(fold, stratified_folds(correct, 5, seed=1))
    assert not np.array_equal(fold, stratified_folds(correct, 5, seed=2))


@given(st.lists(st.booleans(), max_size=40), st.integers(2, 8), st.integers(0, 2**32))
def test_folds_of_any_outcomes(correct, folds, seed):
    fold = stratified_folds(correct, folds, seed)
    assert fold.shape == (len(correct),)
    for value in (True, False):
        sizes = np.bincount(fold[np.array(correct, dtype=bool) == value], minlength=folds)
        assert len(sizes) == folds
        assert sizes.max() - sizes.min() <= 1


def test_neither_order_nor_outcome_decides_alone():
    # The folds are drawn: over seeds an item is in all of them, whatever its outcome.
    correct = np.arange(20) < 10
    drawn = np.array([stratified_folds(correct, 4, seed) for seed in range(200)])
    for number in range(4):
        assert ((drawn == number).mean(axis=0) > 0.1).all()


def test_clusters_stay_in_one_fold():
    correct = np.arange(40) % 3 == 0
    clusters = np.arange(40) // np.repeat([1, 4], 20)
    fold = item_folds(correct, clusters, 4, seed=1)
    for cluster in np.unique(clusters):
        assert np.unique(fold[clusters == cluster]).size == 1
    assert set(fold) == {0, 1, 2, 3}
    alone = item_folds(correct, np.arange(40), 4, seed=1)
    assert np.array_equal(alone, stratified_folds(correct, 4, seed=1))


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="1 folds"):
        stratified_folds([True, False], 1, seed=0)


@pytest.mark.parametrize("method", METHODS)
def test_no_outcome_touches_its_own_fold(method):
    confidence, correct = overconfident(40)
    fold = stratified_folds(correct, 4, seed=0)
    before = cross_fitted(confidence, correct, method, fold=fold).confidence
    for item in (0, 7, 23):
        flipped = correct.copy()
        flipped[item] = ~flipped[item]
        after = cross_fitted(confidence, flipped, method, fold=fold).confidence
        same = fold == fold[item]
        assert np.array_equal(before[same], after[same])
        assert not np.array_equal(before[~same], after[~same])


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_out_and_probabilities_stay_probabilities(method):
    confidence, correct = overconfident(60)
    confidence[:4] = 0, 1, 1, 0.5
    fold = stratified_folds(correct, 5, seed=0)
    result = cross_fitted(confidence, correct, method, fold=fold)
    assert result.unfitted == {}
    assert ((result.confidence >= 0) & (result.confidence <= 1)).all()


def minimum_of_log_loss(features, correct, bounds=None):
    """Weights of a logistic regression without a penalty, by another optimizer and gradient."""

    def loss(weights):
        z = features @ weights
        return np.logaddexp(0, np.where(correct, -z, z)).mean()

    def gradient(weights):
        return features.T @ (expit(features @ weights) - correct) / len(correct)

    start = np.ones(features.shape[1])
    found = minimize(loss, start, jac=gradient, bounds=bounds, method="L-BFGS-B", tol=1e-12)
    return found.x


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_temperature_logistic_and_beta_minimize_the_log_loss(seed):
    confidence, correct = overconfident(300, seed)
    fold = stratified_folds(correct, 3, seed)
    one = np.ones_like(confidence)
    features = {
        "temperature": np.column_stack([logit(confidence)]),
        "logistic": np.column_stack([logit(confidence), one]),
        "beta": np.column_stack([np.log(confidence), -np.log(1 - confidence), one]),
    }
    bounds = {"beta": [(0, None), (0, None), (None, None)]}
    for method, matrix in features.items():
        result = cross_fitted(confidence, correct, method, fold=fold).confidence
        for number in range(3):
            inside = fold == number
            weights = minimum_of_log_loss(matrix[~inside], correct[~inside], bounds.get(method))
            expected = expit(matrix[inside] @ weights)
            assert result[inside] == pytest.approx(expected, abs=2e-3), method


def test_logistic_is_scikit_learns():
    confidence, correct = overconfident(400)
    fold = np.arange(400) % 2
    result = cross_fitted(confidence, correct, "logistic", fold=fold).confidence
    z = logit(confidence)[:, None]
    for number in range(2):
        inside = fold == number
        other = LogisticRegression(C=np.inf, tol=1e-10).fit(z[~inside], correct[~inside])
        assert result[inside] == pytest.approx(other.predict_proba(z[inside])[:, 1], abs=2e-3)


def test_isotonic_is_scikit_learns():
    confidence, correct = overconfident(100)
    confidence = np.round(confidence, 2)
    fold = stratified_folds(correct, 5, seed=0)
    result = cross_fitted(confidence, correct, "isotonic", fold=fold).confidence
    for number in range(5):
        inside = fold == number
        other = IsotonicRegression(out_of_bounds="clip").fit(confidence[~inside], correct[~inside])
        assert result[inside] == pytest.approx(other.predict(confidence[inside]))


def test_histogram_binning_is_the_accuracy_of_the_bin():
    confidence, correct = overconfident(30)
    fold = stratified_folds(correct, 3, seed=0)
    result = cross_fitted(confidence, correct, "histogram", fold=fold, bins=8).confidence
    empty = 0
    for item, value in enumerate(confidence):
        number = int(value * 8)
        others = (fold != fold[item]) & ((confidence * 8).astype(int) == number)
        empty += not others.any()
        expected = correct[others].mean() if others.any() else (number + 0.5) / 8
        assert result[item] == pytest.approx(expected)
    assert 0 < empty < 30


@pytest.mark.parametrize("method", METHODS)
def test_an_overconfident_model_is_brought_back(method):
    confidence, correct = overconfident(600, seed=5)
    fold = stratified_folds(correct, 5, seed=0)
    before = calibration_metrics(confidence, correct, 10)
    result = cross_fitted(confidence, correct, method, fold=fold).confidence
    after = calibration_metrics(result, correct, 10)
    assert after["smooth_ece"] < before["smooth_ece"] / 2
    assert after["brier"] < before["brier"]


@pytest.mark.parametrize("method", METHODS)
def test_one_outcome_alone_is_not_fitted(method):
    confidence = np.linspace(0.4, 0.9, 9)
    correct = np.ones(9, dtype=bool)
    fold = np.arange(9) % 3
    result = cross_fitted(confidence, correct, method, fold=fold)
    assert np.isnan(result.confidence).all()
    assert result.unfitted == dict.fromkeys(range(3), "all other items are correct")
    # With one wrong answer, it is its own fold that has nothing to learn from.
    correct[4] = False
    result = cross_fitted(confidence, correct, method, fold=fold)
    assert result.unfitted == {1: "all other items are correct"}
    assert np.array_equal(np.isnan(result.confidence), fold == 1)
    result = cross_fitted(confidence, ~np.ones(9, dtype=bool), method, fold=fold)
    assert result.unfitted == dict.fromkeys(range(3), "all other items are wrong")


@pytest.mark.parametrize("method", METHODS)
def test_single_items_and_none(method):
    assert cross_fitted([], [], method, fold=[]).confidence.shape == (0,)
    result = cross_fitted([0.5], [True], method, fold=[0])
    assert np.isnan(result.confidence).all()
    assert result.unfitted == {0: "no other items to fit to"}
    # Every item a fold of its own.
    result = cross_fitted([0.2, 0.6, 0.7, 0.9], [1, 0, 1, 0], method, fold=range(4))
    assert np.isfinite(result.confidence).all()


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="no method 'platt'"):
        cross_fitted([0.5], [True], "platt", fold=[0])
    with pytest.raises(ValueError, match="folds"):
        cross_fitted([0.5, 0.6], [True, False], "beta", fold=[0])
    with pytest.raises(ValueError, match="confidence"):
        cross_fitted([1.5], [True], "beta", fold=[0])


def test_the_number_of_threads_and_earlier_fits_change_nothing():
    confidence, correct = overconfident(1245)
    fold = stratified_folds(correct, 3, seed=0)
    threads = torch.get_num_threads()
    try:
        found = []
        for number in (1, 2, 1):
            torch.set_num_threads(number)
            torch.manual_seed(number)
            np.random.seed(number)
            each = [cross_fitted(confidence, correct, m, fold=fold).confidence for m in METHODS]
            assert torch.get_num_threads() == number
            found.append(np.concatenate(each).tobytes())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


def test_the_library_keeps_quiet():
    code = (
        "import numpy as np\n"
        "from persona_paradox.measures.recalibration import METHODS, cross_fitted\n"
        "fold = np.arange(8) % 2\n"
        "for method in METHODS:\n"
        "    cross_fitted(np.linspace(0, 1, 8), fold == fold[::-1], method, fold=fold)\n"
        "    cross_fitted(np.linspace(0, 1, 8), [0, 1, 1, 0] * 2, method, fold=fold)\n"
    )
    assert_quiet(code)
