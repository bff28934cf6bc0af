"""Random starts as draws."""

import numpy as np
from scipy import stats

from analysis.load import Run
from analysis.theory.law import cells_of, jointly, law

RESTARTS = (2, 3, 5, 10)


def best_of(solved: np.ndarray, k: int) -> tuple[int, int]:
    """(groups with a success, groups) of k consecutive starts."""
    groups = np.asarray(solved)[: len(solved) // k * k].reshape(-1, k)
    return int(groups.any(axis=1).sum()), len(groups)


@law
def restarts(run: Run) -> tuple[bool, str, int]:
    """The best of k independent random starts succeeds with probability 1 - (1 - p)^k, p being the share of single starts: exact
    binomial tests over all cells and k = 2, 3, 5, 10, jointly at the 1% level (Holm)."""
    p_values, n = [], 0
    for _, rows in cells_of(run, lambda cell: cell.settings.initializer.random):
        solved = (rows.sort_values("init_seed")["outcome"] == "solved").to_numpy()
        for k in RESTARTS:
            successes, groups = best_of(solved, k)
            if groups:
                p_values.append(stats.binomtest(successes, groups, 1 - (1 - solved.mean()) ** k).pvalue)
        n += len(solved)
    holds, text = jointly(p_values)
    return holds, text, n
