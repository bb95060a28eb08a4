"""Contextual calibration, by hand and against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from persona_paradox.kinds.labelled.contextual import contextual

pytestmark = pytest.mark.filterwarnings("error")


def test_contextual_calibration_by_hand():
    p, null = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]), np.array([0.2, 0.2, 0.6])
    # 3 : 1.5 : 1/6 and 1 : 1.5 : 5/6
    expected = [[18 / 28, 9 / 28, 1 / 28], [6 / 20, 9 / 20, 5 / 20]]
    assert np.exp(contextual(np.log(p), np.log(null))) == pytest.approx(np.array(expected))


def test_contextual_calibration_of_several_empty_cases_averages_probabilities():
    p, null = np.array([[0.5, 0.5]]), np.array([[0.1, 0.9], [0.5, 0.5]])
    # The prior is 0.3 to 0.7.
    assert np.exp(contextual(np.log(p), np.log(null))) == pytest.approx(np.array([[0.7, 0.3]]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.floats(-5, 5), st.floats(-5, 5))
def test_contextual_calibration_takes_the_prior_away(seed, shift, null_shift):
    generator = np.random.default_rng(seed)
    values, null = generator.normal(size=(4, 3)), generator.normal(size=3)
    result = contextual(values + shift, null + null_shift)
    assert result == pytest.approx(contextual(values, null))
    assert np.exp(result).sum(axis=1) == pytest.approx(np.ones(4))
    # The empty case itself says nothing; an even prior changes nothing.
    assert contextual(null[None], null) == pytest.approx(np.full((1, 3), -np.log(3)))
    assert contextual(values, np.zeros(3)) == pytest.approx(log_softmax(values, axis=1))


def test_contextual_calibration_lets_an_impossible_label_be():
    result = contextual([[0.0, -np.inf]], [0.0, -1.0])
    assert result.tolist() == [[0.0, -np.inf]]


@pytest.mark.parametrize("null", [[0.0, -np.inf], [0.0, 0.0, 0.0], [np.nan, 0.0]])
def test_a_prior_that_cannot_be_divided_by_is_refused(null):
    with pytest.raises(ValueError, match="empty case"):
        contextual([[0.0, -1.0]], null)
