"""The cost of a run, estimated from a short trial of its programs."""

import time
from dataclasses import dataclass

import numpy as np

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
ALL_TRIALS_SECONDS = 20.0
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
    """Seconds of training if every training run spends its budget; NaN if no training run of the trial made a step."""
    compile_seconds: float


def estimate(experiment: Experiment) -> Estimate:
    """Compile programs, train one block of each on every device for a short time, and scale up.

    ValueError if a cell cannot be built or the run does not fit this machine.
    """
    mesh = lane_mesh()
    hardware = Hardware.of(mesh)
    planned = plan(experiment)
    check_memory(planned.programs, len(experiment.seeds), mesh)
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
        passes = -(-len(experiment.seeds) // (mesh.size * width))
        steps = sum(cell.settings.training.steps for cell in program.cells)
        work.append(passes * width * steps * program.n_parameters * (program.batch_size or program.n_examples))
        if not seconds or time.perf_counter() - started < ALL_TRIALS_SECONDS:
            # With a given width the pool does not test whether the bits depend on the position, which may take longer than all else.
            pool = Pool(program, mesh, width)
            each, beside = _trial(pool, table, program, cells)
            seconds.append(passes * (steps * each + len(cells) * beside))
            compiling += pool.costs.compile_seconds
    rates = np.array(seconds) / work[: len(seconds)]
    usual = float(np.nanmean(rates)) if not np.isnan(rates).all() else np.nan
    known = [usual if np.isnan(rate) else rate for rate in rates] + [usual] * (len(work) - len(rates))
    return Estimate(len(work), len(seconds), memory, float(np.dot(work, known)), compiling * len(work) / len(seconds))


def _trial(pool: Pool, table: LaneTable, program: Program, cells: list[int]) -> tuple[float, float]:
    """Measure the seconds of one step with a block on every device, and of the start and end of such a block; NaN if no lane steps."""
    # Lanes that start at random do not stop at once, as those that start at zero may.
    cell = next((one for one in cells if table.experiment.cells[one].settings.initializer.random), cells[0])
    count = min(pool.devices * pool.width, table.seeds)
    lanes = table.lanes(program, cell * table.seeds + np.arange(count))
    budget = table.experiment.cells[cell].settings.training.steps
    endless = lanes.inputs._replace(solved_below=np.full_like(lanes.inputs.solved_below, -np.inf))

    def trained(steps: int) -> tuple[float, int]:
        """Return the seconds of this many steps, and the most steps that a lane made."""
        before = pool.costs.run_seconds
        inputs = endless._replace(budget=np.full_like(endless.budget, steps))
        batches = list(pool.run(Lanes(lanes.ids, lanes.variant, inputs, lanes.logged), np.array([0])))
        return pool.costs.run_seconds - before, max(int(batch.columns["step"].max()) for batch in batches)

    least = min(program.check_every, FIRST_STEPS)
    first, taken = trained(min(least, budget))
    seconds, most = first, taken
    while seconds < TRIAL_SECONDS + first and most < budget:
        steps = min(4 * max(most, least), budget)
        seconds, most = trained(steps)
        if most < steps:
            break
    if most == 0:
        return np.nan, np.nan
    # The cost of a block beside its steps follows from two trials of different length.
    each = max(seconds - first, 0.0) / (most - taken) if most > taken else seconds / most
    return each, max(seconds - each * most, 0.0)
