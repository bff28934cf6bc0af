"""The task of a worker: train one chunk, and report on it. Workers keep nothing but compiled programs, and may be lost at any moment."""

import hashlib
import platform
from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
import pyarrow as pa
from distributed import get_worker

from bench.engine.pool import Batch, Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh
from bench.lane.state import Status
from bench.runs.environment import current_provenance
from bench.runs.memory import peak_bytes
from bench.runs.parquet import Packed, packed
from bench.runs.plan import Plan, check_memory, plan
from bench.runs.provenance import Provenance, differences
from bench.runs.rows import LaneTable
from bench.runs.spans import Spans
from bench.spec import Experiment

TOPIC = "initbench"
"""The topic of dask's events under which workers tell which chunks they have trained."""
KEPT = 4
"""Most experiments, and most compiled programs, that a worker keeps."""
_pools: dict[tuple[str, int], tuple[int, Pool]] = {}
"""The pools of the programs that were trained last, the latest one last, each with the width that was asked for, 0 if it chose its own."""


class Order(NamedTuple):
    """A chunk to be trained."""

    key: str
    experiment: str
    """The text of the experiment file."""
    program: int
    lanes: Spans
    width: int
    """Width of the blocks of the program; 0 if none has been chosen."""
    expected: Provenance | None
    """The provenance that the worker's may not differ from in what can change bits; None if it may."""


class Costs(NamedTuple):
    """The costs of a chunk, in the words of the manifest."""

    programs: int
    compilations: int
    compile_seconds: float
    run_seconds: float
    seed_steps: int
    peak_memory_bytes: int


class Done(NamedTuple):
    """A chunk that was trained, with the rows of its lanes in order."""

    host: str
    width: int
    provenance: Provenance
    rows: dict[str, Packed]
    """Curves and rows of training runs, by the kind of part that they make."""
    solved: int
    costs: Costs


class Refused(NamedTuple):
    """Why a worker did not train a chunk: in what its provenance differs from the run's."""

    host: str
    address: str
    differences: list[str]


class Trained(NamedTuple):
    """The report of a worker on a chunk, sent as soon as it has trained it, whether or not the rows reach anybody."""

    key: str
    digest: str
    host: str
    provenance: str
    """The id of the provenance that the run expects; where workers may differ, of the worker's own."""
    width: int


def train_chunk(order: Order) -> Done | Refused:
    """Train the lanes of a chunk and return their rows; errors as from `Pool`, and of the user's own code."""
    here = provenance_here(order.experiment)
    found = differences(order.expected, here) if order.expected else []
    if found:
        return Refused(platform.node(), get_worker().address, found)
    planned = _planned(order.experiment)
    pool = _pool(order.experiment, order.program, order.width)
    before = pool.costs.run_seconds, pool.costs.seed_steps
    compilations, compile_seconds = pool.costs.compilations, pool.costs.compile_seconds
    # Whoever compiled them counts them once.
    pool.costs.compilations, pool.costs.compile_seconds = 0, 0.0
    program = planned.programs[order.program]
    batch = joined(list(pool.run(planned.lanes.lanes(program, order.lanes.numbers()), program.log_steps)))
    rows = _in_order(planned.lanes, batch)
    costs = Costs(
        int(compilations > 0),
        compilations,
        compile_seconds,
        pool.costs.run_seconds - before[0],
        pool.costs.seed_steps - before[1],
        peak_bytes(jax.devices()),
    )
    solved = int(np.sum(batch.columns["status"] == Status.SOLVED))
    digest = hashlib.sha256(b"".join(one.content for one in rows.values())).hexdigest()
    get_worker().log_event(TOPIC, tuple(Trained(order.key, digest, platform.node(), (order.expected or here).id, pool.width)))
    return Done(platform.node(), pool.width, here, rows, solved, costs)


@lru_cache(KEPT)
def provenance_here(experiment: str) -> Provenance:
    """Return the provenance of rows that this process makes, for the text of an experiment file."""
    return current_provenance(list(lane_mesh().devices.flat), _planned(experiment).experiment)


@lru_cache(KEPT)
def _planned(experiment: str) -> Plan:
    planned = plan(Experiment.parse(experiment))
    check_memory(planned.programs, lane_mesh())
    return planned


def _pool(experiment: str, program: int, width: int) -> Pool:
    """Return the pool of a program, compiled once: a later order tells the width that this worker, or another one, has chosen."""
    asked, kept = _pools.pop((experiment, program), (0, None))
    # A width that another run has told says nothing about the one that this worker would choose.
    if kept is None or width not in (asked, kept.width):
        asked, kept = width, Pool(_planned(experiment).programs[program], lane_mesh(), width)
    _pools[experiment, program] = asked, kept
    while len(_pools) > KEPT:
        del _pools[next(iter(_pools))]
    return kept


def _in_order(table: LaneTable, batch: Batch) -> dict[str, Packed]:
    """Return the curves and rows of a chunk in the order of their lanes, so that one chunk always has the same bytes."""
    by_lane = np.argsort(batch.columns["lane"])
    rows = {"lanes": table.rows(batch).take(pa.array(by_lane))}
    curves = table.curves(batch)
    if len(curves):
        by_step = np.lexsort([batch.curves["step"], batch.curves["lane"]])
        rows = {"curves": curves.take(pa.array(by_step)), **rows}
    return {kind: packed(one.combine_chunks()) for kind, one in rows.items()}
