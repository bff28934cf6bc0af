"""The planner: which programs an experiment compiles, which lanes they train, and whether both fit this machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from jax.sharding import Mesh

from bench.engine.layouts.costs import MIN_WIDTH, lane_bytes
from bench.hardware import Hardware
from bench.lane.grouping import programs
from bench.lane.program import Program
from bench.runs.memory import host_bytes
from bench.runs.rows import LaneTable
from bench.spec import Cell, Experiment
from bench.tasks.making import forget


@dataclass(frozen=True)
class Plan:
    """The programs of an experiment, in the order of its cells, and its lanes."""

    experiment: Experiment
    programs: list[Program]

    @cached_property
    def lanes(self) -> LaneTable:
        """All lanes of the experiment; made when first asked for, since every program is then traced."""
        return LaneTable(self.experiment, self.programs)

    @cached_property
    def training_hash(self) -> str:
        """Digest of what trains, as the experiment gives it."""
        return self.experiment.training_hash


def plan(experiment: Experiment) -> Plan:
    """Plan an experiment; ValueError if a cell cannot be built."""
    # Files that users' own functions read may have changed since the experiment was read.
    forget()
    paired = experiment.seeds.data == "paired"
    return Plan(experiment, programs(experiment.cells, experiment.probes, experiment.track, paired, experiment.ends))


def bare_programs(cells: Iterable[Cell]) -> list[Program]:
    """Return the programs of some cells without probes, to train or check a training run on its own; ValueError as from `plan`."""
    return programs(cells, (), ())


def check_memory(programs: Sequence[Program], mesh: Mesh) -> None:
    """Raise ValueError if the smallest pool of a program is larger than the memory of the devices."""
    device = mesh.devices.flat[0]
    host = host_bytes()
    is_host = Hardware.of(mesh).is_host
    available = host if is_host else (device.memory_stats() or {}).get("bytes_limit")
    for program in programs:
        needed = (mesh.size if is_host else 1) * MIN_WIDTH * lane_bytes(program)
        if available is not None and needed > available:
            raise ValueError(
                f"model '{program.cells[0].settings.model.name}' of {program.n_parameters:,} parameters: the fewest training runs that "
                f"stand side by side need {_gib(needed)} GiB, {'this machine' if is_host else device.device_kind} has {_gib(available)} GiB"
            )


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f}"
