"""Measures: what a claim or a figure reads off a row, as a number."""

from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from bench.messages import nearest

OUTCOMES = ("solved", "unsolved", "stuck", "diverged")
RATES = (*OUTCOMES, "broken")
"""Measures that are true or false of a lane; `broken`: its tied units came apart (it has a `break_step`)."""
NEVER = ("steps_to_solve", "break_step")
"""Columns that are null where something never happened."""
WORST: dict[str, float] = {
    **dict.fromkeys(("loss", "test_loss", "generator_loss", "energy_distance", "grad_norm", "weight_norm", "steps_run", *NEVER), np.inf),
    **dict.fromkeys(("zero_layers", "zero_share", "untied_layers", "untied_heads", "dead_fraction", "saturated_fraction"), np.inf),
    **dict.fromkeys(("signal_variance_*", "pre_activation_variance_*", "gradient_variance_*"), np.inf),
    **dict.fromkeys(("metric", "test_metric", "hessian_min"), -np.inf),
    **dict.fromkeys(("distinct_units*", "distinct_heads", "modes_covered", "other_grad_share"), 0.0),
    **dict.fromkeys(("effective_rank", "stable_rank", "participation_ratio"), 0.0),
}
"""What a missing value counts as, by the column's name without `_initial` and `_final`, so that a run that diverged, or never got
there, does not drop out of what is said of all runs. The best value of a measure is at the other end."""


def worst_value(measure: str) -> float:
    """What a missing value of a measure counts as; NaN if nothing is declared."""
    stem = measure.removesuffix("_final").removesuffix("_initial")
    return next((worst for pattern, worst in WORST.items() if fnmatchcase(stem, pattern)), np.nan)


def measured(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """A rate as 0 and 1, or a numeric column as floats with its worst value where it is missing.

    ValueError if there is no such column, or if no run that has not diverged has a value in it.
    """
    if measure in OUTCOMES:
        return (rows["outcome"] == measure).to_numpy(float)
    if measure == "broken" and "break_step" in rows:
        return rows["break_step"].notna().to_numpy(float)
    if measure not in rows or not pd.api.types.is_numeric_dtype(rows[measure]):
        numeric = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name])]
        raise ValueError(f"unknown measure '{measure}'; {nearest(measure, [*RATES, *numeric])}")
    values = rows[measure].to_numpy(float, na_value=np.nan)
    missing = np.isnan(values)
    if len(rows) and missing.all() and measure not in NEVER and not (rows["outcome"] == "diverged").all():
        cells = ", ".join(rows["cell"].unique()[:3])
        raise ValueError(f"measure '{measure}': no run of these cells has a value: {cells}; name cells whose models and tasks have one")
    return np.where(missing, worst_value(measure), values)


def columns_of(measure: str) -> tuple[str, ...]:
    """The columns of the rows that a measure is read from."""
    return ("outcome",) if measure in OUTCOMES else ("break_step",) if measure == "broken" else (measure,)


def best_value(rows: pd.DataFrame, axis: str, measure: str) -> Any:
    """The value of an axis with the best share or median of a measure in these rows; of several, the one nearest to the axis's middle.

    The rows that judge it must be others, so that the choice does not flatter what is then measured.
    """
    typical = "mean" if measure in RATES else "median"
    values = pd.Series(measured(rows, measure)).groupby(rows[axis].to_numpy(), sort=False).agg(typical)
    scores = values.reindex(values_of(rows, axis))
    best = np.flatnonzero(scores == (scores.min() if lower_is_better(measure) else scores.max()))
    return scores.index[best[np.argmin(np.abs(best - (len(scores) - 1) / 2))]]


def values_of(rows: pd.DataFrame, axis: str) -> list[Any]:
    """The values of an axis that rows have: numbers by size, others in the order of the grid."""
    values = rows[axis].drop_duplicates().sort_values().tolist()
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values


def at_edge(rows: pd.DataFrame, axis: str, value: Any) -> bool:
    """Whether a value of a numeric axis is the least or the largest that was tried."""
    values = values_of(rows, axis)
    return isinstance(value, int | float) and value in (values[0], values[-1])


def lower_is_better(measure: str) -> bool:
    """Whether the best value of a measure is its lowest."""
    return measure in ("unsolved", "stuck", "diverged") or worst_value(measure) == np.inf
