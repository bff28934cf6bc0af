"""Checks of an experiment before it trains: whether its claims could be judged and its figures drawn from the rows that it will have."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from analysis.figures.check import check_figures
from analysis.laws import laws
from analysis.rows.measures import RATES, asked_cells, check_measures, worst_value
from bench.messages import nearest, one_line, shown
from bench.spec import Claim, Experiment

NEVER_SHOWN = {"at_least": 1, "at_most": 0}
"""Bounds on a share that no interval reaches."""


def check(experiment: Experiment) -> None:
    """Check the measures, laws, claims and figures of an experiment; ValueError with one line on the first that cannot be used."""
    try:
        check_measures(experiment)
        check_claims(experiment)
        check_figures(experiment)
    except ValueError as error:
        raise ValueError(one_line(error)) from error


def check_claims(experiment: Experiment) -> None:
    """Check the laws and claims of an experiment; ValueError on an unknown law, or on a claim that cannot be judged as it is worded."""
    named = [*experiment.laws, *(claim.law for claim in experiment.claim if claim.law)]
    for name in named:
        if name not in laws():
            raise ValueError(f"experiment '{experiment.name}': unknown law {shown(name)}; {nearest(name, laws())}")
    for claim in experiment.claim:
        for fault in faults_of(experiment, claim):
            raise ValueError(f"experiment '{experiment.name}': claim '{claim.id}': {fault}")


def faults_of(experiment: Experiment, claim: Claim) -> list[str]:
    """The reasons why a claim cannot be judged as it is worded; empty if it can."""
    found = [*_wording(claim)]
    if claim.law is None:
        found += [*_bounds(claim), *_margin(claim), *_best(claim), *_same_sides(claim), *_pooled(experiment, claim)]
    return list(dict.fromkeys(found))


def _wording(claim: Claim) -> Iterator[str]:
    """Criteria that do not judge what the sentence says."""
    numeric = claim.measure is not None and claim.measure not in RATES
    if claim.each and not numeric:
        yield f"each: '{claim.measure}' is true or false of a training run and judged by its share anyway; each needs a numeric measure"
    if claim.needs is not None and claim.needs.share is not None and claim.needs.measure in RATES:
        yield f"needs: share needs a numeric measure; '{claim.needs.measure}' is judged by its share anyway"
    if numeric and claim.greater_than is None and not claim.each and "median" not in claim.says.lower():
        yield f"judges the median of '{claim.measure}', which `says` does not mention; say 'median', or set each = true"


def _bounds(claim: Claim) -> Iterator[str]:
    """Bounds on a share that no rows could meet."""
    bounds = [(claim.measure, key, getattr(claim, key)) for key in ("at_least", "at_most", "equal_to")]
    if claim.needs is not None:
        bounds += [(claim.needs.measure, f"needs: {key}", getattr(claim.needs, key)) for key in ("at_least", "at_most")]
    for measure, key, bound in bounds:
        if measure in RATES and isinstance(bound, int | float) and not 0 <= bound <= 1:
            yield f"{key} = {bound:g}: '{measure}' is a share, from 0 to 1"
        if measure in RATES and bound is not None and bound == NEVER_SHOWN.get(key.rpartition(" ")[2]):
            yield f"{key} = {bound:g}: no number of training runs shows that a share is exactly {bound:g}; name a bound between 0 and 1"


def _margin(claim: Claim) -> Iterator[str]:
    """A margin that is as large as the largest possible difference."""
    if claim.margin is not None and (claim.greater_than is not None or claim.measure in RATES):
        most, of = (1.0, "of two shares") if claim.measure in RATES else (0.5, "of P(larger) from 1/2")
        if claim.margin >= most:
            yield f"margin = {claim.margin:g}: must be below {most:g}, the largest difference {of}"


def _best(claim: Claim) -> Iterator[str]:
    """A best value, or a worse one, that is not defined."""
    other, key = claim.non_inferiority, next(iter(claim.compared), "")
    if other is not None and claim.measure not in RATES and np.isnan(worst_value(str(claim.measure))):
        yield f"{key}: it is not declared whether a small or a large '{claim.measure}' is better"
    if other is not None and other.measure not in (None, claim.measure):
        yield f"{key}: compares two measures, '{claim.measure}' and '{other.measure}'; it is about one"
    if claim.best is None:
        return
    if claim.best in claim.by:
        yield f"best: '{claim.best}' is also in by, which leaves only one value to choose from"
    for measure in dict.fromkeys(side.measure for side in (claim, *claim.other_rows.values())):
        if measure is not None and measure not in RATES and np.isnan(worst_value(measure)):
            yield f"best: it is not declared whether a small or a large '{measure}' is better"


def _same_sides(claim: Claim) -> Iterator[str]:
    """A comparison of rows with themselves."""
    for key, other in claim.compared.items():
        if {**claim.where, **other.where} == claim.where and other.measure in (None, claim.measure):
            yield f"{key}: compares the claim's training runs with themselves; its where must name others"


def _pooled(experiment: Experiment, claim: Claim) -> Iterator[str]:
    """Axes whose values are judged together although the claim does not say so."""
    named = {*claim.by, *claim.pool, *([claim.best] if claim.best else [])}
    sides: list[tuple[str, Mapping[str, Any]]] = [("where", claim.where)]
    sides += [(key, {**claim.where, **other.where}) for key, other in claim.other_rows.items()]
    for key, where in sides:
        cells = asked_cells(experiment, where)
        for axis in experiment.axes:
            count = len({cell.axes[axis] for cell in cells})
            if axis not in named and axis not in where and count > 1:
                yield f"{key}: pools {count} values of '{axis}'; name the axis in where, by or best, or in pool to pool it on purpose"
