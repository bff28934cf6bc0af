"""What a run will cost, from a short trial of its programs."""

import time
from dataclasses import dataclass

import numpy as np

from bench.engine.devices import lane_mesh
from bench.engine.memory import check_memory
from bench.engine.pool import Lanes, Pool
from bench.engine.program import Program, programs
from bench.engine.width import block_count, block_width, lane_bytes
from bench.rows import LaneTable
from bench.spec import Experiment

TRIAL_SECONDS = 0.5
"""A trial takes more steps until it lasts this long."""
ALL_TRIALS_SECONDS = 20.0
"""After this long no other program is compiled: the rest is reckoned from those that were tried."""


@dataclass(frozen=True)
class Estimate:
    """Programs and how many of them were tried, bytes of all lane slots, seconds of training if every lane spends its budget (NaN if no
    lane of the trial made a step), and seconds of compilation."""

    programs: int
    tried: int
    memory_bytes: int
    seconds: float
    compile_seconds: float


def estimate(experiment: Experiment) -> Estimate:
    """Compile programs, train one block of each on every device for a short time, and scale up."""
    mesh = lane_mesh()
    plan = programs(experiment.cells, experiment.probes, experiment.track, experiment.seeds.data == "paired")
    check_memory(plan, len(experiment.seeds), mesh)
    table = LaneTable(experiment, plan)
    started = time.perf_counter()
    rates: list[float] = []
    memory, compiling = 0, 0.0
    checks: list[float] = []
    """Of each program, how often a block checks the loss, times the work of a check."""
    for (cells, _), program in zip(table.log_steps, plan, strict=True):
        width = block_width(program)
        memory = max(memory, mesh.size * width * block_count(program, width) * lane_bytes(program))
        work = width * program.check_every * program.n_parameters * (program.batch_size or program.n_examples)
        steps = sum(cell.settings.training.steps for cell in program.cells)
        checks.append(work * steps / program.check_every * -(-len(experiment.seeds) // (mesh.size * width)))
        if time.perf_counter() - started < ALL_TRIALS_SECONDS:
            # The width is given, so that it is not tried out whether the bits depend on the position, which may take longer than all else.
            pool = Pool(program, mesh, width)
            rates.append(_seconds_per_check(pool, table, program, cells) / work)
            compiling += pool.costs.compile_seconds
    usual = float(np.nanmean(rates)) if not np.isnan(rates).all() else np.nan
    known = [usual if np.isnan(rate) else rate for rate in rates] + [usual] * (len(plan) - len(rates))
    seconds = float(np.dot(checks, known))
    return Estimate(len(plan), len(rates), memory, seconds, compiling * len(plan) / len(rates))


def _seconds_per_check(pool: Pool, table: LaneTable, program: Program, cells: list[int]) -> float:
    """Seconds from one check of the loss to the next, with a block on every device; NaN if no lane makes a step."""
    # Lanes that start at random do not stop at once, as those that start at zero may.
    cell = next((one for one in cells if table.experiment.cells[one].settings.initializer.random), cells[0])
    count = min(pool.devices * pool.width, table.seeds)
    lanes = table.lanes(program, cell * table.seeds + np.arange(count))
    budget, checks = table.experiment.cells[cell].settings.training.steps, 1
    while True:
        steps = min(checks * program.check_every, budget)
        short = lanes.inputs._replace(
            budget=np.full_like(lanes.inputs.budget, steps), solved_below=np.full_like(lanes.inputs.solved_below, -np.inf)
        )
        before = pool.costs.run_seconds
        batches = list(pool.run(Lanes(lanes.ids, lanes.variant, short, lanes.logged), np.array([0])))
        seconds = pool.costs.run_seconds - before
        taken = max(int(batch.columns["step"].max()) for batch in batches)
        if seconds > TRIAL_SECONDS or taken < steps or steps == budget:
            return seconds * program.check_every / taken if taken else np.nan
        checks *= 4
