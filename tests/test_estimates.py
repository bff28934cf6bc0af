"""Estimates against published reference values, and intervals against their promised coverage."""

import numpy as np
import pytest

from analysis.estimates import (
    Interval,
    cliffs_delta,
    clopper_pearson,
    clustered_median,
    clustered_rate,
    equivalent,
    holm,
    iqm,
    p_improvement,
    quantile_interval,
    solved_by,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(81, 263, 0.25529, 0.36621), (15, 148, 0.06239, 0.16049), (0, 20, 0.0, 0.16113)]
)
def test_wilson_matches_newcombe_1998(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-6)


def test_clopper_pearson_matches_newcombe_1998() -> None:
    assert clopper_pearson(0, 20).high == pytest.approx(0.16843, abs=5e-6)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_no_successes_in_ten_thousand_stay_near_zero(interval: type) -> None:
    assert interval(0, 10_000).high < 4e-4
    assert interval(10_000, 10_000).low > 1 - 4e-4


def test_a_rate_of_one_row_per_cluster_is_exact() -> None:
    success = np.arange(200) < 150
    assert clustered_rate(success, np.arange(200)) == clopper_pearson(150, 200)


def test_equal_rows_count_as_one_observation_per_cluster() -> None:
    cluster = np.repeat(np.arange(20), 50)
    assert clustered_rate(np.ones(1000), cluster).low == pytest.approx(clopper_pearson(20, 20).low)


def _coverage(counting_clusters: bool) -> float:
    rng = np.random.default_rng(7)
    hits, trials, clusters = 0, 1500, 40
    for _ in range(trials):
        rates = rng.beta(6, 4, clusters)
        success = rng.random((clusters, 25)) < rates[:, None]
        cluster = np.repeat(np.arange(clusters), 25) if counting_clusters else np.arange(clusters * 25)
        found = clustered_rate(success.reshape(-1), cluster)
        hits += found.low <= 0.6 <= found.high
    return hits / trials


def test_clustered_interval_covers_as_promised() -> None:
    assert 0.93 <= _coverage(counting_clusters=True) <= 0.975


def test_negative_control_ignoring_clusters_covers_too_rarely() -> None:
    assert _coverage(counting_clusters=False) < 0.8


def test_median_interval_allows_never() -> None:
    steps = np.array([10.0] * 40 + [np.inf] * 60)
    found = quantile_interval(steps)
    assert found.estimate == np.inf
    assert found.high == np.inf
    assert quantile_interval(np.arange(1.0, 102.0)) == Interval(51.0, 41.0, 61.0, 101)


def test_median_interval_covers_as_promised() -> None:
    rng = np.random.default_rng(3)
    intervals = [quantile_interval(rng.exponential(size=41)) for _ in range(2000)]
    assert 0.93 <= np.mean([one.low <= np.log(2) <= one.high for one in intervals]) <= 0.99


def test_median_over_clusters_counts_clusters() -> None:
    assert clustered_median(np.repeat([1.0, 2.0, 3.0], 10), np.repeat([0, 1, 2], 10)).n == 3


def test_time_to_solve_matches_freireich_1963() -> None:
    remission = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    steps = np.array([*remission, *[np.nan] * len(censored)], float)
    budget = np.array([*remission, *censored], float)
    at, share = solved_by(steps, budget)
    survival = {int(step): 1 - value for step, value in zip(at, share, strict=True)}
    assert [survival[step] for step in (6, 10, 23)] == pytest.approx([0.8571, 0.7529, 0.4482], abs=5e-5)


def test_with_one_budget_never_keeps_its_mass() -> None:
    at, share = solved_by(np.array([5, 10, np.nan, np.nan]), 100)
    assert dict(zip(at, share, strict=True)) == {5: 0.25, 10: 0.5, 100: 0.5}


def test_probability_of_improvement_and_cliffs_delta() -> None:
    a, b = np.array([1, 2, 3, 4]), np.array([2, 3, 4, 5])
    assert p_improvement(a, b).estimate == 0.28125
    assert cliffs_delta(a, b) == -0.4375


def test_separated_samples_keep_an_interval_of_some_width() -> None:
    found = p_improvement(np.arange(10) + 100.0, np.arange(10.0))
    assert found.estimate == 1
    assert 0.6 < found.low < 1


def test_interquartile_mean() -> None:
    assert iqm(np.arange(1, 9)) == 4.5


def test_holm() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("low", "high", "verdict"), [(0.9, 1.1, True), (1.2, 1.4, False), (1.05, 1.15, None), (0.5, 0.8, False)])
def test_equivalence_needs_the_whole_interval(low: float, high: float, verdict: bool | None) -> None:
    assert equivalent(Interval(1.0, low, high, 10), target=1.0, margin=0.1) is verdict
