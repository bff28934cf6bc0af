"""The number of seeds that would decide a comparison, if its effect is the one that was measured."""

import math
from collections.abc import Callable, Sequence

from scipy import stats

POWER = 0.8
"""Probability with which the comparison is to be decided."""
MOST = 1_000_000
"""Number of seeds above which none is named."""


def power(n: int, distances: Sequence[float], alpha: float, freedom: Callable[[int], float]) -> float:
    """The probability that an interval of confidence 1 - alpha excludes every bound, with n observations.

    `distances` are those of the effect from the bounds, in standard deviations of one observation; `freedom` gives the degrees of freedom
    of n observations, infinite for a normal interval. P(T < d sqrt(n) - t) for each distance d, with Student's T and its quantile t, and
    the inequality of Bonferroni for several.
    """
    degrees = freedom(n)
    quantile = float(stats.t.isf(alpha / 2, degrees))
    passed = [float(stats.t.cdf(distance * math.sqrt(n) - quantile, degrees)) for distance in distances]
    return max(0.0, sum(passed) - (len(passed) - 1))


def seeds_needed(distances: Sequence[float], alpha: float, freedom: Callable[[int], float], least: int = 2) -> int | None:
    """The least number of observations, from `least` on, with which `power` is at least `POWER`; None if that is more than `MOST`."""

    def enough(n: int) -> bool:
        return power(n, distances, alpha, freedom) >= POWER

    if enough(least):
        return least
    low, high = least, 2 * least
    while not enough(high):
        if high >= MOST:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= MOST else None


def all_succeed(alpha: float, bound: float) -> int:
    """The least number of trials of which all must succeed so that the exact interval of their share lies above `bound`."""
    return math.ceil(math.log(alpha / 2) / math.log(bound))
