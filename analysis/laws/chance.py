"""Random starts as independent draws."""

import math

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.laws.evidence import Decision, Evidence
from analysis.laws.law import cells_of, law
from analysis.rows.load import Run
from analysis.stats.intervals import Interval, equivalent

RESTARTS = (2, 3, 5, 10)
"""Numbers k of starts of which the best one counts."""
BLOCK = math.lcm(*RESTARTS)
"""Number of consecutive starts that make whole groups of each of these sizes."""
UNSETTLED = (0.05, 0.95)
"""Bounds between which a predicted probability is compared: close to 0 or 1, starts that depend on one another meet it as well."""
MIXED = 0.25
"""Least share of starts in conditions where some succeed and some fail; the others meet any rule."""
MARGIN = 0.02
"""Largest mean distance of the share of successes from the predicted probability that counts as equal to it."""


def best_of(solved: np.ndarray, k: int) -> tuple[int, int]:
    """The number of groups of k consecutive starts with a success, and the number of groups."""
    groups = np.asarray(solved)[: len(solved) // k * k].reshape(-1, k)
    return int(groups.any(axis=1).sum()), len(groups)


@law()
def restarts(run: Run, found: Evidence) -> None:
    """The best of k independent random starts succeeds with probability 1 - (1 - p)^k, p being the share of single starts: exact
    binomial tests over all cells and k = 2, 3, 5, 10, jointly at the 1% level (Holm). As a claim: on average the share of successes
    is within 2 percentage points of that probability, where it is between 5% and 95%."""
    departures, indices = [], []
    for _, rows in cells_of(run, lambda cell: cell.settings.initializer.random):
        lanes = found.lanes(rows.sort_values("init_seed"))
        solved = lanes["outcome"] == "solved"
        p = solved.mean()
        mixed = lanes.where(np.full(len(lanes), 0 < p < 1), MIXED)
        groups = {k: best_of(solved, k) for k in RESTARTS if len(mixed) >= k}
        mixed.tests([stats.binomtest(*of, 1 - (1 - p) ** k).pvalue for k, of in groups.items()])
        departures += [_departure(solved, k) for k in RESTARTS if len(solved) >= BLOCK and UNSETTLED[0] <= 1 - (1 - p) ** k <= UNSETTLED[1]]
        indices.append(rows.index)
    if not departures:
        return
    each = np.mean([one[: min(map(len, departures))] for one in departures], axis=0)

    def interval(level: float) -> Interval:
        error = stats.sem(each) if len(each) > 1 else np.inf
        reach = stats.t.ppf((1 + level) / 2, max(len(each) - 1, 1)) * error
        return Interval(float(np.mean(each)), float(np.mean(each) - reach), float(np.mean(each) + reach), len(each))

    def decide(known: Interval) -> bool | None:
        return equivalent(known, 0.0, MARGIN) if found.passes_tests else False

    found.decided.append(
        Decision(
            {},
            run.lanes.loc[np.concatenate(indices)],
            "share of successes minus predicted probability",
            f"mean over conditions and k, t interval over blocks of {BLOCK} starts",
            interval,
            decide,
        )
    )


def _departure(solved: np.ndarray, k: int) -> Float[np.ndarray, " block"]:
    """The share of groups of k with a success minus 1 - (1 - p)^k, per block of starts.

    p is an estimate from the same starts, so the difference is corrected to first order for the share of solved starts in the block.
    """
    blocks = solved[: len(solved) // BLOCK * BLOCK].reshape(-1, BLOCK)
    p = solved.mean()
    successes = blocks.reshape(len(blocks), -1, k).any(axis=2).mean(axis=1)
    return successes - (1 - (1 - p) ** k) - k * (1 - p) ** (k - 1) * (blocks.mean(axis=1) - p)
