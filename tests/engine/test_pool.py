"""A pool: too little memory, lanes that cannot share blocks, and how often it compiles."""

import logging
from pathlib import Path
from typing import Any

import jax
import pandas as pd
import pytest

from bench import run
from bench.engine import pool as pool_module
from bench.engine import segments
from bench.engine.compiled import Compiled
from bench.engine.pool import Pool
from bench.engine.segments import whole_checks
from bench.hardware import lane_mesh
from bench.lane.grouping import programs
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from tests.conftest import Rows, experiment

NO_MEMORY = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."


def fail_for_memory(monkeypatch: pytest.MonkeyPatch, fails: set[int], told: str = NO_MEMORY) -> None:
    """Let these calls of the compiled `advance` fail for want of memory, in the words of XLA."""
    compiled, calls = Compiled.__init__, 0

    def compile_to_fail(self: Compiled, *arguments: Any) -> None:
        compiled(self, *arguments)
        function = self.advance

        def failing(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls in fails:
                raise jax.errors.JaxRuntimeError(told)
            return function(*arguments)

        self.advance = failing

    monkeypatch.setattr(Compiled, "__init__", compile_to_fail)


@pytest.mark.parametrize("fails", [{1}, {5}, {1, 2, 7}], ids=["while it is built", "while lanes run", "again and again"])
def test_a_pool_without_memory_shrinks_and_goes_on(fails: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(grid={"initializer": ["glorot_normal", "he_uniform"]}, seeds={"init": 300})
    monkeypatch.setattr(segments, "SEGMENT_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "block_count", lambda *_: 8)
    notes: list[str] = []
    manifest: Any = None

    def trained(name: str) -> list[pd.DataFrame]:
        nonlocal manifest
        out = run(wanted, tmp_path / name, watch=lambda progress: notes.append(progress.note))
        manifest = read_manifest(out)
        return [read_rows(out, manifest, kind) for kind in ("lanes", "curves")]

    usual = trained("usual")
    assert not any("memory" in note for note in notes)
    fail_for_memory(monkeypatch, fails)
    for ours, theirs in zip(trained("shrunk"), usual, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert manifest.seed_steps == usual[0]["steps_run"].sum()
    lanes = 128 * 8 // 2 ** len(fails)
    assert f"out of memory: {lanes:,} training runs at a time on each device instead of {2 * lanes:,}" in notes


@pytest.mark.parametrize(
    "told", [NO_MEMORY, "INTERNAL: Error in a loop: Out of memory allocating 1600000000 bytes.", "INTERNAL: Failed to allocate"]
)
def test_a_pool_that_can_not_shrink_says_so(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_for_memory(monkeypatch, set(range(100)), told)
    with pytest.raises(MemoryError, match="model 'mlp': too little memory on cpu for 128 training runs at a time"):
        run(experiment(), tmp_path)


def test_a_pool_whose_lanes_cannot_share_blocks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "bits_ignore_position", lambda compiled: False)
    wanted = experiment()
    pool = Pool(programs(wanted.cells, wanted.probes, wanted.track)[0], lane_mesh())
    assert pool.width == 1
    assert pool.note.startswith("one training run at a time instead of 128 in a block")


def test_other_errors_of_a_device_are_not_taken_for_it(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> None:
    def broken(self: Pool, lanes: Any, log_steps: Any) -> Any:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(Pool, "_batches", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        rows(experiment())


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
    training = [r for r in caplog.records if "Compiling jit(advance" in r.getMessage()]
    assert len(training) == 1
    manifest = read_manifest(out)
    assert manifest.programs == 1
    assert manifest.compile_seconds > 0
    assert manifest.lanes == 1000 == len(read_rows(out, manifest))


@pytest.mark.parametrize(
    ("checks", "least", "in_a_row", "per_round", "found"),
    [(0.3, 0, 1, 32, 1), (100, 0, 1, 32, 96), (20, 0, 8, 128, 16), (3, 50, 8, 32, 32)],
)
def test_a_segment_has_whole_rounds_or_whole_rows_of_checks(checks: float, least: int, in_a_row: int, per_round: int, found: int) -> None:
    assert whole_checks(checks, least, in_a_row, per_round) == found
