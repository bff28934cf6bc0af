"""The cost of a run, estimated from a short trial of its programs."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.engine.compiled import TRIED_STEPS, shifts
from bench.engine.data_placement import data_placement
from bench.engine.layouts.choose import choose
from bench.engine.layouts.costs import block_count, lane_bytes
from bench.engine.pool import Lanes, Pool
from bench.hardware import Hardware, lane_mesh
from bench.lane.data import data_bytes
from bench.lane.program import Program
from bench.runs.plan import check_memory, plan
from bench.runs.rows import LaneTable
from bench.spec import Experiment

TRIAL_SECONDS = 0.5
"""A trial takes more steps until it lasts this long."""
FIRST_STEPS = 64
"""Most steps of the first trial: an epoch of minibatches of many examples has more."""
MORE_STEPS = 8
"""How many times as many steps the next trial has: few trials, because each of them measures starts and ends as well."""
ALL_TRIALS_SECONDS = 10.0
"""After this long no other program is compiled: the rest is estimated from those that were tried."""


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a run."""

    programs: int
    tried: int
    """Number of programs that were tried."""
    memory_bytes: int
    """Bytes of all lane slots, and of data that lanes share."""
    seconds: float
    """Seconds of training, if training runs end as those of the trial did; NaN if none of these made a step."""
    compile_seconds: float
    """Seconds until the programs are compiled, and it is known whether bits depend on places."""


def estimate(experiment: Experiment) -> Estimate:
    """Compile programs, train one block of each on every device for a short time, and scale up.

    ValueError if a cell cannot be built or the run does not fit this machine.
    """
    mesh = lane_mesh()
    hardware = Hardware.of(mesh)
    planned = plan(experiment)
    check_memory(planned.programs, mesh)
    table = planned.lanes
    started = time.perf_counter()
    seconds: list[float] = []
    """Seconds of each program that was tried."""
    work: list[float] = []
    """Work of each program, roughly: parameters times examples times steps."""
    memory, compiling = 0, 0.0
    for cells, program in zip(table.cells, planned.programs, strict=True):
        layout, width = choose(program, hardware)
        blocks, placement = block_count(program, layout, width, hardware), data_placement(program)
        held = 0 if placement.by_lane else placement.sets(width * blocks, blocks) * data_bytes(program.data_shapes)
        memory = max(memory, mesh.size * (width * blocks * lane_bytes(program) + held))
        slots, lanes = mesh.size * width, len(program.cells) * len(experiment.seeds)
        steps = sum(cell.settings.training.steps for cell in program.cells) / len(program.cells)
        work.append(max(lanes, slots) * steps * program.n_parameters * (program.batch_size or program.n_examples))
        if not seconds or time.perf_counter() - started < ALL_TRIALS_SECONDS:
            # With a given width the pool does not test whether bits depend on places, which takes several trials.
            pool = Pool(program, mesh, width)
            tried = _trial(pool, table, program, cells)
            passes = -(-lanes // slots)
            seconds.append(max(lanes / slots * tried.steps, tried.most) * tried.each + passes * tried.beside)
            compiling += pool.costs.compile_seconds + _seconds_of_tests(pool, tried)
    rates = np.array(seconds) / work[: len(seconds)]
    usual = float(np.nanmean(rates)) if not np.isnan(rates).all() else np.nan
    known = [usual if np.isnan(rate) else rate for rate in rates] + [usual] * (len(work) - len(rates))
    return Estimate(len(work), len(seconds), memory, float(np.dot(work, known)), compiling * len(work) / len(seconds))


class Trial(NamedTuple):
    """How some training runs of a program, one block on every device, were trained."""

    each: float
    """Seconds of one step; NaN if no training run made one."""
    beside: float
    """Seconds of the start and the end of a block."""
    steps: float
    """Mean number of steps until a training run ends."""
    most: float
    """Number of steps until the last one of them ends."""


def _trial(pool: Pool, table: LaneTable, program: Program, cells: list[int]) -> Trial:
    """Train some runs of as many cells as possible: first for more and more steps, then more and more runs, until it takes long enough."""
    room = pool.devices * pool.width
    lanes = _sample(table, program, cells, room)
    most = max(cell.settings.training.steps for cell in program.cells)
    limit = min(program.check_every, FIRST_STEPS, most)
    first, steps = _trained(pool, lanes, limit)
    if first < TRIAL_SECONDS:
        # Now everything that is made at the first use is there.
        first, steps = _trained(pool, lanes, limit)
    seconds, before = first, _block_steps(steps, room)
    while seconds < TRIAL_SECONDS + first:
        if steps.max() == limit < most:
            limit = min(MORE_STEPS * limit, most)
        elif seconds < TRIAL_SECONDS and len(lanes) < len(cells) * table.seeds:
            lanes = _sample(table, program, cells, 4 * len(lanes))
        else:
            break
        seconds, steps = _trained(pool, lanes, limit)
    made = _block_steps(steps, room)
    if made == 0:
        return Trial(np.nan, np.nan, np.nan, np.nan)
    # The cost of a block beside its steps follows from two trials of different size.
    each = max(seconds - first, 0.0) / (made - before) if made > before else seconds / made
    whole = steps + _steps_left(steps, np.asarray(lanes.inputs.budget), limit)
    return Trial(each, max(seconds - each * made, 0.0) / -(-len(lanes) // room), whole.mean(), whole.max())


def _seconds_of_tests(pool: Pool, trial: Trial) -> float:
    """Return the seconds that `bits_ignore_position` would take; 0 where it is not asked, or nothing is known."""
    if pool.width == 1 or np.isnan(trial.each):
        return 0.0
    steps = min(TRIED_STEPS, trial.most, pool.layout.checks_per_round // 2 * pool.program.check_every)
    return (1 + len(shifts(pool.width))) * (trial.beside + steps * trial.each)


def _sample(table: LaneTable, program: Program, cells: list[int], count: int) -> Lanes:
    """Return about this many lanes of a program, from as many of its cells as possible."""
    chosen = [cells[place] for place in np.linspace(0, len(cells) - 1, min(count, len(cells))).astype(int)]
    seeds = np.arange(min(max(count // len(chosen), 1), table.seeds))
    lanes = table.lanes(program, np.concatenate([cell * table.seeds + seeds for cell in chosen]))
    return Lanes(np.arange(len(lanes)), lanes.variant, lanes.inputs, lanes.logged)


def _trained(pool: Pool, lanes: Lanes, limit: int) -> tuple[float, np.ndarray]:
    """Train lanes for at most this many steps; returns the seconds that it took, and the steps that each lane made."""
    before, budget = pool.costs.run_seconds, np.asarray(lanes.inputs.budget)
    inputs = lanes.inputs._replace(budget=np.minimum(budget, limit).astype(budget.dtype))
    steps = np.zeros(len(lanes), int)
    for batch in pool.run(Lanes(lanes.ids, lanes.variant, inputs, lanes.logged), np.array([0])):
        steps[batch.columns["lane"]] = batch.columns["step"]
    return pool.costs.run_seconds - before, steps


def _block_steps(steps: np.ndarray, room: int) -> float:
    """Return the number of steps of a block on every device in which lanes make these steps, if `room` of them are trained at a time."""
    return max(float(steps.sum()) / room, float(steps.max()))


def _steps_left(steps: np.ndarray, budget: np.ndarray, limit: int) -> np.ndarray:
    """Return how many more steps lanes would make after a trial of `limit` steps, if they ended as often as in its second half."""
    left = np.where(steps >= limit, budget - np.minimum(budget, limit), 0)
    late = np.maximum(steps - limit / 2, 0)
    rate = np.sum((late > 0) & (steps < np.minimum(budget, limit))) / max(late.sum(), 1)
    return left if rate == 0 else (1 - np.exp(-rate * left)) / rate
