"""The engine's promise of the same bits for the same lane, whatever runs beside it, and where, and in which order."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from bench import run
from bench.engine import pool as pool_module
from bench.engine import segments
from bench.engine.layouts.choose import choose
from bench.engine.pool import Pool
from bench.engine.scheduler import Lanes
from bench.hardware import CPU, Hardware, lane_mesh
from bench.lane.grouping import programs
from bench.runs.manifest import read_manifest
from bench.runs.parquet import as_frame, read_rows
from bench.runs.rows import CURVE_SEEDS, LaneTable
from tests.conftest import Rows, experiment
from tests.engine.comparison import same_lanes
from tests.engine.settings import SETTINGS


@pytest.mark.parametrize("setting", SETTINGS)
def test_same_lane_same_bits_whatever_the_number_of_seeds_and_devices(setting: str, rows: Rows) -> None:
    seeds = 250 if setting == "adam on digits" else 1000
    many = rows(experiment(**SETTINGS[setting], seeds={"init": seeds}))
    few = rows(experiment(**SETTINGS[setting], seeds={"init": 64}), "few")
    assert len(few) == 64
    same_lanes(few, many)
    same_lanes(rows(experiment(**SETTINGS[setting], seeds={"init": 64}), "one", devices=jax.devices()[:1]), many)


def test_a_loss_that_nobody_asks_for_is_left_out_and_changes_nothing(rows: Rows) -> None:
    """With a threshold that no lane reaches the loss is checked at every step; without one that of an unlogged lane only at its ends."""
    settings: dict[str, Any] = {
        "task": {"name": "regression", "n": 1024, "column_scales": [1.0, 1.0]},
        "model": "linear",
        "optimizer": {"name": "sgd", "learning_rate": 0.3},
        "probes": [],
        "track": [],
        "seeds": {"init": 100, "data": "paired"},
    }
    found = [
        rows(experiment(**settings, training={"steps": 2000, **threshold}), str(number)).assign(cell="either")
        for number, threshold in enumerate(({}, {"solved_below": 1e-30}))
    ]
    unlogged = found[0][found[0]["init_seed"] >= CURVE_SEEDS]
    assert (unlogged["outcome"] == "stuck").any()
    assert (unlogged["loss_final"] < unlogged["loss_initial"]).all()
    same_lanes(*found)


def test_same_lane_same_bits_in_another_order_and_another_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(grid={"initializer": ["glorot_normal", "he_uniform"]}, seeds={"init": 300})
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    table = LaneTable(wanted, [program])
    lanes = table.lanes(program, np.arange(600))

    def trained(order: np.ndarray, segment_seconds: float) -> pd.DataFrame:
        monkeypatch.setattr(segments, "SEGMENT_SECONDS", segment_seconds)
        shuffled = jax.tree.map(lambda values: values[order], (lanes.ids, lanes.variant, lanes.inputs, lanes.logged))
        pool = Pool(program, lane_mesh())
        batches = list(pool.run(Lanes(*shuffled), np.array([0])))
        return pd.concat([as_frame(table.rows(batch)) for batch in batches])

    forward = trained(np.arange(600), 0.05)
    shuffled = trained(np.random.default_rng(0).permutation(600), 0.001)
    assert len(forward) == 600
    same_lanes(forward, shuffled)


def test_the_bits_depend_on_the_block_width_alone(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    """Negative control: with another width some lanes do differ, so that the comparisons above can fail."""
    wanted = experiment(**SETTINGS["adam on digits"])
    usual = rows(wanted)
    monkeypatch.setattr(pool_module, "choose", lambda program, hardware: choose(program, hardware)._replace(width=1))
    narrow = rows(wanted, "narrow")
    assert not usual["params_digest"].equals(narrow["params_digest"])
    np.testing.assert_allclose(usual["loss_final"], narrow["loss_final"], rtol=1e-3)


@pytest.mark.parametrize("setting", ["xor", "adam on digits", "minibatches", "a scheme that sees the data"])
def test_loops_that_ask_no_host_train_the_same(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator: epochs of known length, losses that are checked at every step, a curve buffer that is read chunk by chunk."""

    def trained(name: str) -> list[pd.DataFrame]:
        out = run(experiment(**{"track": [], **SETTINGS[setting]}), tmp_path / name)
        return [read_rows(out, read_manifest(out), kind).sort_values(["cell", "init_seed"]) for kind in ("lanes", "curves")]

    usual = trained("usual")
    monkeypatch.setattr(Hardware, "of", classmethod(lambda cls, mesh: replace(CPU, loops_ask_host=True, segments_in_flight=2)))
    for ours, theirs in zip(trained("accelerated"), usual, strict=True):
        ours, theirs = (frame.drop(columns="params_digest", errors="ignore") for frame in (ours, theirs))
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-4, atol=1e-6)
