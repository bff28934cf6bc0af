"""The table of what a linear model reaches on the real tasks of an experiment."""

import numpy as np
import pandas as pd

from analysis.rows.load import Run
from analysis.stats.linear import accuracy_of_logistic_regression, r2_of_least_squares
from analysis.words import value_words
from bench.runs.starts import data_sets
from bench.spec import Cell, axis_label
from bench.spec.settings import section_identity
from bench.tasks import task
from bench.tasks.definition import Task

MOST_SETS = 20
"""Number of data sets on which a linear model is trained."""
MOST_BYTES = 1 << 23
"""Largest size of these data sets together: it keeps the time of a report short."""
NOT_DATA = ("loss", "excess")
"""Options of a task that change what is minimized, not the data."""


def linear_frame(run: Run) -> pd.DataFrame:
    """The table with one line per real task that has test examples, and data that anybody may draw.

    Data of the user's own are left out, also where they are trusted: the page must be the same for whoever verifies it.
    """
    lines: dict[str, dict[str, str] | None] = {}
    for cell in run.experiment.cells:
        found = run.tasks[cell.id]
        if found is not None and _is_real(cell, found) and (words := _words(cell)) not in lines:
            lines[words] = _line(run, words, cell, found)
    return pd.DataFrame([line for line in lines.values() if line])


def _is_real(cell: Cell, found: Task) -> bool:
    """Whether the examples of a task are real ones, or those of a published benchmark."""
    return found.resamples or found.digest is not None or task[cell.settings.task.name].traits.get("benchmark", False)


def _words(cell: Cell) -> str:
    """The task with the options that are not the defaults, as far as its data depend on them."""
    options = (section_identity("task", cell.settings.task) or {}).get("options", {})
    kept = {key: value for key, value in options.items() if key not in NOT_DATA}
    return value_words(axis_label({"name": cell.settings.task.name, **kept}))


def _line(run: Run, words: str, cell: Cell, found: Task) -> dict[str, str] | None:
    """The line of a task, on the first data sets of its rows; None without test examples, or if one data set is too large."""
    seeds = run.lanes.loc[run.lanes["cell"] == cell.id, "data_seed"].drop_duplicates()
    count = len(seeds) if found.seeded else 1
    drawn = data_sets(cell, seeds.head(min(count, MOST_SETS)), MOST_BYTES)
    parts = [[np.asarray(part) for part in (data.x, data.y, data.test_x, data.test_y)] for data in drawn if data.test_x is not None]
    if not parts:
        return None
    is_class = found.kind == "classification"
    score = accuracy_of_logistic_regression if is_class else r2_of_least_squares
    scores = [score(*arrays) for arrays in parts]
    sets = "resample" if found.resamples else "data set"
    return {
        "task": words,
        "linear model": "logistic regression" if is_class else "least squares",
        "reaches": f"test {'accuracy' if is_class else 'R²'} {np.median(scores):.3f}",
        "range": f"{min(scores):.3f} to {max(scores):.3f}",
        "on": f"{'the first ' if len(scores) < count else ''}{len(scores)} {sets}{'s' if len(scores) > 1 else ''}",
    }
