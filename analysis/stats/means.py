"""Means and their differences, with intervals of Student and Welch: for values that are nearly normal, or many."""

import math

import numpy as np
from scipy import stats

from analysis.stats.intervals import Interval

Array = np.ndarray
ROUNDING = 1e-12
"""Relative difference below which values count as equal: what differs less is rounding."""


def varies(values: Array, size: float) -> bool:
    """Whether finite values differ by more than the rounding of numbers of this size."""
    return bool(np.ptp(values) > ROUNDING * size)


def mean_interval(values: Array, level: float = 0.95) -> Interval:
    """Mean of independent finite values with Student's interval (Student, 1908); of the differences of pairs it is the paired t-test's.

    ValueError if there are fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"the interval of a mean needs two values or more, not {n}")
    scale = _scale(values)
    scaled = np.asarray(values, float) / scale
    half = float(np.std(scaled, ddof=1)) / math.sqrt(n) * float(stats.t.isf((1 - level) / 2, n - 1))
    return _around(float(np.mean(scaled)), half, scale, n)


def mean_difference(a: Array, b: Array, level: float = 0.95) -> Interval:
    """Difference of the means of two independent samples of finite values, mean a - mean b, with Welch's interval (Welch, 1947).

    `n` is the size of the smaller sample. ValueError if a sample has fewer than two values, or if neither varies.
    """
    smallest = min(len(a), len(b))
    if smallest < 2:
        raise ValueError(f"the interval of a difference of means needs two values or more on each side, not {smallest}")
    scale = max(_scale(a), _scale(b))
    parts = [float(np.var(np.asarray(values, float) / scale, ddof=1)) / len(values) for values in (a, b)]
    whole = sum(parts)
    if whole == 0:
        raise ValueError("neither of the two samples varies")
    freedom = 1 / sum((part / whole) ** 2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True))
    half = math.sqrt(whole) * float(stats.t.isf((1 - level) / 2, freedom))
    return _around(float(np.mean(np.asarray(a, float) / scale) - np.mean(np.asarray(b, float) / scale)), half, scale, smallest)


def _scale(values: Array) -> float:
    """The largest size of the values, by which they are divided so that no square is too large or too small; 1 if all are zero."""
    return float(np.max(np.abs(values))) or 1.0


def _around(estimate: float, half: float, scale: float, n: int) -> Interval:
    return Interval(estimate * scale, (estimate - half) * scale, (estimate + half) * scale, n)
