"""Measures: what a claim or a figure reads off a row, as a number."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from bench.columns import Columns
from bench.grid import label_key, wanted_labels
from bench.messages import nearest, one_line
from bench.spec import SECTIONS, Cell, Comparison, Experiment, Figure

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


def check_measures(experiment: Experiment, rows: Iterable[str] | None = None, curves: Iterable[str] | None = None) -> None:
    """Raise ValueError on a measure of a claim or published number, or a column of a figure, that the run's rows do not have.

    Without `rows` and `curves`, the columns of those that there are, they are worked out from the experiment, so that a typing error is
    found before anything is trained.
    """
    has_row, has_curve = _known_columns(experiment, rows, curves)
    for place, measure, where in _measures(experiment):
        cells = _cells(experiment, where)
        column = columns_of(measure)[0]
        lacking = [cell for cell in cells if measure not in OUTCOMES and not has_row(cell, column)]
        if lacking and column == "break_step":
            raise ValueError(f"{place}: '{measure}' needs track = ['tie_spread'], and hidden units in every run that it is about")
        if len(lacking) == len(cells):
            raise ValueError(f"{place}: unknown measure '{one_line(measure)}'; {nearest(measure, _all_columns(experiment, rows))}")
        if lacking:
            setting = ", ".join(f"{axis} = {value}" for axis, value in lacking[0].axes.items())
            raise ValueError(one_line(f"{place}: the runs with {setting} have no '{measure}'; 'where' leaves them out"))
        if left_out(column, experiment.unreported):
            raise ValueError(f"{place}: '{measure}' is left out of reports, by 'unreported'")
    for figure in experiment.figure:
        _check_figure(experiment, figure, has_row, has_curve, rows)


def named_columns(experiment: Experiment) -> set[str]:
    """What claims, published numbers and figures read off the rows; among the names of figures are also axes and settings."""
    drawn = {name for figure in experiment.figure for name in (figure.x, figure.y) if name is not None}
    return drawn | {column for _, measure, _ in _measures(experiment) for column in columns_of(measure)}


def left_out(column: str, unreported: Iterable[str]) -> bool:
    """Whether `unreported` leaves a column out of a report's copy of the rows."""
    return any(column.startswith(f"{name}_") or fnmatchcase(column, name) for name in unreported)


HasColumn = Callable[[Cell, str], bool]


def _known_columns(experiment: Experiment, rows: Iterable[str] | None, curves: Iterable[str] | None) -> tuple[HasColumn, HasColumn]:
    """Whether the rows, and the curves, of a cell have a column."""
    if rows is not None and curves is not None:
        row_names, curve_names = set(rows), set(curves)
        return lambda cell, name: name in row_names, lambda cell, name: name in curve_names
    columns = Columns(experiment, named_columns(experiment))
    return columns.in_rows, columns.in_curves


def _all_columns(experiment: Experiment, rows: Iterable[str] | None) -> list[str]:
    """Every measure that there is, for a message."""
    if rows is not None:
        return [*RATES, *rows]
    columns = Columns(experiment)
    return [*RATES, *{name for cell in experiment.cells for name in columns.of_rows(cell)}]


def _measures(experiment: Experiment) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where a measure stands in the experiment file, its name, and what rows it is read off."""
    for claim in experiment.claim:
        place = f"claim '{claim.id}'"
        if claim.measure is not None:
            yield f"{place}: measure", claim.measure, claim.where
        for key, other in (("equal_to", claim.equal_to), ("greater_than", claim.greater_than)):
            if isinstance(other, Comparison):
                yield f"{place}: {key}", other.measure or str(claim.measure), {**claim.where, **other.where}
        if claim.needs is not None:
            yield f"{place}: needs", claim.needs.measure, {**claim.where, **claim.needs.where}
    for number in experiment.published:
        yield f"published '{one_line(number.says, 100)}'", number.measure, number.where


def _cells(experiment: Experiment, where: Mapping[str, Any]) -> list[Cell]:
    """The cells that a `where` asks for."""
    wanted = {
        axis: set(map(label_key, wanted_labels(value, experiment.axes[axis]))) for axis, value in where.items() if axis in experiment.axes
    }
    return [cell for cell in experiment.cells if all(label_key(cell.axes[axis]) in labels for axis, labels in wanted.items())]


def _check_figure(experiment: Experiment, figure: Figure, has_row: HasColumn, has_curve: HasColumn, rows: Iterable[str] | None) -> None:
    """The keys of a figure name axes, columns of rows or curves, rates, probes or settings; its kind says which of them it draws."""
    cells = _cells(experiment, figure.where)
    whole = {*experiment.axes, *OUTCOMES, "outcome"}
    whole |= {name.rpartition(":")[2] for name in (*(experiment.probes or ()), *experiment.track)}

    def known(name: str) -> bool:
        column = columns_of(name)[0]
        return name in whole or any(has_curve(cell, name) or _is_setting(cell, name) or has_row(cell, column) for cell in cells)

    for key in ("x", "y"):
        name = getattr(figure, key)
        if name is not None and not known(name):
            columns = [*experiment.axes, *_all_columns(experiment, rows)]
            raise ValueError(f"figure '{figure.name}': {key} = '{one_line(name)}' is no column; {nearest(name, columns)}")
    if figure.color is not None and figure.color not in (allowed := [*experiment.axes, "outcome", *RATES]):
        raise ValueError(f"figure '{figure.name}': color = '{one_line(figure.color)}' is no axis; {nearest(figure.color, allowed)}")
    if figure.panel is not None and figure.panel not in experiment.axes:
        raise ValueError(f"figure '{figure.name}': panel = '{one_line(figure.panel)}' is no axis; {nearest(figure.panel, experiment.axes)}")


def _is_setting(cell: Cell, path: str) -> bool:
    """Whether a dotted path is a setting of the cell, or an option of one of its pieces."""
    section, _, name = path.partition(".")
    if section not in SECTIONS or not name:
        return False
    part = getattr(cell.settings, section)
    return name in getattr(part, "options", {}) or name in type(part).model_fields
