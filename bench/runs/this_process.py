"""Training in this process of the lanes that a run folder lacks, program by program."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import jax
import numpy as np
from jax.sharding import Mesh

from bench.engine.pool import Pool
from bench.engine.scheduler import Batch
from bench.hardware import Hardware
from bench.lane.state import Status
from bench.runs.begin import SUMS, with_costs
from bench.runs.environment import current_provenance
from bench.runs.folder import RunFolder
from bench.runs.inventory import Inventory
from bench.runs.memory import peak_bytes
from bench.runs.part_writer import PartWriter
from bench.runs.plan import Plan, check_memory
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.spec import Experiment

PIECE = 1 << 20
"""Most lanes of a program that are taken up at a time, so that memory does not grow with the number of lanes that have not run yet."""


@dataclass(frozen=True)
class ThisProcess:
    """The executor of a run that is this process, with the devices of a mesh."""

    mesh: Mesh

    def check(self, plan: Plan) -> None:
        """Raise ValueError if a plan does not fit this machine."""
        check_memory(plan.programs, self.mesh)

    def provenance(self, experiment: Experiment, progress: Progress, watch: Watch) -> Provenance:
        """Return the provenance of rows that are made here."""
        return current_provenance(list(self.mesh.devices.flat), experiment)

    def train(self, store: RunFolder, plan: Plan, inventory: Inventory, progress: Progress, watch: Watch) -> None:
        """Train what is missing and write it part by part; an exception keeps the lanes that have ended."""
        _Training(store, plan, inventory, self.mesh, progress, watch).train()


class _Training:
    """One pass over the programs of a plan that trains what is missing from a folder and tells how far it is."""

    def __init__(self, store: RunFolder, plan: Plan, inventory: Inventory, mesh: Mesh, progress: Progress, watch: Watch) -> None:
        self._store, self._plan, self._mesh = store, plan, mesh
        self._missing, self._lost = inventory.missing, inventory.lost
        self._progress, self._watch = progress, watch
        self._widths = list(store.manifest.block_width)
        self._spent = dict.fromkeys(SUMS, 0)
        self._steps_of_ended_pools = 0
        self._started = time.perf_counter()

    def train(self) -> None:
        """Train all missing lanes and write them part by part; an exception keeps those that have ended."""
        left = [index for index in range(len(self._plan.programs)) if self._plan.lanes.of_program(index) & self._missing]
        # On an accelerator a program is compiled while the one before it runs. On a CPU, which they would share, both took longer.
        early = not Hardware.of(self._mesh).is_host
        ahead = ThreadPoolExecutor(1)
        coming: Future[Pool] | None = None
        with PartWriter(self._store, self._plan.lanes, self._lost, self._widths) as writer:
            try:
                for number, index in enumerate(left):
                    self._progress.note = f"compiling program {index + 1} of {len(self._plan.programs)}"
                    self._watch(self._progress)
                    pool = self._pool(index, coming)
                    after = left[number + 1 : number + 2] if early else []
                    coming = ahead.submit(self._compiled, after[0]) if after else None
                    self._run_pool(index, pool, writer)
                    writer.flush()
            finally:
                ahead.shutdown(wait=False, cancel_futures=True)
        if self._lost:
            count = f"{len(self._lost):,} training runs"
            self._progress.said.append(f"made the curves of {count} anew; the runs ended as their rows say, bit by bit")
        self._store.change(**with_costs(self._store.manifest, self._spent, peak_bytes(jax.devices())))

    def _compiled(self, index: int) -> Pool:
        return Pool(self._plan.programs[index], self._mesh, self._widths[index])

    def _pool(self, index: int, coming: Future[Pool] | None) -> Pool:
        """Return the pool of a program, which may have been compiled in the meantime."""
        if coming is None:
            return self._compiled(index)
        try:
            return coming.result()
        except MemoryError:
            # Beside the pool before it there was too little memory for the smallest one; that pool has ended now.
            return self._compiled(index)

    def _run_pool(self, index: int, pool: Pool, writer: PartWriter) -> None:
        """Train the missing lanes of one program."""
        program, table, progress = self._plan.programs[index], self._plan.lanes, self._progress
        pool.after_segment = lambda: self._tell(pool)
        self._widths[index] = pool.width
        progress.note = ""
        for piece in (table.of_program(index) & self._missing).pieces(PIECE):
            for batch in pool.run(table.lanes(program, piece.numbers()), program.log_steps):
                writer.add(batch)
                progress.note = pool.note
                self._count(batch)
                self._tell(pool)
                writer.flush_if_due()
        if pool.note and pool.note not in progress.said:
            progress.said.append(pool.note)
        self._steps_of_ended_pools += pool.costs.seed_steps
        for name in ("compile_seconds", "run_seconds", "seed_steps", "compilations"):
            self._spent[name] += getattr(pool.costs, name)
        self._spent["programs"] += 1

    def _count(self, batch: Batch) -> None:
        """Count the lanes of a batch that did not run for their curves alone."""
        new = ~self._lost.contains(batch.columns["lane"])
        self._progress.done += int(np.sum(new))
        self._progress.solved += int(np.sum(batch.columns["status"][new] == Status.SOLVED))

    def _tell(self, pool: Pool) -> None:
        """Tell the watcher how far training is; called after every segment, whether or not lanes have ended."""
        self._progress.seed_steps = self._steps_of_ended_pools + pool.costs.seed_steps
        self._progress.seconds = time.perf_counter() - self._started
        self._watch(self._progress)
