"""Measures: the numbers that claims and figures read from a row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from bench.losses.definition import Loss
from bench.messages import nearest, one_line, shown
from bench.runs.columns import Columns
from bench.runs.contents import ENDS, OUTCOMES
from bench.runs.parquet import STEPS_OR_NULL
from bench.spec import Cell, Experiment, label_key, wanted_labels

END_RATES = {f"end_{kind}": kind for kind in ENDS}
"""Measures that tell whether a training run failed and has an end of this kind."""
RATES = (*OUTCOMES, "broken", *END_RATES)
"""Measures that are true or false of a lane; `broken` means that its tied units came apart (it has a `break_step`)."""
WORST: dict[str, float] = {
    **dict.fromkeys(("loss", "test_loss", "generator_loss"), Loss.worst),
    **dict.fromkeys(("energy_distance", "grad_norm", "weight_norm", "steps_run", *STEPS_OR_NULL), np.inf),
    **dict.fromkeys(("zero_layers", "zero_share", "untied_layers", "untied_heads", "dead_fraction", "saturated_fraction"), np.inf),
    **dict.fromkeys(("signal_variance_*", "pre_activation_variance_*", "gradient_variance_*"), np.inf),
    **dict.fromkeys(("metric", "test_metric"), Loss.worst_metric),
    "hessian_min": -np.inf,
    **dict.fromkeys(("distinct_units*", "distinct_heads", "modes_covered", "other_grad_share"), 0.0),
    **dict.fromkeys(("effective_rank", "stable_rank", "participation_ratio"), 0.0),
}
"""Worst value of a measure, by the name of its column without `_initial` and `_final`. The best value is at the other end.

It stands in for a missing value, so that a training run that diverged, or never got there, is counted.
"""


def worst_value(measure: str) -> float:
    """The worst value of a measure, which a missing value counts as; NaN if none is declared."""
    stem = measure.removesuffix("_final").removesuffix("_initial")
    return next((worst for pattern, worst in WORST.items() if fnmatchcase(stem, pattern)), np.nan)


def measured(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """A rate as 0 and 1, or a numeric column as floats with its worst value where it is missing.

    ValueError if there is no such column, or if no run has a value in it although some have not diverged.
    """
    if measure in OUTCOMES:
        return (rows["outcome"] == measure).to_numpy(float)
    if measure == "broken" and "break_step" in rows:
        return rows["break_step"].notna().to_numpy(float)
    if measure in END_RATES and "end" in rows:
        return (rows["end"] == END_RATES[measure]).to_numpy(float)
    if measure not in rows or not pd.api.types.is_numeric_dtype(rows[measure]):
        numeric = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name])]
        raise ValueError(f"unknown measure {shown(measure)}; {nearest(measure, [*RATES, *numeric])}")
    values = rows[measure].to_numpy(float, na_value=np.nan)
    missing = np.isnan(values)
    if lacks_values(rows, measure):
        cells = ", ".join(rows["cell"].unique()[:3])
        raise ValueError(f"measure '{measure}': no run of these cells has a value: {cells}; name cells whose models and tasks have one")
    return np.where(missing, worst_value(measure), values)


def lacks_values(rows: pd.DataFrame, measure: str) -> bool:
    """Whether no run has a value of a measure although some have not diverged: their models or tasks have none."""
    if measure in RATES or measure in STEPS_OR_NULL or not len(rows):
        return False
    return bool(rows[measure].isna().all()) and not (rows["outcome"] == "diverged").all()


def with_worst(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column of the rows for a drawing or a table.

    Runs that diverged have the worst value (NaN if none is declared), and events that never happened are infinite.
    """
    values = rows[column].astype(float)
    return (
        values.fillna(worst_value(column))
        if column in STEPS_OR_NULL
        else values.mask(values.isna() & (rows["outcome"] == "diverged"), worst_value(column))
    )


def columns_of(measure: str) -> tuple[str, ...]:
    """The columns of the rows that a measure is read from."""
    if measure in OUTCOMES:
        return ("outcome",)
    return ("break_step",) if measure == "broken" else ("end",) if measure in END_RATES else (measure,)


def best_value(rows: pd.DataFrame, axis: str, measure: str) -> Any:
    """The value of an axis with the best share or median of a measure in these rows; of several, the one nearest to the middle of the axis.

    Other rows must judge it: the choice flatters the rows that it was made on.
    """
    typical = "mean" if measure in RATES else "median"
    values = pd.Series(measured(rows, measure)).groupby(rows[axis].to_numpy(), sort=False).agg(typical)
    scores = values.reindex(values_of(rows, axis))
    best = np.flatnonzero(scores == (scores.min() if lower_is_better(measure) else scores.max()))
    return scores.index[best[np.argmin(np.abs(best - (len(scores) - 1) / 2))]]


def values_of(rows: pd.DataFrame, axis: str) -> list[Any]:
    """The values of an axis that occur in the rows: numbers by size, others in the order of the grid."""
    values = rows[axis].drop_duplicates().sort_values().tolist()
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values


def at_edge(rows: pd.DataFrame, axis: str, value: Any) -> bool:
    """Whether a value of a numeric axis is the least or the largest that was tried."""
    values = values_of(rows, axis)
    return isinstance(value, int | float) and value in (values[0], values[-1])


def lower_is_better(measure: str) -> bool:
    """Whether the best value of a measure is its lowest."""
    return measure in ("unsolved", "stuck", "diverged", *END_RATES) or worst_value(measure) == np.inf


def check_measures(experiment: Experiment, rows: Iterable[str] | None = None) -> None:
    """Check the measures of claims and published numbers; ValueError on one that the rows do not have.

    `rows` are the columns of existing rows. Without them, the columns are worked out from the experiment, so that a typing error is found
    before anything is trained.
    """
    has_row = _known_columns(experiment, rows)
    for place, measure, where in _measures(experiment):
        cells = asked_cells(experiment, where)
        column = columns_of(measure)[0]
        lacking = [cell for cell in cells if measure not in OUTCOMES and not has_row(cell, column)]
        if lacking and column == "end":
            raise ValueError(f"{place}: '{measure}' needs ends = true")
        if lacking and column == "break_step":
            raise ValueError(f"{place}: '{measure}' needs track = ['tie_spread'], and hidden units in every run that it is about")
        if len(lacking) == len(cells):
            raise ValueError(f"{place}: unknown measure {shown(measure)}; {nearest(measure, _all_columns(experiment, rows))}")
        if lacking:
            setting = ", ".join(f"{axis} = {value}" for axis, value in lacking[0].axes.items())
            raise ValueError(one_line(f"{place}: the runs with {setting} have no '{measure}'; 'where' leaves them out"))
        if left_out(column, experiment.unreported):
            raise ValueError(f"{place}: '{measure}' is left out of reports, by 'unreported'")


def named_columns(experiment: Experiment) -> set[str]:
    """The names that claims, published numbers and figures read from the rows; those of figures may also be axes and settings."""
    drawn = {name for figure in experiment.figure or () for name in (figure.x, figure.y) if name is not None}
    return drawn | {column for _, measure, _ in _measures(experiment) for column in columns_of(measure)}


def left_out(column: str, unreported: Iterable[str]) -> bool:
    """Whether `unreported` removes a column from the rows that a report keeps."""
    return any(column.startswith(f"{name}_") or fnmatchcase(column, name) for name in unreported)


def _known_columns(experiment: Experiment, rows: Iterable[str] | None) -> Callable[[Cell, str], bool]:
    """A function that says whether the rows of a cell have a column."""
    if rows is not None:
        names = set(rows)
        return lambda cell, name: name in names
    return Columns(experiment, named_columns(experiment)).in_rows


def _all_columns(experiment: Experiment, rows: Iterable[str] | None) -> list[str]:
    """All measures, for a message."""
    if rows is not None:
        return [*RATES, *rows]
    columns = Columns(experiment)
    return [*RATES, *{name for cell in experiment.cells for name in columns.of_rows(cell)}]


def _measures(experiment: Experiment) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The place of each measure in the experiment file, its name, and the `where` of its rows."""
    for claim in experiment.claim:
        place = f"claim '{claim.id}'"
        if claim.measure is not None:
            yield f"{place}: measure", claim.measure, claim.where
        for key, other in claim.other_rows.items():
            yield f"{place}: {key}", other.measure or str(claim.measure), {**claim.where, **other.where}
    for number in experiment.published:
        yield f"published '{one_line(number.says, 100)}'", number.measure, number.where


def asked_cells(experiment: Experiment, where: Mapping[str, Any]) -> list[Cell]:
    """The cells that a `where` selects."""
    wanted = {
        axis: set(map(label_key, wanted_labels(value, experiment.axes[axis]))) for axis, value in where.items() if axis in experiment.axes
    }
    return [cell for cell in experiment.cells if all(label_key(cell.axes[axis]) in labels for axis, labels in wanted.items())]
