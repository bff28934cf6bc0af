"""Estimates with their confidence intervals: shares, differences of shares, quantiles and medians; every function works on plain arrays."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from analysis.stats.simplex import dirichlet_mean_cdf

Array = np.ndarray


class Interval(NamedTuple):
    """An estimate with its confidence interval, and the number of independent observations behind it."""

    estimate: float
    low: float
    high: float
    n: int


def equivalent(interval: Interval, target: float, margin: float) -> bool | None:
    """True if the whole interval lies within `margin` of `target`, False if all of it lies outside, and None otherwise."""
    if target - margin <= interval.low and interval.high <= target + margin:
        return True
    if interval.high < target - margin or interval.low > target + margin:
        return False
    return None


def either_way(estimate: Callable[[float], Interval]) -> Interval:
    """The interval of an estimate that rises with its values, some of which are not known.

    It reaches from the lower bound with all of these at -infinity to the upper bound with all of them at infinity. The estimate is NaN
    where the two estimates differ.
    """
    least, most = estimate(-np.inf), estimate(np.inf)
    return Interval(least.estimate if least.estimate == most.estimate else np.nan, least.low, most.high, least.n)


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share with Wilson's score interval (Wilson, 1927), which is for display."""
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    interval = stats.binomtest(successes, n).proportion_ci(level, "wilson")
    return Interval(successes / n, float(interval.low), float(interval.high), n)


def clopper_pearson(successes: float, n: int, level: float = 0.95) -> Interval:
    """A share with the exact interval (Clopper and Pearson, 1934), which is for verdicts; `successes` may be a fraction."""
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    tail = (1 - level) / 2
    low = special.betaincinv(successes, n - successes + 1, tail) if successes > 0 else 0.0
    high = special.betainccinv(successes + 1, n - successes, tail) if successes < n else 1.0
    return Interval(successes / n, float(low), float(high), n)


def bounded_mean(values: Array, level: float = 0.95) -> Interval:
    """Mean of independent values between 0 and 1, with Gaffke's interval (Gaffke, 2005; Learned-Miller and Thomas, 2020).

    The upper bound is the quantile of the mean of the values and an additional 1, under weights that are uniform on the simplex; the lower
    bound is found likewise with an additional 0. The interval assumes nothing about the distribution but its range, and it rises with
    every value. For zeros and ones it is the exact interval of Clopper and Pearson, which therefore is the narrowest that n values can
    have at 0 and 1. Its coverage for every distribution is a conjecture without a known counterexample; our tests simulate it.
    """
    values = np.asarray(values, float)
    n = len(values)
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    unique, counts = np.unique(values, return_counts=True)
    if np.isin(unique, (0.0, 1.0)).all():
        return clopper_pearson(int(values.sum()), n, level)
    tail = (1 - level) / 2
    return Interval(float(values.mean()), 1 - _upper(1 - unique, counts, tail), _upper(unique, counts, tail), n)


def _upper(values: Array, counts: Array, tail: float) -> float:
    """Gaffke's upper bound for values that occur `counts` times."""
    values, counts = np.append(values, 1.0), np.append(counts, 1)
    if values.min() == 1:
        return 1.0
    return float(optimize.brentq(lambda t: dirichlet_mean_cdf(values, t, counts) - (1 - tail), values.min(), 1.0, xtol=1e-10))


def distinct(values: Array) -> int:
    """Number of different values; sorting takes a fraction of the memory and time of a table of hashes."""
    ordered = np.sort(values)
    return min(len(ordered), 1) + int((ordered[1:] != ordered[:-1]).sum())


def clustered_rate(success: Array, cluster: Array, level: float = 0.95) -> Interval:
    """A share with an interval that counts clusters, not rows: the mean of the clusters' shares by `bounded_mean`.

    Each cluster counts once, whatever the number of its rows and however alike they are; `n` is the number of clusters. With one row
    per cluster, or where all rows of each cluster agree, the interval is that of Clopper and Pearson.
    """
    _, index = np.unique(cluster, return_inverse=True)
    return bounded_mean(np.bincount(index, np.asarray(success, float)) / np.bincount(index), level)


def paired_difference(a: Array, b: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Difference of two shares over pairs, the mean of a - b, with the interval of `clustered_rate` stretched from [0, 1] to [-1, 1].

    The more pairs agree, the narrower it is.
    """
    found = clustered_rate((np.asarray(a, float) - np.asarray(b, float) + 1) / 2, cluster, level)
    return Interval(2 * found.estimate - 1, 2 * found.low - 1, 2 * found.high - 1, found.n)


def unpaired_difference(a: Interval, b: Interval) -> Interval:
    """Difference of two independent shares from their intervals, by the squares of their distances (Newcombe, 1998, method 10)."""
    if not min(a.n, b.n):
        return Interval(np.nan, -1.0, 1.0, 0)
    estimate = a.estimate - b.estimate
    below = np.hypot(a.estimate - a.low, b.high - b.estimate)
    above = np.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(estimate, float(estimate - below), float(estimate + above), min(a.n, b.n))


def quantile_interval(values: Array, q: float = 0.5, level: float = 0.95) -> Interval:
    """A quantile with its order-statistic interval.

    Infinite values ("not reached", diverged) are allowed, and NaN may be any value. A bound beyond all values is infinite.
    """
    if np.isnan(values).any():
        return either_way(lambda unknown: quantile_interval(np.where(np.isnan(values), unknown, values), q, level))
    values = np.sort(np.asarray(values, float))
    n = len(values)
    if n == 0:
        return Interval(np.nan, -np.inf, np.inf, 0)
    low, high = _ranks(n, q, level)
    return Interval(
        float(values[math.ceil(q * n) - 1]),
        -np.inf if low is None else float(values[low]),
        np.inf if high is None else float(values[high]),
        n,
    )


@lru_cache(1 << 12)
def _ranks(n: int, q: float, level: float) -> tuple[int | None, int | None]:
    """Return which of n ordered values, from 0, are the bounds of the interval of a quantile; None for one that lies beyond them."""
    bounds = stats.quantile_test(np.arange(n), p=q).confidence_interval(level)
    low, high = (None if np.isnan(bound) else int(bound) for bound in bounds)
    return low, high


def clustered_median(values: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Median of the clusters' medians, with the order-statistic interval over clusters; NaN may be any value."""
    values, cluster = np.asarray(values, float), np.asarray(cluster)
    if np.isnan(values).any():
        return either_way(lambda unknown: clustered_median(np.where(np.isnan(values), unknown, values), cluster, level))
    if distinct(cluster) == len(values):
        return quantile_interval(values, 0.5, level)
    medians = [np.median(values[cluster == one]) for one in np.unique(cluster)]
    return quantile_interval(np.array(medians), 0.5, level)
