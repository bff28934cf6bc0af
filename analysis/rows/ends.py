"""The ends of training runs that failed, certified for a finished run."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.rows.load import Run, load
from analysis.rows.replay import elsewhere, name_of, trained_again
from bench.runs.contents import ENDS
from bench.runs.parquet import LANE

FAILED = ("unsolved", "stuck")
"""Outcomes of training runs that have not solved their task, although they did not diverge."""


def certify(folder: Path, trust: Collection[str] = ()) -> tuple[Run, pd.DataFrame]:
    """Train the failed runs of a run folder or report again, and certify their ends.

    Returns the run, and for each failed one its cell, seeds and axes with the columns `end`, `end_loss`, `end_index`, ... ValueError if one
    of them has other final parameters than its row says, needs a module that is not in `trust`, or has no end that could be certified.
    """
    run = load(folder, trust)
    failed = run.lanes[run.lanes["outcome"].isin(FAILED)]
    if failed.empty:
        raise ValueError(f"{folder}: no training run has failed; {', '.join(FAILED)} are the outcomes of those that have")
    return run, with_ends(run, failed, trained_again(run, failed, ends=True).rows)


def with_ends(run: Run, failed: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Return cell, seeds and axes of failed training runs, with the ends from their rows when they were trained `again`.

    ValueError if one of them has other final parameters now.
    """
    again = again[[*LANE, "params_digest", *(name for name in again if name == "end" or str(name).startswith("end_"))]]
    kept = failed[[*LANE, *run.experiment.axes, "params_digest"]].astype({"cell": str})
    found = kept.merge(again.astype({"cell": str}), on=LANE, suffixes=("", "_now"))
    pairs = zip(found["params_digest"], found.pop("params_digest_now"), strict=True)
    other = np.array([not now.startswith(then) for then, now in pairs])
    if other.any():
        where = elsewhere(run)
        raise ValueError(
            f"{run.folder}: {other.sum():,} of {len(found):,} failed training runs do not end at the parameters of their rows when "
            f"they are trained again, the first of them {name_of(found[other].iloc[0])}"
            + (f"; they were made otherwise: {where}" if where else "")
        )
    return found.drop(columns="params_digest")


def counts(run: Run, found: pd.DataFrame) -> pd.DataFrame:
    """Return the number of failed training runs with each kind of end, one line per cell that has any, in the order of the grid."""
    table = pd.crosstab(found["cell"], found["end"].astype(str)).reindex(columns=list(ENDS), fill_value=0)
    labels = {record.id: record.label or record.id for record in run.manifest.cells if record.id in table.index}
    table = table.loc[list(labels)]
    return table.assign(failed=table.sum(axis=1)).rename(index=labels)[["failed", *ENDS]]
