"""Contenders do the same work; what was measured becomes a page."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.report.throughput_page import write_throughput
from analysis.report.throughput_tables import speeds
from bench.hardware import CPU
from bench.lane.grouping import programs
from bench.throughput import measure
from bench.throughput.contenders import contender, step_costs
from bench.throughput.hand_written import compiler
from bench.throughput.idle import idle_share_of, uncovered
from bench.throughput.process import working
from bench.throughput.workloads import WORKLOADS
from initbench.cli.app import app

SIZES = {"xor-2-4-1": 40, "digits-64-32-10-sgd": 42, "digits-64-32-10-adam": 42, "neuron-64": 40, "digits-64-64-64-64-10": 4}


@pytest.mark.parametrize("workload", SIZES)
def test_the_contenders_in_jax_end_at_the_same_losses(workload: str) -> None:
    wanted = WORKLOADS[workload].experiment(6, SIZES[workload])
    losses = {name: np.sort(contender[name].target(wanted)()) for name in ("engine", "jit_vmap", "lax_map")}
    np.testing.assert_allclose(losses["jit_vmap"], losses["lax_map"], rtol=1e-5)
    if "digits-64-32" in workload:
        # The plain contenders shuffle with jax.random.permutation: other batches, the same training.
        np.testing.assert_allclose(losses["engine"].mean(), losses["jit_vmap"].mean(), rtol=0.1)
    else:
        np.testing.assert_allclose(losses["engine"], losses["jit_vmap"], rtol=1e-4)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("name", [name for name in contender if contender[name].traits.get("peer") == "torch"])
def test_a_peer_learns_as_well(name: str) -> None:
    wanted = WORKLOADS["xor-2-4-1"].experiment(40, 300)
    ours, theirs = contender["jit_vmap"].target(wanted)(), contender[name].target(wanted)()
    assert len(theirs) == 40
    assert np.median(theirs) == pytest.approx(np.median(ours), rel=0.5)


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
@pytest.mark.parametrize("lanes", [1, 40])
def test_the_program_in_c_ends_at_the_losses_of_the_engine(lanes: int) -> None:
    wanted = WORKLOADS["xor-2-4-1"].experiment(lanes, 300)
    ours, theirs = (np.sort(contender[name].target(wanted)()) for name in ("engine", "c"))
    np.testing.assert_allclose(theirs, ours, rtol=2e-4)


def test_a_census_ends_lanes_that_have_solved_their_task() -> None:
    wanted = WORKLOADS["census-2-4-1"].experiment(64, 400)
    assert wanted.cells[0].settings.training.solved_below == 0.05
    assert np.mean(contender["engine"].target(wanted)() < 0.05) > 0.5


def test_the_grid_has_a_cell_per_initializer_and_learning_rate() -> None:
    assert len(WORKLOADS["grid"].experiment(2, 3).cells) == 50


def test_a_contender_in_a_process_of_its_own_says_what_it_took() -> None:
    with working([("jit_vmap", "xor-2-4-1", (8, 5))], CPU) as [worker]:
        first, second, idle = worker.train(), worker.train(), worker.idle_share()
    assert idle and 0 < idle < 1
    assert worker.compile_seconds and worker.compile_seconds > 0
    assert first and second and first["seconds"] > 0 and first["loss_median"] == second["loss_median"]


def test_a_contender_that_dies_leaves_the_others_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_sizes", lambda *_: {"jit_vmap": (8, 5), "lax_map": (8, -1)})
    rows = list(measure._side_by_side([WORKLOADS["xor-2-4-1"]], False, CPU, lambda note: None, repeats=2, shrink=1))
    assert {row["contender"]: len(row["seconds"]) for row in rows} == {"jit_vmap": 2, "lax_map": 0}


def test_the_page_names_the_dead(tmp_path: Path) -> None:
    def page(name: str, **changes: Any) -> list[str]:
        text = (write_throughput(MEASURED | changes, tmp_path / name) / "README.md").read_text()
        assert not re.search(r"\bnan\b", text)
        return [line for line in text.splitlines() if "died" in line]

    dead: dict[str, Any] = {"seconds": [], "compile_seconds": None, "peak_memory_bytes": None, "idle_shares": None}
    plain = [row | dead if row["contender"] == "jit_vmap" else row for row in MEASURED["workloads"]]
    # In the table of speeds twice, in that of censuses once.
    assert len(page("plain", workloads=plain)) == 3
    assert len(page("profile", workloads=[row | {"idle_shares": []} for row in MEASURED["workloads"]])) == len(MEASURED["workloads"])

    gone = {"seconds": None, "peak_memory_bytes": None}
    for value in (100, 1000):
        left = [point | gone if point["contender"] == "engine" and point["value"] >= value else point for point in MEASURED["growth"]]
        assert len(page(f"growth {value}", growth=left)) == sum(point["seconds"] is None for point in left) > 0


def test_a_peer_climbs_the_lanes_as_far_as_a_minute_goes() -> None:
    loop = {"contender": "torch_loop", "lanes": 1, "steps": 2000, "seconds": [0.4]}
    assert [measure._climbs(loop, lanes, CPU) for lanes in (100, 1000, 10_000)] == [True, True, False]
    assert not measure._climbs(loop | {"seconds": []}, 100, CPU)
    assert measure._climbs(loop | {"contender": "jit_vmap"}, 10_000, CPU)


def test_a_profile_shows_the_time_in_which_no_device_works() -> None:
    assert uncovered((0, 10), [(-2, 1), (2, 5), (3, 4), (8, 12)]) == pytest.approx(0.4)
    assert uncovered((0, 10), []) == 1
    assert idle_share_of(profile(cpu=[("dot", 0, 30), ("fusion", 20, 60)], gpu=[("kernel", 70, 80)])) == pytest.approx(0.3)
    # A thread that waits, and one that is no device, do no work.
    assert idle_share_of(profile(cpu=[("Wait for work", 0, 90), ("dot", 90, 100)])) == pytest.approx(0.9)


def profile(cpu: list[tuple[str, float, float]], gpu: list[tuple[str, float, float]] = []) -> Any:  # noqa: B006
    """A profile of a training of 100 ns that begins at 1,000 ns: events of a CPU's thread and of a GPU's stream, from and to."""

    def line(name: str, events: list[tuple[str, float, float]]) -> Any:
        spans = [SimpleNamespace(name=name, start_ns=1000 + start, duration_ns=end - start) for name, start, end in events]
        return SimpleNamespace(name=name, events=spans)

    host = [line("python", [("training", 0, 100), ("something else", 0, 100)]), line("tf_XLAEigen/1", cpu)]
    return SimpleNamespace(planes=[SimpleNamespace(lines=host), SimpleNamespace(lines=[line("Stream #1", gpu)])])


def test_the_work_of_a_step_is_that_of_its_matrix_products() -> None:
    wanted = WORKLOADS["digits-64-64-64-64-10"].experiment(1, 1)
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    cost = step_costs(program, wanted.cells[0])
    layers = [64 * 64, 64 * 64, 64 * 64, 64 * 10]
    # Forward, weight gradients, and gradients of all inputs but the first.
    products = 2 * 512 * (2 * sum(layers) + sum(layers[1:]))
    assert products < cost["step_flops"] < 1.2 * products
    assert cost["step_bytes"] == 2 * 4 * (sum(layers) + 3 * 64 + 10) + 512 * (64 + 1) * 4


MEASURED: dict[str, Any] = {
    "device": {"platform": "cpu", "kind": "cpu", "count": 2},
    "cpu": "a processor",
    "measured": "2026-01-01T00:00:00+00:00",
    "python": "3.12",
    "versions": {"jax": "0.9"},
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "repeats": 3,
    "ceilings": {"matrix_gflops": 100.0, "memory_gbs": 10.0},
    "workloads": [
        {"workload": name, "says": name, "contender": who, "lanes": 100, "steps": 10, "width": None, "seconds": [s, 2 * s, 4 * s],
         "compile_seconds": 1.0, "peak_memory_bytes": 2**30, "loss_median": 0.1,
         "idle_shares": [0.01, 0.03, 0.02] if who == "engine" else None, "step_flops": 1e6, "step_bytes": 1e4}
        for name in ("xor", "census-2-4-1") for who, s in (("engine", 1.0), ("jit_vmap", 3.0))
    ],
    "growth": [
        {"along": along, "value": value, "contender": who, "workload": "xor", "lanes": value, "steps": 200, "seconds": value / 1e4,
         "compile_seconds": 1.0, "peak_memory_bytes": 2**29 + 100 * value}
        for along in ("lanes", "steps", "width", "devices") for value in (100, 1000) for who in ("engine", "jit_vmap")
    ],
}  # fmt: skip


def test_speeds_are_medians_and_relative_to_plain_jax() -> None:
    rows = speeds(MEASURED).set_index(["workload", "contender"])
    xor = rows.loc[("xor", "engine")]
    assert (xor["slowest"], xor["speed"], xor["fastest"]) == (250, 500, 1000)
    assert xor["ratio"] == 3
    assert xor["gflops"] == pytest.approx(0.5) and xor["gbs"] == pytest.approx(0.005)
    # In a census a seed counts, not its steps.
    assert rows.loc[("census-2-4-1", "engine")]["speed"] == 50


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    folder = write_throughput(MEASURED, tmp_path)
    assert folder == tmp_path / "throughput" / "cpu-2"
    text = (folder / "README.md").read_text()
    assert "500 [250, 1,000] seed-steps/s" in text and "0.50 (0.5%)" in text
    assert "| xor | 100 x 10 | 2.0% | 1.0%, 3.0% | 3 |" in text
    assert "100 bytes per training run" in text and "1,000,000 seed-steps/s" in text
    assert json.loads((folder / "measured.json").read_text()) == MEASURED
    for name in ("speed", "growth"):
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 1000


def test_the_command_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measure, "measure", lambda *_: MEASURED)
    done = CliRunner().invoke(app, ["throughput", "--out", str(tmp_path)], env={"COLUMNS": "160"})
    assert done.exit_code == 0
    for text in ("500 [250, 1,000] seed-steps/s", "0.50 (0.5%)", "1,024", "xor, 1,000 training runs x 200 steps", "cpu-2/README.md"):
        assert text in done.output
