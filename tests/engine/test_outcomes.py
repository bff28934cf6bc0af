"""Outcomes and curves: nothing is dropped, and every lane ends where its row says."""

from pathlib import Path

import numpy as np
import pandas as pd

from bench import run
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from tests.conftest import Rows, experiment


def test_all_outcomes_are_kept_and_metrics_of_diverged_lanes_are_null(rows: Rows) -> None:
    wanted = experiment(
        case=[
            {"label": "solved"},
            {"label": "stuck", "initializer": "zeros"},
            {
                "label": "diverged",
                "optimizer": {"name": "sgd", "learning_rate": 1e30},
                "task": {"name": "xor", "loss": "mse"},
                "model": {"name": "mlp", "activation": "identity"},
            },
            {"label": "unsolved", "training.steps": 3},
        ],
        training={"steps": 3000, "solved_below": 0.05},
        model={"name": "mlp", "widths": [16]},
        probes=["distinct_units"],
    )
    found = rows(wanted)
    assert len(found) == 4 * 64
    assert {label: set(part["outcome"]) for label, part in found.groupby("case")} == {
        "solved": {"solved"},
        "stuck": {"stuck"},
        "diverged": {"diverged"},
        "unsolved": {"unsolved"},
    }
    diverged = found[found["case"] == "diverged"]
    finals = ["steps_to_solve", "loss_final", "metric_final", "grad_norm_final", "distinct_units_final"]
    assert diverged[finals].isna().all(axis=None)
    assert diverged["loss_initial"].notna().all()
    assert found.loc[found["outcome"] != "solved", "steps_to_solve"].isna().all()
    assert (found.loc[found["case"] == "stuck", "steps_run"] < 10).all()
    assert (found.loc[found["case"] == "unsolved", "steps_run"] == 3).all()


def test_stop_at_the_budget_runs_on_after_solving(rows: Rows) -> None:
    stopping = rows(experiment())
    running = rows(experiment(training={"steps": 600, "solved_below": 0.05, "stop": "budget"}), "budget")
    pd.testing.assert_series_equal(stopping["steps_to_solve"], running["steps_to_solve"])
    assert (running["steps_run"] == 600).all()
    assert (stopping["steps_run"] <= 600).all()
    solved = stopping["outcome"] == "solved"
    assert (stopping.loc[solved, "steps_run"] == stopping.loc[solved, "steps_to_solve"]).all()


def test_curves_begin_at_zero_and_end_where_the_lane_ended(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    manifest = read_manifest(out)
    lanes, curves = read_rows(out, manifest), read_rows(out, manifest, "curves")
    last = curves.groupby("init_seed").last()
    np.testing.assert_array_equal(last["step"], lanes.set_index("init_seed")["steps_run"])
    np.testing.assert_array_equal(last["loss"], lanes.set_index("init_seed")["loss_final"])
    first = curves.groupby("init_seed").first()
    assert (first["step"] == 0).all()
    np.testing.assert_array_equal(first["loss"], lanes.set_index("init_seed")["loss_initial"])


def test_every_cell_of_a_mixed_experiment_is_run(rows: Rows) -> None:
    wanted = experiment(grid={"model.widths": [[2], [4]], "training.dtype": ["float32", "float64"]}, seeds={"init": 10})
    assert rows(wanted).groupby(["model.widths", "training.dtype"]).size().eq(10).all()


def test_paired_seeds_give_every_lane_its_own_data(rows: Rows) -> None:
    found = rows(experiment(task="regression", model="linear", track=[], seeds={"init": 5, "data": "paired"}))
    assert list(zip(found["data_seed"], found["init_seed"], strict=True)) == [(i, i) for i in range(5)]
    assert found["loss_initial"].nunique() == 5
