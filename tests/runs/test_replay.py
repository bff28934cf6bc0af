"""Training runs that are trained again have the bits of their rows, whether or not their curves were kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench.runs.replay
from bench import run
from bench.engine.pool import Batch, Lanes, Pool
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from bench.runs.replay import train_again
from bench.runs.rows import CURVE_SEEDS
from tests.conftest import experiment


class Watched(Pool):
    """A pool in which a run that all lanes do with a curve ends at once, as one does whose loss overflows before its weights."""

    asked: list[list[bool]] = []

    def run(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        self.asked.append(lanes.logged.tolist())
        for batch in super().run(lanes, log_steps):
            if len(lanes) > 1 and lanes.logged.all():
                batch.columns["step"] = np.zeros_like(batch.columns["step"])
            yield batch


def test_rows_are_those_of_runs_whose_curves_are_kept_as_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a curve has its loss checked less often, so that its row may end later than the curve that a replay draws of it."""
    wanted = experiment(seeds={"init": CURVE_SEEDS + 2}, training={"steps": 40})
    folder = run(wanted, tmp_path)
    manifest = read_manifest(folder)
    chosen = read_rows(folder, manifest).iloc[[0, CURVE_SEEDS + 1]]
    monkeypatch.setattr(bench.runs.replay, "Pool", Watched)
    monkeypatch.setattr(Watched, "asked", [])
    again = train_again(wanted, chosen, manifest.block_width)
    assert Watched.asked == [[True, False], [True, True]]
    found, stored = (rows.reset_index(drop=True) for rows in (again.rows, chosen))
    pd.testing.assert_frame_equal(found, stored, check_categorical=False, check_dtype=False)
    assert found["steps_run"].gt(0).all()
    assert set(again.curves["init_seed"]) == set(chosen["init_seed"])


def test_without_curves_each_run_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(seeds={"init": CURVE_SEEDS + 2}, training={"steps": 40})
    manifest = read_manifest(run(wanted, tmp_path))
    chosen = read_rows(tmp_path / wanted.name, manifest).iloc[[0, CURVE_SEEDS + 1]]
    monkeypatch.setattr(bench.runs.replay, "Pool", Watched)
    monkeypatch.setattr(Watched, "asked", [])
    train_again(wanted, chosen, manifest.block_width, logged=False)
    assert Watched.asked == [[True, False]]
