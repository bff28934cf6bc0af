"""Chunks: the pieces of an experiment that are trained, and done again, as a whole, on whatever machine.

Chunks follow from the experiment alone, so that all machines cut it in the same way. They shape no bits: a lane is the same whatever is
trained beside it.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from bench.engine.layouts.costs import lane_bytes, power_of_two
from bench.lane.program import Program
from bench.runs.plan import Plan
from bench.runs.spans import Spans

CHUNK_SECONDS = 20.0
"""Time that a chunk takes at most on the nominal device if all of its lanes spend their budgets. `python -m bench.throughput.overhead`
measures what chunks of this size cost."""
NOMINAL_OPERATIONS, NOMINAL_BYTES = 5e10, 1e11
"""Floating-point operations and bytes (of caches) per second of the nominal device: a core with vector units that a program fills well."""
MOST_LANES = 1 << 19
"""Most lanes of a chunk, so that its rows fit into a message."""
LAST_CHUNKS, SMALLER = 2, 4
"""The lanes of so many chunks of a program come last, in chunks so many times smaller, so that no machine waits long for another."""


class Chunk(NamedTuple):
    """Some lanes of one program."""

    program: int
    """The number of the program in its plan."""
    lanes: Spans
    seconds: float
    """Time on the nominal device if all lanes spend their budgets."""
    small: bool
    """Whether it is one of the small chunks that come last."""

    def key(self, plan: Plan) -> str:
        """Return the name of the chunk: a digest of what trains and of the numbers of its lanes."""
        spans = zip(self.lanes.first.tolist(), self.lanes.last.tolist(), strict=True)
        return hashlib.sha256(f"{plan.training_hash} {len(plan.experiment.seeds)} {list(spans)}".encode()).hexdigest()[:12]


def chunks(plan: Plan) -> Iterator[Chunk]:
    """Yield the chunks of an experiment: programs with the longest lanes first, and the small chunks of each program last.

    Nothing is kept of a chunk that was yielded, so memory does not grow with the number of lanes.
    """
    costs = [lane_seconds(program) for program in plan.programs]
    order = sorted(range(len(costs)), key=lambda index: -costs[index])
    whole = [max(1, min(power_of_two(CHUNK_SECONDS / costs[index]), MOST_LANES)) for index in order]
    for small in (False, True):
        for index, size in zip(order, whole, strict=True):
            lanes = plan.lanes.of_program(index)
            large = max(0, len(lanes) // size - LAST_CHUNKS) * size
            head, tail = lanes.split(large)
            for piece in tail.pieces(max(1, size // SMALLER)) if small else head.pieces(size):
                yield Chunk(index, piece, len(piece) * costs[index], small)


def lane_seconds(program: Program) -> float:
    """Return the time that one lane of a program takes on the nominal device if it spends its budget."""
    steps = max(cell.settings.training.steps for cell in program.cells)
    operations = 6 * program.n_parameters * (program.batch_size or program.n_examples)
    return steps * max(operations / NOMINAL_OPERATIONS, lane_bytes(program) / NOMINAL_BYTES)
