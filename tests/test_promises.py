"""The engine's promises: same lane, same bits; nothing dropped; proved stops; one compilation; resume."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from bench import Experiment, run
from bench.engine import pool as pool_module
from bench.engine.pool import Pool
from bench.hardware import alone, flags_in_force, lane_mesh
from bench.lane.program import programs
from bench.runs.folder import as_frame, read_manifest, read_rows
from bench.runs.rows import CURVE_SEEDS, LaneTable
from tests.conftest import Rows, experiment

SETTINGS: dict[str, dict[str, Any]] = {
    "xor": {},
    "uneven width": {"model": {"name": "mlp", "widths": [17, 5], "activation": "sigmoid"}},
    "float64": {
        "task": {"name": "regression"},
        "model": "linear",
        "training": {"steps": 300, "dtype": "float64"},
        "track": [],
    },
    "lanes last": {
        "probes": None,
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [7, 5]},
        "optimizer": {"name": "adam", "learning_rate": 0.05},
        "training": {"steps": 60, "solved_below": 0.3},
        "track": [],
    },
    "adam on digits": {
        "probes": None,
        "task": {"name": "digits", "n_train": 100},
        "model": {"name": "mlp", "widths": [9], "activation": "relu"},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "a large full batch": {
        "task": {"name": "digits", "n_train": 256},
        "model": {"name": "mlp", "widths": [9, 8], "activation": "relu"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "large minibatches": {
        "task": {"name": "digits", "n_train": 256},
        "model": {"name": "mlp", "widths": [9, 8], "activation": "relu"},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"steps": 20, "batch_size": 64, "solved_below": 0.3},
    },
    "a scheme that sees the data": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [6]},
        "initializer": {"name": "orthogonal", "scheme": "lsuv"},
        "training": {"steps": 40, "solved_below": 0.3},
    },
    "dropout and label noise": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [6], "dropout": 0.2},
        "training": {"steps": 40, "label_noise": 0.1, "solved_below": 0.3},
    },
    "minibatches": {
        "task": {"name": "blobs"},
        "training": {"steps": 50, "batch_size": 32, "solved_below": 0.3},
    },
    "two players": {
        "task": {"name": "ring", "n": 32, "n_test": 16},
        "model": {"name": "gan", "discriminator_widths": [6], "generator_widths": [5]},
        "training": {"steps": 30, "batch_size": 16, "updates": "alternating"},
        "track": [],
    },
    "cnn with minibatches": {
        "probes": None,
        "task": {"name": "classification", "n": 48, "d": 16},
        "model": {"name": "cnn", "channels": [2, 3]},
        "initializer": "he_normal",
        "training": {"steps": 18, "batch_size": 16, "solved_below": 0.3},
    },
    "rescnn": {
        "task": {"name": "classification", "n": 8, "d": 4},
        "model": {"name": "rescnn", "channels": 2, "blocks": 1, "normalization": "layer", "gated": True},
        "initializer": {"name": "he_normal", "layers": {"blocks.*.gate": "zeros"}},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "lstm with minibatches and adam": {
        "task": {"name": "first_symbol", "length": 4, "symbols": 3, "n": 32, "n_test": 0},
        "model": {"name": "lstm", "features": 3, "width": 5},
        "initializer": {"name": "glorot_uniform", "layers": {"*.h": "orthogonal", "*.forget.bias": {"name": "constant", "value": 1.0}}},
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "training": {"steps": 12, "batch_size": 8, "solved_below": 1.0},
        "probes": ["distinct_units", "recurrent_jacobian_max"],
        "track": [],
    },
    "transformer": {
        "task": {"name": "first_symbol", "length": 4, "symbols": 3, "n": 16, "n_test": 0},
        "model": {"name": "transformer", "features": 3, "width": 6, "mlp_width": 7, "gated": "adaptive"},
        "training": {"steps": 10, "solved_below": 1.0},
        "probes": ["distinct_units", "distinct_heads"],
        "track": [],
    },
    "gru": {
        "task": {"name": "adding", "length": 4, "n": 16, "n_test": 0},
        "model": {"name": "gru", "features": 2, "width": 4},
        "training": {"steps": 12},
        "probes": ["distinct_units"],
        "track": [],
    },
    "resmlp": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "resmlp", "width": 5, "blocks": 2, "normalization": "layer", "gated": True},
        "initializer": {"name": "he_normal", "layers": {"*.gate": "zeros"}},
        "training": {"steps": 30, "solved_below": 0.3},
    },
    "elman and frozen parameters": {
        "task": {"name": "adding", "length": 4, "n": 16, "n_test": 0},
        "model": {"name": "elman", "features": 2, "width": 4, "activation": "relu"},
        "initializer": {"name": "glorot_uniform", "layers": {"*.h": "identity"}},
        "training": {"steps": 20, "frozen": ["*.x"]},
        "track": [],
    },
    "low-rank adapters": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "lora", "widths": [6]},
        "initializer": {"name": "he_normal", "zero_layers": ["*.up"]},
        "training": {"steps": 40, "solved_below": 0.3, "frozen": ["*.base"]},
    },
}


def same_lanes(few: pd.DataFrame, many: pd.DataFrame) -> None:
    """Every lane of `few` is in `many`, equal in every column to the last bit."""
    key = ["cell", "data_seed", "init_seed"]
    both = many.merge(few[key], on=key).sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(few.sort_values(key, ignore_index=True), both, check_exact=True)


@pytest.mark.parametrize("setting", SETTINGS)
def test_same_lane_same_bits_whatever_the_number_of_seeds_and_devices(setting: str, rows: Rows) -> None:
    seeds = 250 if setting == "adam on digits" else 1000
    many = rows(experiment(**SETTINGS[setting], seeds={"init": seeds}))
    few = rows(experiment(**SETTINGS[setting], seeds={"init": 64}), "few")
    assert len(few) == 64
    same_lanes(few, many)
    same_lanes(rows(experiment(**SETTINGS[setting], seeds={"init": 64}), "one", devices=jax.devices()[:1]), many)


def test_a_loss_that_nobody_asks_for_is_left_out_and_changes_nothing(rows: Rows) -> None:
    """A threshold that no lane reaches has the loss looked at every step; without one, an unlogged lane's is seen at its ends."""
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
        monkeypatch.setattr(pool_module, "SEGMENT_SECONDS", segment_seconds)
        shuffled = jax.tree.map(lambda values: values[order], (lanes.ids, lanes.variant, lanes.inputs, lanes.logged))
        pool = Pool(program, lane_mesh())
        batches = list(pool.run(pool_module.Lanes(*shuffled), np.array([0])))
        return pd.concat([as_frame(table.rows(batch)) for batch in batches])

    forward = trained(np.arange(600), 0.05)
    shuffled = trained(np.random.default_rng(0).permutation(600), 0.001)
    assert len(forward) == 600
    same_lanes(forward, shuffled)


def test_the_bits_depend_on_the_block_width_alone(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    """Negative control: with another width some lanes do differ, so the comparisons above can fail."""
    wanted = experiment(**SETTINGS["adam on digits"])
    usual = rows(wanted)
    monkeypatch.setattr(pool_module, "block_width", lambda program: 1)
    narrow = rows(wanted, "narrow")
    assert not usual["params_digest"].equals(narrow["params_digest"])
    np.testing.assert_allclose(usual["loss_final"], narrow["loss_final"], rtol=1e-3)


@pytest.mark.parametrize("setting", ["xor", "adam on digits", "minibatches", "a scheme that sees the data"])
def test_loops_that_ask_no_host_train_the_same(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator: epochs of known length, losses that are always looked at, a log that is read chunk by chunk."""

    def trained(name: str) -> list[pd.DataFrame]:
        out = run(experiment(**{"track": [], **SETTINGS[setting]}), tmp_path / name)
        return [read_rows(out, read_manifest(out), kind).sort_values(["cell", "init_seed"]) for kind in ("lanes", "curves")]

    usual = trained("usual")
    for module in ("engine.pool", "lane.step"):
        monkeypatch.setattr(f"bench.{module}.accelerated", lambda: True)
    for ours, theirs in zip(trained("accelerated"), usual, strict=True):
        ours, theirs = (frame.drop(columns="params_digest", errors="ignore") for frame in (ours, theirs))
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-4, atol=1e-6)


NO_MEMORY = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."


def fail_for_memory(monkeypatch: pytest.MonkeyPatch, name: str, fails: set[int], told: str = NO_MEMORY) -> None:
    """These calls of a compiled function find no memory, which XLA tells in this way."""
    compiled, calls = Pool._compile, 0

    def compile_to_fail(self: Pool) -> None:
        compiled(self)
        function = getattr(self, name)

        def failing(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls in fails:
                raise jax.errors.JaxRuntimeError(told)
            return function(*arguments)

        setattr(self, name, failing)

    monkeypatch.setattr(Pool, "_compile", compile_to_fail)


@pytest.mark.parametrize("fails", [{1}, {5}, {1, 2, 7}], ids=["while it is built", "while lanes run", "again and again"])
def test_a_pool_without_memory_shrinks_and_goes_on(fails: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(grid={"initializer": ["glorot_normal", "he_uniform"]}, seeds={"init": 300})
    monkeypatch.setattr(pool_module, "SEGMENT_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "block_count", lambda program, width: 8)
    notes: list[str] = []
    manifest: Any = None

    def trained(name: str) -> list[pd.DataFrame]:
        nonlocal manifest
        out = run(wanted, tmp_path / name, watch=lambda progress: notes.append(progress.note))
        manifest = read_manifest(out)
        return [read_rows(out, manifest, kind) for kind in ("lanes", "curves")]

    usual = trained("usual")
    assert not any("memory" in note for note in notes)
    fail_for_memory(monkeypatch, "_advanced", fails)
    for ours, theirs in zip(trained("shrunk"), usual, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert manifest.seed_steps == usual[0]["steps_run"].sum()
    lanes = 128 * 8 // 2 ** len(fails)
    assert f"out of memory: {lanes:,} lanes at a time on each device instead of {2 * lanes:,}" in notes


@pytest.mark.parametrize(
    "told", [NO_MEMORY, "INTERNAL: Error in a loop: Out of memory allocating 1600000000 bytes.", "INTERNAL: Failed to allocate"]
)
def test_a_pool_that_can_not_shrink_says_so(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_for_memory(monkeypatch, "_advanced", set(range(100)), told)
    with pytest.raises(MemoryError, match="model 'mlp': too little memory on cpu for 128 lanes at a time"):
        run(experiment(), tmp_path)


def test_a_pool_whose_lanes_cannot_share_blocks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "_bits_ignore_position", lambda self: False)
    wanted = experiment()
    pool = Pool(programs(wanted.cells, wanted.probes, wanted.track)[0], lane_mesh())
    assert pool.width == 1
    assert pool.note.startswith("one training run at a time instead of 128 in a block")


LATE = """
import os
import jax
jax.devices()
from bench.hardware import flags_in_force
print(flags_in_force(), os.environ.get("XLA_FLAGS"))
"""


def test_flags_are_left_alone_once_jax_has_started() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["False", "None"]
    assert done.stderr.count("JAX had started before initbench was imported") == 1
    assert flags_in_force()


def test_other_errors_of_a_device_are_not_taken_for_it(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    def broken(self: Pool, lanes: Any, log_steps: Any) -> Any:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(Pool, "_batches", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        rows(experiment())


def test_more_seeds_compute_only_the_new_lanes(tmp_path: Path) -> None:
    out = run(experiment(seeds={"init": 40}), tmp_path)
    before = read_manifest(out)
    seen: list[int] = []
    run(experiment(seeds={"init": 100}), tmp_path, watch=lambda progress: seen.append(progress.done))
    after = read_manifest(out)
    assert seen[0] == 40
    assert after.lanes == 100
    extended = read_rows(out, after)
    assert after.seed_steps == extended["steps_run"].sum()
    assert before.seed_steps < after.seed_steps
    fresh = run(experiment(seeds={"init": 100}), tmp_path / "fresh")
    assert [part.sha256 for part in after.parts] == [part.sha256 for part in read_manifest(fresh).parts]


def test_the_same_command_again_does_nothing(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    before = (out / "run.json").read_bytes()
    run(experiment(), tmp_path)
    assert (out / "run.json").read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
from bench import Experiment, run
from bench.runs.folder import read_manifest
import bench.runs.train
bench.runs.train.FLUSH_SECONDS = 0.0
experiment = Experiment.parse(open(sys.argv[1]).read())
folder = Path(sys.argv[2]) / experiment.name

def watch(progress):
    if (folder / "run.json").exists() and read_manifest(folder).parts:
        os.kill(os.getpid(), signal.SIGKILL)

run(experiment, sys.argv[2], watch=watch)
"""


def test_a_killed_run_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    wanted = experiment(seeds={"init": 60_000})
    (tmp_path / "e.toml").write_text(wanted.text)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "e.toml", tmp_path / "killed"], check=False)
    assert killed.returncode == -signal.SIGKILL
    out = tmp_path / "killed" / wanted.name
    manifest = read_manifest(out)
    partial = sum(part.rows for part in manifest.parts if part.file.startswith("lanes/"))
    assert not manifest.complete
    assert 0 < partial < 60_000
    run(wanted, tmp_path / "killed")
    whole = run(wanted, tmp_path / "whole")
    resumed = read_manifest(out)
    assert resumed.complete
    assert [part.sha256 for part in resumed.parts] == [part.sha256 for part in read_manifest(whole).parts]


def test_a_corrupt_part_costs_only_its_lanes(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    good = read_manifest(out)
    part = out / good.parts[0].file
    part.write_bytes(part.read_bytes()[:-8] + b"corrupt!")
    notes: list[str] = []
    run(experiment(), tmp_path, watch=lambda progress: notes.append(progress.note))
    assert any("corrupt" in note and part.name in note for note in notes)
    assert read_manifest(out).parts[0].sha256 == good.parts[0].sha256


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    from bench.runs.folder import RunFolder

    with RunFolder.locked(tmp_path / "xor-test"), pytest.raises(ValueError, match="another process"):
        run(experiment(), tmp_path)


def test_another_experiment_is_not_mixed_in(tmp_path: Path) -> None:
    run(experiment(), tmp_path)
    with pytest.raises(ValueError, match="holds another experiment"):
        run(experiment(optimizer={"name": "sgd", "learning_rate": 0.4}), tmp_path)


def test_ten_initializers_times_five_learning_rates_compile_one_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [
        "zeros",
        "constant",
        "normal",
        "uniform",
        "lecun_normal",
        "glorot_normal",
        "glorot_uniform",
        "he_normal",
        "pytorch_default",
        "orthogonal",
    ]
    wanted = experiment(
        grid={"initializer": names, "optimizer.learning_rate": [0.1, 0.2, 0.3, 0.4, 0.5]},
        seeds={"init": 20},
    )
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        out = run(wanted, tmp_path)
    training = [r for r in caplog.records if "Compiling jit(_advance" in r.getMessage()]
    assert len(training) == 1
    manifest = read_manifest(out)
    assert manifest.programs == 1
    assert manifest.compile_seconds > 0
    assert manifest.lanes == 1000 == len(read_rows(out, manifest))


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


def test_experiment_made_in_python_is_stored_as_toml(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    again = Experiment.parse((out / "experiment.toml").read_text())
    assert again.training_hash == experiment().training_hash


@pytest.mark.parametrize("flags, kept", [("", []), ("--a=1 --xla_disable_hlo_passes=one,two --b=2", ["one", "two"])])
def test_what_a_pool_switches_off_leaves_the_user_s_flags(flags: str, kept: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert alone()["xla_disable_hlo_passes"].split(",") == [*kept, "cpu-parallel-task-assigner"]
