"""Intervals of means are those of SciPy, whatever the size of the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.means import mean_difference, mean_interval, varies


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(2, 9), st.integers(2, 9), st.sampled_from([0.5, 0.95, 0.999]), st.sampled_from([1e-120, 1.0, 1e99])
)
def test_they_are_those_of_student_and_welch(seed: int, n: int, m: int, level: float, size: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(1, 1, n), rng.normal(0, 3, m)
    ours, theirs = mean_interval(a * size, level), stats.ttest_1samp(a, 0).confidence_interval(level)
    assert np.array(ours) == pytest.approx([a.mean() * size, theirs.low * size, theirs.high * size, n], rel=1e-6)
    ours, theirs = mean_difference(a * size, b * size, level), stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    assert np.array(ours) == pytest.approx([(a.mean() - b.mean()) * size, theirs.low * size, theirs.high * size, min(n, m)], rel=1e-6)


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="two values or more, not 1"):
        mean_interval(np.array([1.0]))
    with pytest.raises(ValueError, match="two values or more on each side, not 1"):
        mean_difference(np.array([1.0, 2.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="varies"):
        mean_difference(np.zeros(3), np.ones(2))


def test_rounding_is_no_variation() -> None:
    differences = np.array([0.3, 0.4, 0.7]) - np.array([0.1, 0.2, 0.5])
    assert np.ptp(differences) > 0 and not varies(differences, 0.7)
    assert varies(differences + np.array([0.0, 0.0, 1e-9]), 0.7)
