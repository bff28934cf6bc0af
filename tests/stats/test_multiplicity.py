"""Holm's correction against statsmodels."""

import numpy as np
from statsmodels.stats.multitest import multipletests

from analysis.stats.multiplicity import rejected


def test_holm() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 20):
        p_values = rng.uniform(0, 2 / n, n) * 0.05
        assert np.array_equal(rejected(p_values, np.full(n, 0.05)), multipletests(p_values, 0.05, method="holm")[0])
    # Each hypothesis has a level of its own: a share of 0.02 / 0.1 is less than one of 0.015 / 0.05.
    assert rejected(np.array([0.015, 0.02]), np.array([0.05, 0.1])).tolist() == [True, True]
    assert rejected(np.array([0.015, 0.06]), np.array([0.02, 0.1])).tolist() == [False, False]
    assert not len(rejected(np.array([]), np.array([])))
