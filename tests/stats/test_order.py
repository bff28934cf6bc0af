"""Orders of two samples have intervals that cover as promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.intervals import (
    clopper_pearson,
)
from analysis.stats.order import p_improvement, paired_improvement


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_the_interval_of_an_order_rises_with_every_value(a: list[int], b: list[int], data: st.DataObject) -> None:
    before = p_improvement(np.array(a), np.array(b))
    place = data.draw(st.integers(0, len(a) - 1))
    raised = [*a[:place], data.draw(st.integers(a[place], 6)), *a[place + 1 :]]
    after = p_improvement(np.array(raised), np.array(b))
    assert after.low >= before.low and after.high >= before.high
    assert 0 <= before.low <= before.estimate <= before.high <= 1


@pytest.mark.parametrize(("shift", "digits"), [(0.0, 3), (1.0, 3), (3.0, 3), (0.0, 0)])
def test_the_interval_of_an_order_covers_with_few_values_ties_and_separation(shift: float, digits: int) -> None:
    rng = np.random.default_rng(4)
    a, b = np.round(rng.normal(shift, 1, (300, 5)), digits), np.round(rng.normal(0, 2, (300, 9)), digits)
    truth = float(np.mean(np.sign(np.round(rng.normal(shift, 1, 200_000), digits) - np.round(rng.normal(0, 2, 200_000), digits)))) / 2 + 0.5
    intervals = [p_improvement(one, other) for one, other in zip(a, b, strict=True)]
    assert np.mean([found.low <= truth <= found.high for found in intervals]) >= 0.95


def test_clusters_of_an_order_are_its_observations() -> None:
    a, b = np.repeat(np.arange(5.0) + 10, 40), np.repeat(np.arange(8.0), 40)
    found = p_improvement(a, b, np.repeat(np.arange(5), 40), np.repeat(np.arange(8), 40))
    assert found == clopper_pearson(5, 5)


def test_a_large_cluster_is_one_observation_of_an_order() -> None:
    """Ten clusters against ten, one of each side with a hundred rows: the interval covers 1/2, which neither side exceeds."""
    rng = np.random.default_rng(8)
    index = np.concatenate([np.zeros(100, int), np.arange(1, 10)])
    found = [p_improvement(rng.normal(size=10)[index], rng.normal(size=10)[index], index, index) for _ in range(400)]
    assert np.mean([one.low <= 0.5 <= one.high for one in found]) >= 0.95
    assert found[0].n == 10
    assert p_improvement(index + 20.0, index.astype(float), index, index) == clopper_pearson(10, 10)


def test_pairs_that_tie_count_half() -> None:
    assert paired_improvement(np.array([1, 2, 3, 3]), np.array([0, 2, 5, 1]), np.arange(4)).estimate == 0.625


def test_probability_of_improvement() -> None:
    a, b = np.array([1, 2, 3, 4]), np.array([2, 3, 4, 5])
    assert p_improvement(a, b).estimate == 0.28125


def test_overlap_makes_an_order_less_certain() -> None:
    apart, overlap = p_improvement(np.arange(5) + 5.0, np.arange(5.0)), p_improvement(np.arange(5) + 3.5, np.arange(5.0))
    assert (apart.estimate, apart.low) == (1, pytest.approx(0.478176, abs=1e-6))
    assert overlap.low < apart.low


def test_one_observation_each_says_nothing_of_their_order() -> None:
    for a, b in ((1.0, 1.0), (2.0, 1.0)):
        found = p_improvement(np.array([a]), np.array([b]))
        assert found.low < 0.05 and found.high > 0.99
