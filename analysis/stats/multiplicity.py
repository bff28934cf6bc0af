"""P-values from intervals, and the correction of several tests for their number."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

Numbers = Float[np.ndarray, " hypothesis"]
RESOLUTION = 1.01
"""Ratio of the bounds between which a p-value is found."""


def least_error(decides: Callable[[float], bool], low: float, high: float) -> float:
    """The least error probability from `low` to `high` at which an interval decides, rounded up by at most 1%.

    `decides` tells whether the interval with this error probability decides; it does at `high`, and at every error above one at which it
    does. Between the two the search is by bisection of the logarithm.
    """
    if decides(low):
        return low
    while high / low > RESOLUTION:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def rejected(p_values: Numbers, levels: Numbers) -> Bool[np.ndarray, " hypothesis"]:
    """Tell whether Holm's procedure (1979) rejects each hypothesis, every one at a level of its own.

    Hypotheses are taken in the order of p-value over level, and rejected as long as the p-value is at most the level over the number of
    hypotheses that are left. With equal levels alpha, any true hypothesis is rejected with probability alpha at most.
    """
    order = np.argsort(p_values / levels, kind="stable")
    stands = np.logical_and.accumulate(p_values[order] <= levels[order] / np.arange(len(order), 0, -1))
    found = np.zeros(len(order), bool)
    found[order] = stands
    return found
