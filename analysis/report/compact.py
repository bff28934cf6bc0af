"""The rows of a run as a report keeps them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.rows.load import Run
from analysis.rows.measures import left_out, named_columns
from bench.runs.at_rest import at_rest
from bench.runs.parquet import STEPS_OR_NULL, release_unused

EXACT = ("loss_initial", "loss_final", "learning_rate")
"""Columns that laws compare to more digits than float32 has; they stay float64."""
DIGEST = 16
"""Hexadecimal digits that a report keeps of the digest of each training run: 64 bits."""


def compact(run: Run) -> Run:
    """The run with its rows as a report keeps them, in float32 except for `EXACT`; all numbers of the report are computed from these."""
    # A column that claims and figures name is there even if every training run has diverged.
    needed = {*EXACT, *STEPS_OR_NULL, *named_columns(run.experiment)}
    there = [name for name in run.lanes if name in needed or not run.lanes[name].isna().all()]
    kept = [name for name in there if not left_out(name, run.experiment.unreported)]
    lanes = pd.DataFrame({name: _kept(run.lanes[name]) for name in kept}, copy=False)
    curves = run.curves.assign(**{name: _narrow(column) for name, column in run.curves.items()})
    if "curves" in run.experiment.unreported:
        curves = curves.iloc[:0]
    release_unused()
    return replace(run, lanes=lanes, curves=curves)


def _kept(column: pd.Series) -> Any:
    """A column of the rows as a report keeps it, as an array."""
    if column.name == "params_digest":
        return at_rest(column.str[:DIGEST].array)
    narrow = _narrow(column)
    same = narrow is column or (column.name in EXACT and not narrow.astype(column.dtype).equals(column))
    return column.array if same else at_rest(narrow.array)


def _narrow(column: pd.Series) -> pd.Series:
    """A column as float32 if it is of float64 and float32 can hold its numbers, else the column itself."""
    if column.dtype != np.float64 or (column.abs() > np.finfo(np.float32).max).any():
        return column
    return column.astype(np.float32)
