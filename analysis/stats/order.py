"""Whether the values of one sample tend to be larger than those of another."""

import numpy as np

from analysis.stats.intervals import Interval, clopper_pearson, clustered_rate

Array = np.ndarray


def paired_improvement(a: Array, b: Array, cluster: Array, level: float = 0.95) -> Interval:
    """P(a > b) + P(a = b) / 2 over pairs, with the interval of `clustered_rate`; 1/2 if neither tends to be larger."""
    larger = (a > b).astype(float) - (a < b)
    return clustered_rate((np.sign(larger) + 1) / 2, cluster, level)


def p_improvement(a: Array, b: Array, cluster_a: Array | None = None, cluster_b: Array | None = None, level: float = 0.95) -> Interval:
    """P(a > b) + P(a = b) / 2 of independent samples without NaN; 1/2 if neither tends to be larger. Infinite values are allowed.

    The estimate is that of Mann and Whitney, in which each cluster counts once, whatever the number of its rows. It is a mean over all ways
    to pair the samples, and varies no more than the share of successes in k independent pairs, k = min(n_a, n_b) (Hoeffding, 1963,
    section 5; van Dantzig, 1951). The interval is therefore that of Clopper and Pearson for k trials, and `n` is k. The theorem bounds the
    variance, not the tails: the coverage is shown by our tests alone.
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
    """The weight of each row that makes all clusters count alike, and the number of clusters."""
    if cluster is None:
        return np.ones(len(values)), len(values)
    _, index, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    return sizes.max() / sizes[index], len(sizes)
