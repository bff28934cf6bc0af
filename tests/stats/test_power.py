"""The number of seeds that is named decides as often as it says."""

import math

import numpy as np
import pytest

from analysis.stats.intervals import clopper_pearson
from analysis.stats.means import mean_difference, mean_interval
from analysis.stats.power import POWER, all_succeed, power, seeds_needed


@pytest.mark.parametrize(("effect", "margin", "alpha"), [(0.9, 0.0, 0.05), (0.6, 0.2, 0.01), (0.1, 0.6, 0.05)])
def test_a_paired_comparison_is_decided_by_the_seeds_that_are_named(effect: float, margin: float, alpha: float) -> None:
    over = abs(effect) - margin
    distances = [over] if over > 0 else [margin - effect, margin + effect]
    n = seeds_needed(distances, alpha, lambda n: n - 1)
    assert n is not None
    draws = np.random.default_rng(1).normal(effect, 1, (1500, n))
    found = [mean_interval(one, 1 - alpha) for one in draws]
    decided = [one.low > margin if over > 0 else -margin <= one.low and one.high <= margin for one in found]
    assert np.mean(decided) == pytest.approx(POWER, abs=0.06)


def test_a_comparison_without_pairs_is_too() -> None:
    spread = math.hypot(1, 2)
    n = seeds_needed([1.0 / spread], 0.05, lambda n: (n - 1) * 25 / 17)
    assert n is not None
    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 1, (1500, n)), rng.normal(0, 2, (1500, n))
    assert np.mean([mean_difference(*pair).low > 0 for pair in zip(a, b, strict=True)]) == pytest.approx(POWER, abs=0.05)


@pytest.mark.parametrize("distances", [[0.05], [0.3], [1.0], [4.0], [0.2, 0.5]])
def test_one_seed_less_is_too_few(distances: list[float]) -> None:
    n = seeds_needed(distances, 0.05, lambda n: n - 1)
    assert n is not None and power(n, distances, 0.05, lambda n: n - 1) >= POWER
    assert n == 2 or power(n - 1, distances, 0.05, lambda n: n - 1) < POWER


def test_what_no_number_of_seeds_decides_has_none() -> None:
    assert seeds_needed([0.0], 0.05, lambda n: n - 1) is None
    assert seeds_needed([1e-3], 0.05, lambda n: math.inf) is None
    assert seeds_needed([3e-3], 0.05, lambda n: math.inf) is not None


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.05 / 6])
def test_so_many_must_succeed(alpha: float) -> None:
    n = all_succeed(alpha, 0.5)
    assert clopper_pearson(n, n, 1 - alpha).low > 0.5 >= clopper_pearson(n - 1, n - 1, 1 - alpha).low
