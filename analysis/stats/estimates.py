"""Estimates and their intervals; every function works on plain arrays."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests

Array = np.ndarray
NODES = np.linspace(0, 12, 121)
"""Of the trapezoidal rule; beyond them the integrand is below the last bit."""
AT_ONCE = 64
"""Values whose factors are in memory at one time."""


class Interval(NamedTuple):
    """An estimate with its confidence interval, and the number of independent observations behind it."""

    estimate: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Share with Wilson's score interval (Wilson, 1927): for display."""
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    interval = stats.binomtest(successes, n).proportion_ci(level, "wilson")
    return Interval(successes / n, float(interval.low), float(interval.high), n)


def clopper_pearson(successes: float, n: int, level: float = 0.95) -> Interval:
    """Share with the exact interval (Clopper and Pearson, 1934), never too short: for verdicts. Ties may count as half a success."""
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    tail = (1 - level) / 2
    low = special.betaincinv(successes, n - successes + 1, tail) if successes > 0 else 0.0
    high = special.betainccinv(successes + 1, n - successes, tail) if successes < n else 1.0
    return Interval(successes / n, float(low), float(high), n)


def dirichlet_mean_cdf(values: Array, t: Array | float, counts: Array | None = None) -> Array:
    """P(sum of D_i x_i <= t) for weights D that are uniform on the simplex (Dirichlet with all parameters 1); axes (..., value).

    With exponential E_i the event is sum of E_i (x_i - t) <= 0. Its probability is the inverse Laplace transform of the product of
    1 / (1 - s (x_i - t)) over s, along a vertical line near the saddle point, by the trapezoidal rule after u = sinh(v), which converges
    exponentially (Daniels, 1954, for the saddle point). `counts` says how often each value occurs.
    """
    a = np.asarray(values, float) - np.asarray(t, float)[..., None]
    counts = np.broadcast_to(1.0 if counts is None else np.asarray(counts, float), a.shape)
    a = np.where(counts > 0, a, 0)
    least, most = a.min(-1), a.max(-1)
    inside = (least < 0) & (most > 0)
    # Where the threshold is not inside, the answer is known; any numbers do there.
    a = np.where(inside[..., None], a, np.resize([-1.0, 1.0], a.shape[-1]))
    low, high = 1 / a.min(-1), 1 / a.max(-1)
    left, right = low * (1 - 1e-12), high * (1 - 1e-12)
    for _ in range(30):
        middle = (left + right) / 2
        rising = np.sum(counts * a / (1 - middle[..., None] * a), -1) > 0
        left, right = np.where(rising, left, middle), np.where(rising, middle, right)
    saddle = (left + right) / 2
    # Away from the pole at 0, by a part of the standard deviation's inverse.
    away = 0.5 / np.sqrt(np.sum(counts * a**2, -1))
    line = np.where(saddle < 0, np.minimum(saddle, -np.minimum(away, -low / 2)), np.maximum(saddle, np.minimum(away, high / 2)))
    scale = np.minimum(np.abs(line), np.minimum(line - low, high - line))
    u = scale[..., None] * np.sinh(NODES)
    s = line[..., None] + 1j * u
    exponent = np.zeros(s.shape, complex)
    for part in np.array_split(np.arange(a.shape[-1]), math.ceil(a.shape[-1] / AT_ONCE)):
        exponent -= np.sum(counts[..., None, part] * np.log(1 - s[..., None] * a[..., None, part]), -1)
    height = (np.exp(exponent) / s).real * scale[..., None] * np.cosh(NODES)
    tail = NODES[1] / np.pi * (height.sum(-1) - height[..., 0] / 2)
    below = np.where(line < 0, -tail, 1 - tail)
    return np.where(inside, np.clip(below, 0, 1), np.where(most <= 0, 1.0, 0.0))


def bounded_mean(values: Array, level: float = 0.95) -> Interval:
    """Mean of independent values between 0 and 1, with Gaffke's interval (Gaffke, 2005; Learned-Miller and Thomas, 2020).

    The upper bound is the quantile of the mean of the values and one more, 1, under weights that are uniform on the simplex; the lower
    one likewise with 0. It asks nothing of the distribution but its range, rises with every value, and of zeros and ones is the exact
    interval of Clopper and Pearson, which therefore is the narrowest that n values can have at 0 and 1. That it covers at least as often
    as it says, for every distribution, is a conjecture; no counterexample is known, and our tests simulate it.
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
    values, counts = np.append(values, 1.0), np.append(counts, 1)
    if values.min() == 1:
        return 1.0
    return float(optimize.brentq(lambda t: dirichlet_mean_cdf(values, t, counts) - (1 - tail), values.min(), 1.0, xtol=1e-10))


def clustered_rate(success: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Share with an interval that counts clusters, not rows: the mean of the clusters' shares by `bounded_mean`.

    Each cluster counts once, whatever the number of its rows and however alike they are; `n` is the number of clusters. With one row
    per cluster, or where the rows of each agree, it is Clopper and Pearson's.
    """
    return bounded_mean(cluster_means(success, cluster), level)


def cluster_means(values: Array, cluster: Array) -> Array:
    """The mean of each cluster."""
    _, index = np.unique(cluster, return_inverse=True)
    return np.bincount(index, np.asarray(values, float)) / np.bincount(index)


def paired_difference(a: Array, b: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Difference of two shares over pairs, mean of a - b, with the interval of `clustered_rate`, stretched from [0, 1] to [-1, 1].

    Pairs that agree weigh nothing, so that the interval is as narrow as those that differ allow.
    """
    found = clustered_rate((np.asarray(a, float) - np.asarray(b, float) + 1) / 2, cluster, level)
    return _stretched(found)


def unpaired_difference(a: Interval, b: Interval) -> Interval:
    """Difference of two independent shares from their intervals, by the squares of their distances (Newcombe, 1998, method 10)."""
    if not min(a.n, b.n):
        return Interval(np.nan, -1.0, 1.0, 0)
    estimate = a.estimate - b.estimate
    below = np.hypot(a.estimate - a.low, b.high - b.estimate)
    above = np.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(estimate, float(estimate - below), float(estimate + above), min(a.n, b.n))


def paired_improvement(a: Array, b: Array, cluster: Array, level: float = 0.95) -> Interval:
    """P(a > b) + P(a = b) / 2 over pairs, with the interval of `clustered_rate`."""
    return clustered_rate((np.sign(_compared(a, b)) + 1) / 2, cluster, level)


def _compared(a: Array, b: Array) -> Array:
    return (a > b).astype(float) - (a < b)


def _stretched(found: Interval) -> Interval:
    return Interval(2 * found.estimate - 1, 2 * found.low - 1, 2 * found.high - 1, found.n)


def quantile_interval(values: Array, q: float = 0.5, level: float = 0.95) -> Interval:
    """Quantile with the order-statistic interval; infinite values ("not reached", diverged) are allowed. NaN may be any value."""
    if np.isnan(values).any():
        return either_way(lambda unknown: quantile_interval(np.where(np.isnan(values), unknown, values), q, level))
    values = np.sort(np.asarray(values, float))
    n = len(values)
    if n == 0:
        return Interval(np.nan, -np.inf, np.inf, 0)
    tail = (1 - level) / 2
    below = int(stats.binom.ppf(tail, n, q))
    above = int(stats.binom.ppf(1 - tail, n, q))
    low = values[below - 1] if below >= 1 else -np.inf
    high = values[above] if above < n else np.inf
    return Interval(float(values[min(int(np.ceil(q * n)) - 1, n - 1)] if q > 0 else values[0]), float(low), float(high), n)


def clustered_median(values: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Median of the clusters' medians, with the order-statistic interval over clusters. NaN may be any value."""
    values, cluster = np.asarray(values, float), np.asarray(cluster)
    if np.isnan(values).any():
        return either_way(lambda unknown: clustered_median(np.where(np.isnan(values), unknown, values), cluster, level))
    if len(np.unique(cluster)) == len(values):
        return quantile_interval(values, 0.5, level)
    medians = [np.median(values[cluster == one]) for one in np.unique(cluster)]
    return quantile_interval(np.array(medians), 0.5, level)


def either_way(estimate: Callable[[float], Interval]) -> Interval:
    """An estimate that rises with values of which some are not known: its interval reaches from where it would begin if they were all
    -infinity to where it would end if they were all infinity, and it is itself NaN where the two differ."""
    least, most = estimate(-np.inf), estimate(np.inf)
    return Interval(least.estimate if least.estimate == most.estimate else np.nan, least.low, most.high, least.n)


def iqm(values: Array) -> float:
    """Interquartile mean: the mean without the lowest and the highest quarter."""
    return float(stats.trim_mean(values, 0.25))


def solved_by(steps: Array, budget: Array | float) -> tuple[Array, Array]:
    """Steps and the share of lanes that have solved by then; lanes that never do (NaN) stay in the denominator.

    Never-solved lanes count as censored at their budget, so with one budget this is the plain ECDF with its mass at "never".
    """
    steps = np.asarray(steps, float)
    never = np.isnan(steps)
    times = np.where(never, budget, steps)
    curve = stats.ecdf(stats.CensoredData.right_censored(times, never)).cdf
    return curve.quantiles, curve.probabilities


def p_improvement(a: Array, b: Array, cluster_a: Array | None = None, cluster_b: Array | None = None, level: float = 0.95) -> Interval:
    """P(a > b) + P(a = b) / 2 of independent samples without NaN, 1/2 if neither tends to be larger; infinite values are allowed.

    The estimate is that of Mann and Whitney, in which each cluster counts once, whatever the number of its rows. It is a mean over all ways
    to pair the samples, and varies no more than the share of successes in k independent pairs, k = min(n_a, n_b) (Hoeffding, 1963,
    section 5; van Dantzig, 1951), so the interval is Clopper and Pearson's of k trials; `n` is k. The theorem bounds the variance, not the
    tails: the coverage is shown by our tests alone.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not len(a) or not len(b):
        return Interval(np.nan, 0.0, 1.0, 0)
    (weight_a, n_a), (weight_b, n_b) = (_weights(values, cluster) for values, cluster in ((a, cluster_a), (b, cluster_b)))
    order = np.argsort(b)
    summed = np.append(0.0, np.cumsum(weight_b[order]))
    below, upto = (summed[np.searchsorted(b[order], a, side)] / summed[-1] for side in ("left", "right"))
    estimate = float(np.sum(weight_a * ((below + upto) / 2)) / np.sum(weight_a))
    n = min(n_a, n_b)
    return clopper_pearson(estimate * n, n, level)._replace(estimate=estimate)


def _weights(values: Array, cluster: Array | None) -> tuple[Array, int]:
    """What each row counts so that all clusters count alike, and the number of clusters."""
    if cluster is None:
        return np.ones(len(values)), len(values)
    _, index, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    return sizes.max() / sizes[index], len(sizes)


def cliffs_delta(a: Array, b: Array) -> float:
    """P(a > b) - P(a < b), from -1 to 1."""
    return 2 * p_improvement(a, b).estimate - 1


def holm(p_values: Array) -> Array:
    """Holm's adjusted p-values (1979): no false rejection in the family with probability 1 - alpha."""
    return multipletests(p_values, method="holm")[1]


def equivalent(interval: Interval, target: float, margin: float) -> bool | None:
    """Whether the whole interval lies within the margin (True), outside it (False), or neither (None)."""
    if target - margin <= interval.low and interval.high <= target + margin:
        return True
    if interval.high < target - margin or interval.low > target + margin:
        return False
    return None
