"""A claim's criterion: how an interval decides it, and the criterion in words."""

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.rows.measures import RATES
from analysis.stats.intervals import Interval, equivalent
from bench.spec import Claim, Comparison, Control

SHARE_OF_RUNS = 0.99
"""Share of the training runs that must meet a bound on each of them, unless the claim names another share."""
RATE_MARGIN, ORDER_MARGIN = 0.02, 0.05
"""Smallest difference of two shares, and of P(larger) from 1/2, that counts as greater, unless the claim names a margin."""
ROUNDING = 2.0**-23
"""Relative rounding of float32, the precision in which reports keep values: a value that misses its bound by no more than this meets it."""

Decide = Callable[[Interval], bool | None]
"""A decision by an interval: True if the claim holds, False if it fails, None if the interval leaves both possible."""


def at_least(bound: float) -> Decide:
    """The decision whether a number is at least `bound`."""
    return lambda found: True if found.low >= bound else False if found.high < bound else None


def at_most(bound: float) -> Decide:
    """The decision whether a number is at most `bound`."""
    return lambda found: True if found.high <= bound else False if found.low > bound else None


def more_than(bound: float) -> Decide:
    """The decision whether a number is greater than `bound`."""
    return lambda found: True if found.low > bound else False if found.high < bound else None


def less_than(bound: float) -> Decide:
    """The decision whether a number is less than `bound`: the opposite of `at_least`."""
    return lambda found: True if found.high < bound else False if found.low >= bound else None


def decision_of(bounds: Claim | Control, is_rate: bool) -> Decide:
    """The decision by a claim's (or a control's) at_least, at_most or equal_to.

    Shares are compared with the bound as it stands, other values with the bound widened by the rounding of float32.
    """
    if bounds.at_least is not None:
        return at_least(bounds.at_least if is_rate else _floor(bounds.at_least))
    if bounds.at_most is not None:
        return at_most(bounds.at_most if is_rate else _ceiling(bounds.at_most))
    assert isinstance(bounds, Claim) and bounds.margin is not None
    if bounds.non_inferiority is not None:
        least = -bounds.margin if is_rate else _floor(-bounds.margin)
        return at_least(least) if bounds.worse_than is None else less_than(least)
    assert bounds.equal_to is not None
    target = 0.0 if isinstance(bounds.equal_to, Comparison) else bounds.equal_to
    margin = bounds.margin if is_rate else bounds.margin + _slack(target, bounds.margin)
    return lambda found: equivalent(found, target, margin)


def meets(bounds: Claim | Control, values: np.ndarray) -> np.ndarray:
    """Whether each value meets the bound of a claim or control; NaN never does."""
    if bounds.at_least is not None:
        return values >= _floor(bounds.at_least)
    if bounds.at_most is not None:
        return values <= _ceiling(bounds.at_most)
    assert isinstance(bounds, Claim) and isinstance(bounds.equal_to, int | float) and bounds.margin is not None
    return np.abs(values - bounds.equal_to) <= bounds.margin + _slack(bounds.equal_to, bounds.margin)


def required_share(bounds: Claim | Control) -> float:
    """The share of training runs that must meet a bound on each of them."""
    return SHARE_OF_RUNS if bounds.share is None else bounds.share


def margin_of(claim: Claim) -> float:
    """The smallest difference that counts as greater: of two shares, or of P(larger) from 1/2."""
    if claim.margin is not None:
        return claim.margin
    return RATE_MARGIN if claim.measure in RATES else ORDER_MARGIN


def bound_text(bounds: Claim | Control) -> str:
    """The bound of a claim or control in words."""
    if bounds.at_least is not None:
        return f"at least {bounds.at_least:g}"
    if bounds.at_most is not None:
        return f"at most {bounds.at_most:g}"
    assert isinstance(bounds, Claim)
    return f"{bounds.equal_to:g} within {bounds.margin:g}"


def criterion_text(claim: Claim) -> str:
    """The criterion of a claim in words."""
    if claim.each:
        return f"in a share of at least {required_share(claim):g} of runs"
    if isinstance(claim.equal_to, Comparison):
        return f"0 within {claim.margin:g} against {_place(claim.equal_to)}"
    if claim.non_inferiority is not None:
        return f"worse by {'at most' if claim.worse_than is None else 'more than'} {claim.margin:g} than {_place(claim.non_inferiority)}"
    if claim.greater_than is not None:
        least = margin_of(claim) if claim.measure in RATES else 0.5 + margin_of(claim)
        return f"more than {least:g} against {_place(claim.greater_than)}"
    return bound_text(claim) if claim.law is None else f"law {claim.law} holds"


def _floor(bound: float) -> float:
    """The least value that counts as at least `bound`."""
    return bound - ROUNDING * abs(bound)


def _ceiling(bound: float) -> float:
    """The largest value that counts as at most `bound`."""
    return bound + ROUNDING * abs(bound)


def _slack(target: float, margin: float) -> float:
    """How far outside its margin around `target` rounding may put a value."""
    return ROUNDING * (abs(target) + margin)


def _place(other: Comparison) -> str:
    return ", ".join(f"{axis} {_value(value)}" for axis, value in other.where.items()) or other.measure or "itself"


def _value(value: Any) -> str:
    """One value of an axis, several, or a range, in words."""
    if isinstance(value, dict):
        return " and ".join(f"{bound.replace('_', ' ')} {limit:g}" for bound, limit in value.items())
    return f"= {value}"
