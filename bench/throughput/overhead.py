"""The price of chunks and of a cluster on one machine, for a run of about a minute: `python -m bench.throughput.overhead` prints both.

Times are those of the clock, in turn, on a machine that does nothing else. `initbench run` is started as a user starts it, with two
workers and with none, so that imports, compilation (from a warm cache) and the writing of rows count on both sides. Chunks are trained one
after the other in this process, and against them all of their training runs at once.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from bench.engine.pool import Pool
from bench.hardware import lane_mesh
from bench.runs.chunks import chunks
from bench.runs.plan import Plan, plan
from bench.runs.spans import Spans
from bench.spec import Experiment
from bench.throughput.workloads import WORKLOADS

MINUTE = WORKLOADS["digits-64-32-10-sgd"]
"""The experiment, of which `LANES` training runs take about a minute on two cores."""
LANES = 8192
PAIRS = 4
"""Times that both sides are measured, in turn: an even number, so that each side goes first as often as the other."""


def overhead(pairs: int = PAIRS, lanes: int = LANES, steps: int = MINUTE.steps) -> dict[str, Any]:
    """Return what was measured: of the commands and of the chunks, the seconds of each side, pair by pair."""
    experiment = MINUTE.experiment(lanes, steps)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        # The number of training runs does not change what is compiled.
        _command(MINUTE.experiment(max(1, lanes // 32), steps), place)
        commands = _in_turn(pairs, lambda: _command(experiment, place), lambda: _command(experiment, place, "--on", "local:2"))
    planned = plan(experiment)
    pool = Pool(planned.programs[0], lane_mesh())
    whole = [planned.lanes.of_program(0)]
    pieces = [chunk.lanes for chunk in chunks(planned)]
    _train(planned, pool, pieces[-1:])
    trained = _in_turn(pairs, lambda: _train(planned, pool, whole), lambda: _train(planned, pool, pieces))
    return {
        "workload": MINUTE.name,
        "lanes": lanes,
        "steps": steps,
        "devices": len(jax.devices()),
        "chunks": len(pieces),
        "one_process_seconds": commands[0],
        "two_workers_seconds": commands[1],
        "whole_seconds": trained[0],
        "chunks_seconds": trained[1],
    }


def _in_turn(pairs: int, *sides: Callable[[], None]) -> list[list[float]]:
    """Return the seconds of each side, measured in turn, and in the other order every second time."""
    found: list[list[float]] = [[] for _ in sides]
    for pair in range(pairs):
        for seconds, side in list(zip(found, sides, strict=True))[:: -1 if pair % 2 else 1]:
            started = time.perf_counter()
            side()
            seconds.append(time.perf_counter() - started)
    return found


def _command(experiment: Experiment, folder: Path, *options: str) -> None:
    """Train an experiment by a command of its own, into a folder that is then removed."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        (Path(out) / "minute.toml").write_text(experiment.text, encoding="utf-8")
        command = [sys.executable, "-m", "initbench", "run", str(Path(out) / "minute.toml"), "--out", out, *options]
        subprocess.run(command, check=True, capture_output=True)


def _train(planned: Plan, pool: Pool, pieces: list[Spans]) -> None:
    """Train the lanes of each piece and make rows of them, one piece after the other."""
    program = planned.programs[0]
    for piece in pieces:
        for batch in pool.run(planned.lanes.lanes(program, piece.numbers()), program.log_steps):
            planned.lanes.rows(batch)


if __name__ == "__main__":
    print(json.dumps(overhead(), indent=2))
