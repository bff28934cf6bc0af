"""Estimates against published reference values, and intervals against their promised coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from analysis.stats.intervals import (
    Interval,
    bounded_mean,
    clopper_pearson,
    clustered_median,
    clustered_rate,
    equivalent,
    paired_difference,
    quantile_interval,
    unpaired_difference,
    wilson,
)
from analysis.stats.simplex import dirichlet_mean_cdf


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


def test_one_success_among_equal_rows_does_not_shorten_the_interval() -> None:
    cluster = np.repeat(np.arange(20), 50)
    none, one = (clustered_rate(np.arange(1000) < successes, cluster) for successes in (0, 1))
    assert none.high == pytest.approx(0.16843, abs=5e-6)
    assert one.high > none.high


shares = arrays(float, st.integers(1, 12), elements=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shares, st.data(), st.sampled_from([0.9, 0.95, 0.9999]))
def test_the_interval_of_a_mean_rises_with_every_value(values: np.ndarray, data: st.DataObject, level: float) -> None:
    before = bounded_mean(values, level)
    place = data.draw(st.integers(0, len(values) - 1))
    raised = values.copy()
    raised[place] = data.draw(st.sampled_from([value for value in (0.0, 0.25, 0.5, 0.9, 1.0) if value >= values[place]]))
    after = bounded_mean(raised, level)
    assert after.low >= before.low - 1e-9 and after.high >= before.high - 1e-9
    for found in (before, after):
        assert 0 <= found.low <= found.estimate + 1e-9 and found.estimate - 1e-9 <= found.high <= 1
        # Never narrower than what as many zeros, or ones, would give.
        assert found.high >= clopper_pearson(0, len(values), level).high - 1e-9
        assert found.low <= clopper_pearson(len(values), len(values), level).low + 1e-9


def outside(values: np.ndarray, counts: np.ndarray, truth: float, level: float = 0.95) -> float:
    """The larger share of samples, of which `counts` has a line each, whose interval of the mean lies above, or below, the truth.

    An interval lies below if at the truth the weights' distribution function has passed its quantile.
    """
    one, at = np.ones((len(counts), 1)), np.full(len(counts), truth)
    below = dirichlet_mean_cdf(np.append(values, 1), at, np.hstack([counts, one])) > (1 + level) / 2
    above = dirichlet_mean_cdf(np.append(1 - values, 1), 1 - at, np.hstack([counts, one])) > (1 + level) / 2
    return float(max(below.mean(), above.mean()))


SAMPLES, ROWS = 400, 4


ALLOWED = 0.025 + 4 * np.sqrt(0.025 * 0.975 / SAMPLES)


def clustered(rate: float, correlation: float | str) -> np.ndarray:
    """Probabilities of 0 to 4 successes among the four rows of a cluster."""
    k = np.arange(ROWS + 1)
    if correlation == "rare":
        # A cluster has successes only if it is bad, with 1/2 each.
        bad = stats.binom.pmf(k, ROWS, 0.5) * min(2 * rate, 1)
        return np.asarray(bad + (k == 0) * (1 - bad.sum()) if rate <= 0.5 else stats.binom.pmf(k, ROWS, rate))
    if correlation == 0.0:
        return np.asarray(stats.binom.pmf(k, ROWS, rate))
    if correlation == 1.0:
        return np.where(k == 0, 1 - rate, np.where(k == ROWS, rate, 0.0))
    spread = 1 / float(correlation) - 1
    return np.asarray(stats.betabinom.pmf(k, ROWS, rate * spread, (1 - rate) * spread))


@pytest.mark.parametrize("clusters", [3, 20, 1000])
@pytest.mark.parametrize("correlation", [0.0, 0.2, 1.0, "rare"])
def test_clustered_interval_covers_whatever_rate_and_correlation(clusters: int, correlation: float | str) -> None:
    rng = np.random.default_rng(7)
    k = np.arange(ROWS + 1)
    for rate in (0.001, 0.026, 0.5, 0.9, 0.999):
        chances = clustered(rate, correlation)
        counts = rng.multinomial(clusters, chances / chances.sum(), size=SAMPLES)
        assert outside(k / ROWS, counts, rate) <= ALLOWED


def test_rare_bad_data_sets_are_not_taken_for_none() -> None:
    """Twenty data sets of 50 runs; one data set in 38 is bad, and then every run fails: at most 1% fail is not supported."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(20), 50)
    for _ in range(20):
        failed = np.repeat(rng.random(20) < 0.026, 50) & (rng.random(1000) < 0.98)
        assert clustered_rate(failed, cluster).high > 0.01


def test_negative_control_ignoring_clusters_covers_too_rarely() -> None:
    rng = np.random.default_rng(7)
    found = [clopper_pearson(int(successes), 1000) for successes in rng.binomial(25, rng.beta(6, 4, (300, 40))).sum(axis=1)]
    assert np.mean([one.low <= 0.6 <= one.high for one in found]) < 0.8


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_paired_difference_covers_as_promised(n: int) -> None:
    rng = np.random.default_rng(11)
    for more, less in ((0.01, 0.01), (0.02, 0.0), (0.3, 0.3), (0.5, 0.1)):
        counts = rng.multinomial(n, [less, 1 - more - less, more], size=SAMPLES)
        assert outside(np.array([0, 0.5, 1]), counts, (more - less + 1) / 2) <= ALLOWED


def test_paired_difference_sees_the_pairs_that_differ() -> None:
    a, b = np.arange(1000) < 112, np.arange(1000) < 100
    found = paired_difference(a, b, np.arange(1000))
    assert found.estimate == pytest.approx(0.012)
    assert 0 < found.low < 0.012 < found.high < 0.03
    # One direction alone: the upper bound is Clopper and Pearson's of 12 of 1,000.
    assert found.high == pytest.approx(clopper_pearson(12, 1000).high, abs=1e-3)
    swapped = paired_difference(b, a, np.arange(1000))
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_unpaired_difference_matches_newcombe_1998_and_covers() -> None:
    found = unpaired_difference(wilson(56, 70), wilson(48, 80))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    rng = np.random.default_rng(2)
    for p, q in ((0.01, 0.01), (0.5, 0.3), (0.99, 0.5)):
        pairs = rng.binomial(50, [p, q], (400, 2))
        intervals = [unpaired_difference(clopper_pearson(int(x), 50), clopper_pearson(int(y), 50)) for x, y in pairs]
        assert np.mean([one.low <= p - q <= one.high for one in intervals]) >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 400)


def test_median_interval_allows_never() -> None:
    steps = np.array([10.0] * 40 + [np.inf] * 60)
    found = quantile_interval(steps)
    assert found.estimate == np.inf
    assert found.high == np.inf
    assert quantile_interval(np.arange(1.0, 102.0)) == Interval(51.0, 41.0, 61.0, 101)


def test_a_value_that_is_not_known_may_be_any() -> None:
    known = np.arange(1.0, 102.0)
    few, many = (np.where(known <= count, np.nan, known) for count in (5, 60))
    assert quantile_interval(few)[1:] == (41.0, 66.0, 101) and np.isnan(quantile_interval(few).estimate)
    assert quantile_interval(many)[1:3] == (-np.inf, np.inf)
    clusters = np.arange(101) // 2
    assert clustered_median(many, clusters)[1:3] == (-np.inf, np.inf)
    assert clustered_median(few, clusters).low <= clustered_median(known, clusters).estimate <= clustered_median(few, clusters).high


def test_median_interval_covers_as_promised() -> None:
    rng = np.random.default_rng(3)
    intervals = [quantile_interval(rng.exponential(size=41)) for _ in range(2000)]
    assert 0.93 <= np.mean([one.low <= np.log(2) <= one.high for one in intervals]) <= 0.99


def test_median_over_clusters_counts_clusters() -> None:
    assert clustered_median(np.repeat([1.0, 2.0, 3.0], 10), np.repeat([0, 1, 2], 10)).n == 3


@pytest.mark.parametrize(("low", "high", "verdict"), [(0.9, 1.1, True), (1.2, 1.4, False), (1.05, 1.15, None), (0.5, 0.8, False)])
def test_equivalence_needs_the_whole_interval(low: float, high: float, verdict: bool | None) -> None:
    assert equivalent(Interval(1.0, low, high, 10), target=1.0, margin=0.1) is verdict
