"""Descriptions of a sample without an interval."""

import numpy as np
from scipy import stats

Array = np.ndarray


def iqm(values: Array) -> float:
    """Interquartile mean: the mean without the lowest and the highest quarter."""
    return float(stats.trim_mean(values, 0.25))


def solved_by(steps: Array, budget: Array | float) -> tuple[Array, Array]:
    """Steps, and the share of training runs that have solved their task by then; a run that never does (NaN) counts as not solved.

    A run that is not solved is censored at its budget. With one budget the shares are the plain ECDF with its mass at "never".
    """
    steps = np.asarray(steps, float)
    never = np.isnan(steps)
    times = np.where(never, budget, steps)
    curve = stats.ecdf(stats.CensoredData.right_censored(times, never)).cdf
    return curve.quantiles, curve.probabilities
