"""`python -m tests.faults.odd_worker KIND SCHEDULER`: a worker of another version, or one that computes another bit and goes away."""

import asyncio
import os
import sys
import time

import pyarrow as pa

import bench.cluster.task as task
import bench.runs.environment as environment
from bench.runs.parquet import Packed, packed


def claim_another_version() -> None:
    """Let the provenance of this worker name another version of jax."""
    known = environment.versions
    environment.versions = lambda: {**known(), "jax": "0.0.1"}


def compute_another_bit() -> None:
    """Change the last bit of one loss; once the scheduler knows the chunk's digest, the worker goes away."""
    known, tell = task._in_order, task.get_worker

    def changed(*given: object) -> dict[str, Packed]:
        rows = known(*given)  # type: ignore[arg-type]
        table = rows["lanes"].table
        losses = table["loss_final"].to_numpy().copy()
        losses.view("int64")[0] ^= 1 << 29
        place = table.column_names.index("loss_final")
        return {**rows, "lanes": packed(table.set_column(place, "loss_final", pa.array(losses)))}

    class Gone:
        def log_event(self, topic: str, message: object) -> None:
            tell().log_event(topic, message)
            time.sleep(1)
            os._exit(1)

    vars(task).update(_in_order=changed, get_worker=Gone)


async def work(scheduler: str) -> None:
    """Train chunks for a scheduler."""
    from distributed import Worker

    async with Worker(scheduler, nthreads=1, memory_limit=0, resources={"DEVICE": 1}) as worker:
        await worker.finished()


if __name__ == "__main__":
    {"version": claim_another_version, "bit": compute_another_bit}[sys.argv[1]]()
    asyncio.run(work(sys.argv[2]))
