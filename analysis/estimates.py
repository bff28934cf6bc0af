"""Estimates and their intervals; every function works on plain arrays."""

from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep

Array = np.ndarray


class Interval(NamedTuple):
    """An estimate with its confidence interval, and the number of independent observations behind it."""

    estimate: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Share with Wilson's score interval (Wilson, 1927): for display."""
    return _binomial(successes, n, level, "wilson")


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Share with the exact interval (Clopper and Pearson, 1934), never too short: for verdicts."""
    return _binomial(successes, n, level, "exact")


def _binomial(successes: int, n: int, level: float, method: str) -> Interval:
    if n == 0:
        return Interval(np.nan, 0.0, 1.0, 0)
    interval = stats.binomtest(successes, n).proportion_ci(level, method)
    return Interval(successes / n, float(interval.low), float(interval.high), n)


def clustered_rate(success: Array, cluster: Array, level: float = 0.95) -> Interval:
    """Share with an interval that counts clusters, not rows (Korn and Graubard, 1998).

    The exact interval at the effective sample size p (1 - p) / var, with var from the cluster totals; with one row per cluster it
    is Clopper and Pearson's. If all rows agree the clusters are the sample. `n` is the number of clusters.
    """
    success = np.asarray(success, float)
    _, index = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(index)
    clusters, n = len(sizes), len(success)
    if clusters == n:
        return clopper_pearson(int(success.sum()), n, level)
    rate = success.mean()
    residuals = np.bincount(index, success) - rate * sizes
    variance = clusters / max(clusters - 1, 1) * np.sum(residuals**2) / n**2
    if variance == 0 or clusters == 1:
        effective = float(clusters)
    else:
        quantile = stats.t.ppf((1 + level) / 2, [n - 1, clusters - 1])
        effective = min(rate * (1 - rate) / variance * (quantile[0] / quantile[1]) ** 2, float(n))
    tail = (1 - level) / 2
    x = rate * effective
    low = stats.beta.ppf(tail, x, effective - x + 1) if rate > 0 else 0.0
    high = stats.beta.ppf(1 - tail, x + 1, effective - x) if rate < 1 else 1.0
    return Interval(float(rate), float(low), float(high), clusters)


def quantile_interval(values: Array, q: float = 0.5, level: float = 0.95) -> Interval:
    """Quantile with the order-statistic interval; infinite values ("not reached", diverged) are allowed."""
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
    """Median of the clusters' medians, with the order-statistic interval over clusters."""
    values, cluster = np.asarray(values, float), np.asarray(cluster)
    if len(np.unique(cluster)) == len(values):
        return quantile_interval(values, 0.5, level)
    medians = [np.median(values[cluster == one]) for one in np.unique(cluster)]
    return quantile_interval(np.array(medians), 0.5, level)


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


def p_improvement(a: Array, b: Array, level: float = 0.95) -> Interval:
    """P(a > b) + P(a = b) / 2 with its interval (Brunner and Munzel, 2000); 1/2 if neither tends to be larger.

    Where the samples do not overlap that interval has no width; the exact interval of min(n_a, n_b) successes stands in.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    estimate = float(stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)))
    n = min(len(a), len(b))
    if estimate in (0.0, 1.0) or len(np.unique(np.concatenate([a, b]))) == 1:
        exact = clopper_pearson(round(estimate * n), n, level) if estimate in (0.0, 1.0) else None
        return Interval(estimate, exact.low if exact else estimate, exact.high if exact else estimate, n)
    # Ranks keep infinite values; only their order counts.
    ranks = stats.rankdata(np.concatenate([a, b]))
    low, high = rank_compare_2indep(ranks[: len(a)], ranks[len(a) :]).conf_int(alpha=1 - level)
    return Interval(estimate, max(float(low), 0.0), min(float(high), 1.0), n)


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
