"""Holm's correction against statsmodels."""

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.stats.means import mean_interval
from analysis.stats.multiplicity import least_error, rejected


def test_holm() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 20):
        p_values = rng.uniform(0, 2 / n, n) * 0.05
        assert np.array_equal(rejected(p_values, np.full(n, 0.05)), multipletests(p_values, 0.05, method="holm")[0])
    # Each hypothesis has a level of its own: a share of 0.02 / 0.1 is less than one of 0.015 / 0.05.
    assert rejected(np.array([0.015, 0.02]), np.array([0.05, 0.1])).tolist() == [True, True]
    assert rejected(np.array([0.015, 0.06]), np.array([0.02, 0.1])).tolist() == [False, False]
    assert not len(rejected(np.array([]), np.array([])))


def test_the_least_error_of_an_interval_is_the_p_value_of_its_test() -> None:
    values = np.random.default_rng(3).normal(0.8, 1, 12)
    theirs = float(stats.ttest_1samp(values, 0).pvalue)
    ours = least_error(lambda error: mean_interval(values, 1 - error).low > 0, 1e-8, 0.5)
    assert theirs <= ours <= 1.01 * theirs
    assert least_error(lambda error: True, 1e-8, 0.5) == 1e-8
