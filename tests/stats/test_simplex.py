"""The distribution of a weighted mean against the beta distribution and a simulation."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.simplex import dirichlet_mean_cdf


def test_weights_on_the_simplex_match_the_beta_distribution_and_a_simulation() -> None:
    zeros_and_ones = dirichlet_mean_cdf(np.array([0.0, 1.0]), 0.3, np.array([2, 3]))
    assert zeros_and_ones == pytest.approx(stats.beta.cdf(0.3, 3, 2), rel=1e-9)
    rng = np.random.default_rng(1)
    values = rng.random(12)
    weights = rng.exponential(size=(40_000, 12))
    means = weights @ values / weights.sum(axis=1)
    for t in np.quantile(means, [0.05, 0.4, 0.8]):
        share = np.mean(means <= t)
        assert dirichlet_mean_cdf(values, t) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 40_000))
