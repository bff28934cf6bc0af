"""The columns that a run's rows and curves will have, known before anything is trained."""

from collections.abc import Iterable

from bench.lane.program import programs
from bench.probes import breaking, probe
from bench.spec import COMMON, Cell, Experiment

ALWAYS = ("data_seed", "init_seed", "steps_to_solve", "steps_run", "learning_rate", "loss_initial", "loss_final")
"""Numeric columns of every cell, whatever is trained."""


class Columns:
    """What the rows and curves of each cell of an experiment have numbers in.

    Shapes alone are computed, once for all cells with the same task, model and arithmetic, and only of the probes that are asked about.
    """

    def __init__(self, experiment: Experiment, about: Iterable[str] | None = None) -> None:
        """`about`: of the probes, only those that columns of these names can belong to."""
        given = experiment.probes
        names = given if given is not None else [name for name in probe if not probe[name].traits.get("optional", False)]
        if about is not None:
            columns = tuple(about)
            names = [name for name in names if any(column.startswith(f"{name.rpartition(':')[2]}_") for column in columns)]
        maps = experiment.seeds.map
        self._probes, self._track = tuple(names), experiment.track
        self._always = {*ALWAYS, *((maps.x.path, maps.y.path) if maps else ())}
        self._single: set[str] = set()
        self._known: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def in_rows(self, cell: Cell, name: str) -> bool:
        """Whether the rows of a cell have such a column."""
        return name in self._always or name in self.of_rows(cell)

    def in_curves(self, cell: Cell, name: str) -> bool:
        """Whether the curves of a cell have such a column."""
        tracked = (one.rpartition(":")[2] for one in self._track)
        return name in ("step", "loss") or name in tracked and name in self._measured(cell)[1]

    def of_rows(self, cell: Cell) -> frozenset[str]:
        """Names of the cell's columns."""
        return self._measured(cell)[0]

    def _measured(self, cell: Cell) -> tuple[frozenset[str], frozenset[str]]:
        settings = cell.settings
        key = repr((settings.task, settings.model, settings.training.dtype))
        if key not in self._known:
            program = programs([cell], self._probes, self._track)[0]
            # A probe that gives one number does so for every model that it can look at; one that gives several is looked at anew.
            names = set(program.probes)
            if not names <= self._single:
                seen = set(program.measured)
                self._single |= names & seen
                names = seen - set(COMMON)
            found = {f"{name}_{when}" for name in (*names, "grad_norm") for when in ("initial", "final")}
            metric = program.task.loss.predicts
            test = program.data_shapes.test_x is not None
            found |= {*self._always, *(["metric_final"] if metric else []), *(["test_loss_final"] if test else [])}
            found |= {"test_metric_final"} if metric and test else set()
            found |= {"break_step"} if breaking(program.track) else set()
            self._known[key] = frozenset(found), frozenset(program.track)
        return self._known[key]
