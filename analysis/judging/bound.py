"""Claims that hold a number against a bound: a share, a median, or the share of training runs that meet the bound."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.judging.criterion import at_least, bound_text, decision_of, meets, required_share
from analysis.judging.side import Side
from analysis.laws import Decision
from analysis.rows.measures import RATES
from analysis.stats.intervals import clustered_median, clustered_rate
from bench.spec import Claim

SHARE = "share, interval of Clopper and Pearson, or of Gaffke over the clusters' shares"
MEDIAN = "median of the clusters' medians, interval of order statistics over clusters"


def bound_decision(claim: Claim, condition: dict[str, Any], mine: Side) -> Decision:
    """The number that a claim with at_least, at_most, or a number in equal_to is decided by under one condition."""
    if claim.each:
        measure = f"share with {mine.measure} {bound_text(claim)}{mine.note}"
        return each_decision(claim, condition, mine.rows, meets(claim, mine.values), mine.clusters, measure, SHARE)
    is_rate = mine.measure in RATES
    estimate, estimator = (clustered_rate, SHARE) if is_rate else (clustered_median, MEDIAN)
    return Decision(
        condition,
        mine.rows,
        f"{'share' if is_rate else 'median'} {mine.measure}{mine.note}",
        estimator,
        lambda level: estimate(mine.values, mine.clusters, level),
        decision_of(claim, is_rate),
    )


def each_decision(
    claim: Claim, condition: dict[str, Any], rows: pd.DataFrame, met: np.ndarray, clusters: np.ndarray, measure: str, estimator: str
) -> Decision:
    """The share of training runs that meet the claim (`met`, by row), which must be at least the required share."""
    decide = at_least(required_share(claim))
    return Decision(condition, rows, measure, estimator, lambda level: clustered_rate(met, clusters, level), decide)
