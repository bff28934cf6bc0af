"""The rows of a run as a report keeps them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.rows.load import Run
from analysis.rows.measures import left_out, named_columns
from bench.runs.parquet import STEPS_OR_NULL, release_unused

EXACT = ("loss_initial", "loss_final", "learning_rate")
"""Columns that laws compare to more digits than float32 has; they stay float64."""
DIGEST = 16
"""Hexadecimal digits that a report keeps of the digest of each training run: 64 bits."""


def compact(run: Run) -> Run:
    """The run with its rows as a report keeps them, in float32 except for `EXACT`; all numbers of the report are computed from these."""
    lanes = run.lanes.copy(deep=False)
    for name, column in _narrow(lanes).items():
        if name not in EXACT or column.astype(np.float64).equals(lanes[name]):
            lanes[name] = column
    # A column that claims and figures name is there even if every training run has diverged.
    kept = {*EXACT, *STEPS_OR_NULL, *named_columns(run.experiment)}
    lanes = lanes.drop(columns=[name for name in lanes if lanes[name].isna().all() and name not in kept])
    lanes = lanes.drop(columns=[name for name in lanes if left_out(name, run.experiment.unreported)])
    lanes["params_digest"] = lanes["params_digest"].str[:DIGEST]
    curves = run.curves.assign(**_narrow(run.curves))
    if "curves" in run.experiment.unreported:
        curves = curves.iloc[:0]
    release_unused()
    return replace(run, lanes=lanes, curves=curves)


def _narrow(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The float64 columns that float32 can hold, as float32."""
    largest = np.finfo(np.float32).max
    return {name: column.astype(np.float32) for name, column in rows.select_dtypes("float64").items() if not (column.abs() > largest).any()}
