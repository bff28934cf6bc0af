"""What a run will cost, from a short trial of each of its programs."""

from dataclasses import dataclass

import numpy as np

from bench.engine.devices import lane_mesh
from bench.engine.memory import check_memory
from bench.engine.pool import Pool
from bench.engine.program import programs
from bench.engine.width import lane_bytes
from bench.rows import LaneTable
from bench.spec import Experiment

TRIAL_STEPS = 200


@dataclass(frozen=True)
class Estimate:
    """Number of programs, bytes of all lane slots, and seconds of training if every lane spends its budget."""

    programs: int
    memory_bytes: int
    seconds: float


def estimate(experiment: Experiment) -> Estimate:
    """Compile every program, train one block per device for a few steps, and scale up."""
    mesh = lane_mesh()
    plan = programs(experiment.cells, experiment.probes, experiment.track, experiment.seeds.data == "paired")
    check_memory(plan, len(experiment.seeds), mesh)
    memory, seconds = 0, 0.0
    for program in plan:
        pool = Pool(program, mesh)
        memory = max(memory, mesh.size * pool.slots * lane_bytes(program))
        table = LaneTable(experiment, [program])
        cells = [experiment.cells.index(cell) for cell in program.cells]
        wanted = np.zeros((len(experiment.cells), len(experiment.seeds)), bool)
        wanted[cells[0], : mesh.size * pool.width] = True
        trial = table.lanes(program, cells, wanted)
        short = np.full_like(trial.inputs.budget, TRIAL_STEPS * program.check_every)
        trial = type(trial)(trial.ids, trial.variant, trial.inputs._replace(budget=short), trial.logged)
        list(pool.run(trial, np.array([0])))
        looks = sum(cell.settings.training.steps for cell in program.cells) / program.check_every
        passes = np.ceil(len(experiment.seeds) / (mesh.size * pool.width))
        seconds += pool.costs.run_seconds / TRIAL_STEPS * looks * passes
    return Estimate(len(plan), memory, seconds)
