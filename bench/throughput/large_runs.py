"""The costs of a large run beside the training: `python -m bench.throughput.large_runs FILE` measures it and writes FILE.

Times are those of the processor, summed over the threads of this process, so that other processes on the machine hardly change them; those
of `bench.throughput.overhead` are those of the clock.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import distributed
import jax
import numpy as np
import pyarrow as pa

from bench.cluster.connect import Tls, cluster
from bench.cluster.task import Order
from bench.engine.pool import Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh
from bench.runs.begin import begin
from bench.runs.chunks import chunks
from bench.runs.environment import current_provenance, now, versions
from bench.runs.folder import RunFolder
from bench.runs.manifest import Part
from bench.runs.parquet import packed
from bench.runs.plan import Plan, plan
from bench.runs.spans import Spans
from bench.throughput.measure import processor_name
from bench.throughput.overhead import overhead
from bench.throughput.report_memory import report_memory
from bench.throughput.workloads import WORKLOADS

CENSUS = WORKLOADS["census-2-4-1"]
"""The experiment that is measured."""
SEEDS = 1 << 22
"""Training runs of the experiment, of which one chunk is trained."""
PARTS = (0, 4000, 8000, 16_000)
"""Numbers of parts in a run folder to which one more is added."""
PARTS_IN_ORDER = 16
"""Parts that are put in order."""
TASKS, RESULTS = 2000, 32
"""Tasks that do nothing, and tasks that return the rows of a chunk."""
REPEATS = 5


def main(file: Path) -> None:
    """Measure, and write a JSON file."""
    planned = plan(CENSUS.experiment(SEEDS, CENSUS.steps))
    chunk = next(chunks(planned))
    pool = Pool(planned.programs[0], lane_mesh())
    rows = _rows(planned, pool, chunk.lanes)
    content = packed(rows).content
    found = {
        "measured": now(),
        "cpu": processor_name(),
        "devices": len(jax.devices()),
        "versions": versions() | {"distributed": distributed.__version__},
        "chunk_lanes": len(chunk.lanes),
        "row_bytes": len(content) / len(rows),
        "training": _training(planned, pool, chunk.lanes),
        "parts": _parts(planned, rows),
        "in_order_seconds_per_row": _in_order(planned, rows),
        **_dask(planned, chunk.lanes, content),
        "overhead": overhead(),
        "report": report_memory(),
    }
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _rows(planned: Plan, pool: Pool, lanes: Spans) -> pa.Table:
    """Train some lanes and return their rows."""
    program = planned.programs[0]
    return planned.lanes.rows(joined(list(pool.run(planned.lanes.lanes(program, lanes.numbers()), program.log_steps))))


def _training(planned: Plan, pool: Pool, lanes: Spans) -> list[dict[str, float]]:
    """Return seconds of training, rows included, of as many lanes in chunks of several sizes."""
    found = []
    for size in (len(lanes) // share for share in (1, 2, 4, 8, 16)):
        seconds = _fastest(lambda size=size: [_rows(planned, pool, piece) for piece in lanes.pieces(size)])  # type: ignore[misc]
        found.append({"chunk_lanes": size, "seconds_per_chunk": seconds * size / len(lanes)})
    return found


def _parts(planned: Plan, rows: pa.Table) -> list[dict[str, float]]:
    """Return what it costs to add a part of one chunk to a run folder that has many."""
    found = []
    content = packed(rows)
    with _folder(planned) as store:
        made = (store.manifest.latest.id,)
        for count in PARTS:
            digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
            parts = [Part(file=f"lanes/part-{one[:12]}.parquet", rows=1, sha256=one, provenance=made) for one in digests]
            store.change(parts=parts)
            seconds = _fastest(lambda: store.append([("lanes", content)], made))
            found.append({"parts": count, "manifest_bytes": (store.folder / "run.json").stat().st_size, "append_seconds": seconds})
    return found


def _in_order(planned: Plan, rows: pa.Table) -> float:
    """Return seconds per row of putting parts in order."""
    with _folder(planned) as store:
        count = len(rows)
        for part in range(PARTS_IN_ORDER):
            seeds = pa.array(part * count + np.arange(count))
            store.append(
                [("lanes", rows.set_column(rows.column_names.index("init_seed"), "init_seed", seeds))], (store.manifest.latest.id,)
            )
        return _seconds(lambda: store.put_in_order(planned.lanes.numbering.of)) / (PARTS_IN_ORDER * count)


def _dask(planned: Plan, lanes: Spans, content: bytes) -> dict[str, float]:
    """Return what the process of client and scheduler spends for a chunk that takes no time, and for each byte of its rows."""
    experiment = planned.experiment
    order = Order("0" * 12, experiment.text, 0, lanes, 0, current_provenance(jax.devices(), experiment))
    with cluster("local:2", Tls(), insecure=False) as client:
        client.wait_for_workers(2)

        def tasks() -> None:
            client.gather(client.map(_nothing, [order] * TASKS, range(TASKS), pure=False, resources={"DEVICE": 1}))

        def results() -> None:
            for number in range(RESULTS):
                client.submit(_bytes, len(content), number, pure=False, resources={"DEVICE": 1}).result()

        started = time.perf_counter()
        task = _seconds(tasks) / TASKS
        wall = (time.perf_counter() - started) / TASKS
        return {"task_seconds": task, "task_wall_seconds": wall, "byte_seconds": _seconds(results) / (RESULTS * len(content))}


def _nothing(order: Order, number: int) -> None:
    """Train nothing."""


def _bytes(count: int, number: int) -> bytes:
    return os.urandom(count)


@contextmanager
def _folder(planned: Plan) -> Iterator[RunFolder]:
    """Give a run folder that has begun and holds nothing."""
    with tempfile.TemporaryDirectory() as folder, RunFolder.locked(Path(folder) / "run") as store:
        begin(store, planned, current_provenance(jax.devices(), planned.experiment))
        yield store


def _seconds(task: Callable[[], Any]) -> float:
    started = time.process_time()
    task()
    return time.process_time() - started


def _fastest(task: Callable[[], Any]) -> float:
    """Return the least seconds of several times, after one that does not count."""
    task()
    return min(_seconds(task) for _ in range(REPEATS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
