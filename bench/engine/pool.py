"""Continuous batching: the host's loop over a fixed number of lane slots on each device, refilled as lanes end.

Between segments of many rounds the host learns which lanes have ended and their results, and fills their slots.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import jax
import numpy as np
from jax.sharding import Mesh

from bench.engine.compiled import Compiled, bits_ignore_position
from bench.engine.data_placement import data_placement
from bench.engine.layouts.choose import choose
from bench.engine.layouts.costs import block_count
from bench.engine.layouts.layout import CHECKS_IN_A_ROW, Setting, checks_in_a_row
from bench.engine.scheduler import Batch, Lanes, Scheduler
from bench.engine.segments import Flight
from bench.hardware import Hardware, precision
from bench.lane.program import Program

__all__ = ["Batch", "Costs", "Lanes", "Pool"]

log = logging.getLogger("initbench")

FIRST_ROUNDS = 2
"""Rounds of the first segment of a light layout."""
OUT_OF_MEMORY = ("resource_exhausted", "out of memory", "failed to allocate")
"""XLA's words, in lower case, for too little memory; inside of a loop the error itself may be called INTERNAL."""
LAST_SEGMENTS_IN_FLIGHT = 2
"""Segments in flight once no lane waits: the next one is there when the host begins to read one that has ended."""


@dataclass
class Costs:
    """Time and work that a pool has spent."""

    compile_seconds: float = 0.0
    compilations: int = 0
    run_seconds: float = 0.0
    seed_steps: int = 0


@dataclass
class Pool:
    """Runs lanes of one program on a mesh of devices.

    `width` is the block width to keep, or 0 to take the cost model's. Raises MemoryError if the devices have too little memory for the
    smallest pool.
    """

    program: Program
    mesh: Mesh
    width: int = 0
    costs: Costs = field(default_factory=Costs)
    note: str = ""
    """A message for the user about how the lanes are run: that there was too little memory, or that lanes cannot share blocks."""
    after_segment: Callable[[], None] = lambda: None
    """Called by the host after every segment; an error that it raises ends `run`."""

    def __post_init__(self) -> None:
        self.devices = self.mesh.size
        self.hardware = Hardware.of(self.mesh)
        self.placement = data_placement(self.program)
        self.layout, width = choose(self.program, self.hardware)
        is_kept = self.width > 0
        self.width = self.width or width
        self._blocks = self._block_count()
        self._in_a_row = checks_in_a_row(self.layout, self.program, self.hardware)
        with precision(self.program.dtype, self.hardware):
            self._build(is_kept)

    def _block_count(self) -> int:
        return block_count(self.program, self.layout, self.width, self.hardware)

    def _build(self, is_kept: bool) -> None:
        """Compile for as many blocks as there is memory for, with one lane per block if the bits of more would depend on their places.

        A width that `is_kept` is not tried out.
        """
        while True:
            try:
                self._compile()
                if not is_kept and self.width > 1 and not bits_ignore_position(self._compiled):
                    places = f"instead of {self.width} in a block, where the last bits of each would depend on its place"
                    self.note = f"one training run at a time {places}"
                    log.warning(self.note)
                    self.width = 1
                    self._blocks = self._block_count()
                    self._compile()
                return
            except jax.errors.JaxRuntimeError as error:
                self._shrink(error)

    def _compile(self) -> None:
        started = time.perf_counter()
        setting = Setting(self.program, self.hardware, self.placement, self.width)
        self._compiled = Compiled(setting, self.layout, self._blocks, self.mesh)
        self.costs.compilations += Compiled.compilations
        self.costs.compile_seconds += time.perf_counter() - started

    def _shrink(self, error: jax.errors.JaxRuntimeError) -> None:
        """Take half of the blocks from now on if there was too little memory; the width, and so all bits, stay the same."""
        if not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            raise error
        if self._blocks == 1:
            raise MemoryError(
                f"model '{self.program.cells[0].settings.model.name}': too little memory on {self.mesh.devices.flat[0].device_kind} for "
                f"{self.width} training runs at a time, which is the least; a smaller model, data set or batch takes less"
            ) from error
        before, self._blocks = self._blocks * self.width, self._blocks // 2
        self.note = f"out of memory: {self._blocks * self.width:,} training runs at a time on each device instead of {before:,}"
        log.warning(self.note)

    def run(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        """Run all lanes to their ends; yields batches of ended lanes, in no promised order.

        If there is too little memory, lanes that have not ended begin again in a smaller pool; their curves then begin twice.
        """
        ended: list[np.ndarray] = []
        steps = self.costs.seed_steps
        with precision(self.program.dtype, self.hardware):
            while True:
                started = time.perf_counter()
                try:
                    for batch in self._batches(lanes.without(ended), log_steps):
                        self.costs.run_seconds += time.perf_counter() - started
                        ended.append(batch.columns["lane"])
                        steps += int(np.sum(batch.columns["step"]))
                        yield batch
                        started = time.perf_counter()
                    break
                except jax.errors.JaxRuntimeError as error:
                    self._shrink(error)
                # Outside of the handler, which holds all arrays of the failed attempt. The steps of its unended lanes do not count.
                self.costs.seed_steps = steps
                self._build(is_kept=True)
        self.costs.run_seconds += time.perf_counter() - started

    def _batches(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        # First of all, so that the devices are busy while the host prepares the first lanes.
        flight = Flight(self._compiled, FIRST_ROUNDS * self.layout.checks_per_round if self.layout.is_light else CHECKS_IN_A_ROW)
        scheduler = Scheduler(lanes, log_steps, self.program.check_every, self._compiled.room, self.placement.by_block)
        while True:
            for index, variant, group, inputs in scheduler.next_lanes():
                flight.slots = self._compiled.fill(flight.slots, variant, group, inputs, index)
            if scheduler.fresh.any():
                scheduler.started(self._compiled.read(flight.slots, scheduler.fresh.reshape(-1)))
            flight.send(scheduler, 1 if scheduler.waiting else self.hardware.segments_in_flight, self._in_a_row)
            # The host's share of the work, while the devices are busy with a segment.
            scheduler.settle()
            yield from scheduler.batches()
            if scheduler.idle:
                return
            # A segment that is ready may have ended all lanes: it is read before another one is sent.
            if not scheduler.waiting and not flight.is_ready:
                flight.send(scheduler, LAST_SEGMENTS_IN_FLIGHT, self._in_a_row)
            status, step, segment = flight.landed()
            chunks = segment.curves.chunks(self._compiled.chunk, self.hardware)
            self.costs.seed_steps += scheduler.segment_ended(status, step, chunks, segment.found)
            self.after_segment()
