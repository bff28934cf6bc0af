"""Measures: what a claim or a figure reads off a row, as a number."""

from typing import Any

import numpy as np
import pandas as pd

from bench.messages import nearest

OUTCOMES = ("solved", "unsolved", "stuck", "diverged")
RATES = (*OUTCOMES, "broken")
"""Measures that are true or false of a lane; `broken`: its tied units came apart (it has a `break_step`)."""
WORST_IS_LARGE = ("loss", "test_loss", "grad_norm", "steps_to_solve", "steps_run", "break_step")
"""Measures whose missing value (diverged, never) counts as infinitely large instead of dropping out."""


def measured(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """A rate as 0 and 1, or a numeric column as floats; ValueError if there is no such column."""
    if measure in OUTCOMES:
        return (rows["outcome"] == measure).to_numpy(float)
    if measure == "broken" and "break_step" in rows:
        return rows["break_step"].notna().to_numpy(float)
    if measure not in rows or not pd.api.types.is_numeric_dtype(rows[measure]):
        numeric = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name])]
        raise ValueError(f"unknown measure '{measure}'; {nearest(measure, [*RATES, *numeric])}")
    values = rows[measure].to_numpy(float, na_value=np.nan)
    return np.where(np.isnan(values), np.inf, values) if _stem(measure) in WORST_IS_LARGE else values


def columns_of(measure: str) -> tuple[str, ...]:
    """The columns of the rows that a measure is read from."""
    return ("outcome",) if measure in OUTCOMES else ("break_step",) if measure == "broken" else (measure,)


def best_value(rows: pd.DataFrame, axis: str, measure: str) -> Any:
    """The value of an axis with the best share or median of a measure on the even init seeds; the odd ones are there to judge it.

    So the choice does not flatter what is then measured.
    """
    even = rows[rows["init_seed"] % 2 == 0]
    typical = "mean" if measure in RATES else "median"
    scores = pd.Series(measured(even, measure)).groupby(even[axis].to_numpy(), sort=False).agg(typical)
    return scores.idxmin() if lower_is_better(measure) else scores.idxmax()


def lower_is_better(measure: str) -> bool:
    """Whether the best value of a measure is its lowest."""
    return measure in ("unsolved", "stuck", "diverged") or _stem(measure) in WORST_IS_LARGE


def _stem(measure: str) -> str:
    return measure.removesuffix("_final").removesuffix("_initial")
