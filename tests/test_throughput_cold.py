"""Whole processes: a script in plain JAX does the same work as the engine, and both are timed from their start."""

import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pandas as pd
import pytest

from analysis.report.throughput_tables import processes_table
from bench.runs.plan import plan
from bench.runs.starts import Starts
from bench.spec import Experiment
from bench.throughput import cold, plain_script
from bench.throughput.contenders import contender
from bench.throughput.workloads import WORKLOADS


def test_the_script_trains_the_network_of_the_engine() -> None:
    experiment = WORKLOADS["xor-2-4-1"].experiment(1, 200)
    [cell] = experiment.cells
    start = Starts([cell]).of(cell, plan(experiment).lanes.seeds_of(np.arange(1)))
    layers = [start.params["layers"][number] for number in (0, 1)]
    params = dict(zip("wbvc", (layer[name][0] for layer in layers for name in ("kernel", "bias")), strict=True))
    x, y = plain_script.xor()
    found = plain_script.train(
        0, lambda key: params, plain_script.mlp_outputs, plain_script.logistic, optax.sgd(0.5), x, y, steps=200, batch=0
    )
    assert float(found["loss_final"]) == pytest.approx(float(contender["engine"].target(experiment)()[0]), rel=1e-5)


@pytest.mark.parametrize(("workload", "rows"), [("census-2-4-1", 3), ("grid", 150), ("digits-cnn", 3)])
def test_the_script_saves_a_row_for_each_network(workload: str, rows: int, tmp_path: Path) -> None:
    # Two epochs of the digits: 21 batches of 64 each.
    plain_script.main(workload, 3, 42, str(tmp_path / "rows.parquet"))
    table = pd.read_parquet(tmp_path / "rows.parquet")
    assert len(table) == rows and np.isfinite(table["loss_final"]).all()
    if workload != "grid":
        assert (table["loss_final"] < table["loss_initial"]).all()


def test_the_networks_of_the_script_are_as_large_as_those_of_the_engine() -> None:
    key, normal = jax.random.key(0), jax.nn.initializers.normal()
    for name, params in (("census-2-4-1", plain_script.mlp(key, normal)), ("digits-cnn", plain_script.cnn(key, normal))):
        [program] = plan(WORKLOADS[name].experiment(1, 1)).programs
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == program.n_parameters
    [program] = plan(WORKLOADS["digits-cnn"].experiment(1, 1)).programs
    assert len(plain_script.digits()[0]) == program.n_examples


def test_both_take_turns_with_an_empty_and_a_full_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, str]] = []

    def process(command: list[str], folder: str) -> float:
        if "-m" in command:
            experiment = Experiment.parse(Path(command[4]).read_text(encoding="utf-8"))
            assert (len(experiment.seeds), experiment.cells[0].settings.training.steps) == (1024, 312)
        else:
            assert command[2:5] == ["census-2-4-1", "1024", "312"]
        ran.append(("engine" if "-m" in command else "script", folder))
        return float(len(ran))

    monkeypatch.setattr(cold, "SIZES", {"census-2-4-1": cold.SIZES["census-2-4-1"]})
    monkeypatch.setattr(cold, "_process", process)
    rows = list(cold.cold(lambda note: None, repeats=2, shrink=16))
    assert [name for name, _ in ran] == ["engine", "engine", "script", "script", "script", "script", "engine", "engine"]
    # The second process of a pair finds what the first one has left.
    assert [a == b for (_, a), (_, b) in zip(ran[::2], ran[1::2], strict=True)] == [True] * 4 and len({folder for _, folder in ran}) == 4
    assert {(row["contender"], row["cache"]): row["seconds"] for row in rows} == {
        ("engine", "empty"): [1, 7], ("engine", "full"): [2, 8], ("script", "empty"): [3, 5], ("script", "full"): [4, 6],
    }  # fmt: skip
    [empty, full] = processes_table(rows).to_dict("records")
    assert (empty["initbench, s"], empty["script / initbench"], full["plain script, s"]) == ("4.0 [1.0, 7.0]", "1.86", "5.0 [4.0, 6.0]")


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(ChildProcessError, match="No such file|can't open file"):
        cold._process([sys.executable, "no-such-file.py"], ".")
