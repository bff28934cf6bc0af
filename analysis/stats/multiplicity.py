"""The correction of several tests for their number."""

import numpy as np
from jaxtyping import Bool, Float

Numbers = Float[np.ndarray, " hypothesis"]


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
