"""Rows with known outcomes, as if they had been trained, for tests of verdicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.judging.verdict import Verdict
from analysis.rows.load import Run, typed
from bench.runs.manifest import Manifest
from bench.spec import Experiment
from tests.conftest import experiment

NO_MANIFEST = Manifest.model_construct()
"""Verdicts are about rows alone."""


def run_with(wanted: Experiment, frames: list[pd.DataFrame]) -> Run:
    """A run of these rows, each of which ended somewhere else."""
    rows = pd.concat(frames, ignore_index=True)
    rows["params_digest"] = rows.index.map("{:016x}".format)
    return Run(Path(), wanted, NO_MANIFEST, typed(rows, wanted), pd.DataFrame())


def run_of(
    solved: dict[str, float],
    n: int,
    claims: list[dict[str, Any]],
    data_seeds: int = 1,
    task: str = "blobs",
    first: int = 0,
    **columns: Any,
) -> Run:
    """Rows with a given share solved per initializer, as if they had been trained."""
    seeds = {"init": n // data_seeds, "data": data_seeds, "first": first}
    wanted = experiment(task=task, grid={"initializer": list(solved)}, seeds=seeds, claim=claims, track=[])
    frames = []
    for cell in wanted.cells:
        name = cell.axes["initializer"]
        data, init = wanted.seeds.pairs()
        hits = np.arange(n) < round(solved[name] * n)
        frames.append(
            pd.DataFrame(
                {"cell": cell.id, "initializer": name, "data_seed": data, "init_seed": init,
                 "outcome": np.where(hits, "solved", "unsolved"), **{key: value(n) for key, value in columns.items()}}
            )
        )  # fmt: skip
    return run_with(wanted, frames)


def verdicts(*outcomes: str) -> list[Verdict]:
    """Verdicts with these outcomes, and nothing else."""
    blank = {"id": "", "family": "", "says": "", "condition": {}, "measure": "", "criterion": "", "estimate": 0.0, "low": 0.0,
             "high": 0.0, "level": 0.95, "n_lanes": 1, "n_data_seeds": 1, "n_init_seeds": 1, "estimator": "", "columns": (), "cells": (),
             "against": (), "p_value": 1.0, "n_draws": 1, "n_distinct": 1, "data": "1 data set"}  # fmt: skip
    return [Verdict(verdict=outcome, alone=outcome, **blank) for outcome in outcomes]  # type: ignore[arg-type]


def claim(**criterion: Any) -> dict[str, Any]:
    return {"id": "c", "says": "?", "measure": "solved", "by": ["initializer"], **criterion}


def rates_run(solved: dict[float, tuple[float, float]], n: int, claims: list[dict[str, Any]]) -> Run:
    """Two initializers at several learning rates; `solved` gives their shares at each rate."""
    wanted = experiment(
        grid={"initializer": ["he_normal", "lecun_normal"], "optimizer.learning_rate": list(solved)},
        seeds={"init": n}, claim=claims, track=[],
    )  # fmt: skip
    frames = []
    for cell in wanted.cells:
        share = solved[cell.axes["optimizer.learning_rate"]][cell.axes["initializer"] == "lecun_normal"]
        # Every tenth seed alike, so that even and odd ones have the same share.
        hits = (np.arange(n) // 2) % 10 < round(10 * share)
        frames.append(
            pd.DataFrame(
                {"cell": cell.id, **cell.axes, "data_seed": 0, "init_seed": np.arange(n),
                 "outcome": np.where(hits, "solved", "unsolved")}
            )
        )  # fmt: skip
    return run_with(wanted, frames)


RATES = {0.01: (0.0, 0.0), 0.1: (0.2, 0.9), 1.0: (1.0, 0.4), 10.0: (0.0, 0.0)}
