"""The columns that the rows and curves of a run will have, known before anything is trained."""

from collections.abc import Iterable

from bench.lane.grouping import programs
from bench.lane.program import Program
from bench.piece_names import Named, name_of
from bench.probes import breaking, probe
from bench.spec import COMMON, ROW_COLUMNS, Cell, Experiment

ALWAYS = tuple(column.name for column in ROW_COLUMNS if column.type != "text" and column.source == "every run")
"""Numeric columns of every cell, whatever is trained."""


class Columns:
    """The numeric columns of the rows and curves of each cell of an experiment.

    Shapes alone are computed, once for all cells with the same task, model and arithmetic, and only for the probes that are asked about.
    """

    def __init__(self, experiment: Experiment, about: Iterable[str] | None = None) -> None:
        """`about`: names of columns, if only the probes that they can belong to are asked about."""
        given = experiment.probes
        wanted: Iterable[Named] = given if given is not None else [name for name in probe if not probe[name].traits.get("optional", False)]
        if about is not None:
            columns = tuple(about)
            wanted = [one for one in wanted if any(column.startswith(f"{name_of(one).rpartition(':')[2]}_") for column in columns)]
        maps = experiment.seeds.map
        self._probes, self._track, self._ends = tuple(wanted), experiment.track, experiment.ends
        ends = (column.name for column in ROW_COLUMNS if experiment.ends and column.source == "ends")
        self._always = {*ALWAYS, *((maps.x.path, maps.y.path) if maps else ()), *ends}
        self._single: set[str] = set()
        """Probes that are known to give one number."""
        self._known: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def in_rows(self, cell: Cell, name: str) -> bool:
        """Whether the rows of a cell have this column."""
        return name in self._always or name in self.of_rows(cell)

    def in_curves(self, cell: Cell, name: str) -> bool:
        """Whether the curves of a cell have this column."""
        tracked = (name_of(one).rpartition(":")[2] for one in self._track)
        return name in ("step", "loss") or name in tracked and name in self._measured(cell)[1]

    def of_rows(self, cell: Cell) -> frozenset[str]:
        """Return the names of the columns of a cell's rows."""
        return self._measured(cell)[0]

    def _measured(self, cell: Cell) -> tuple[frozenset[str], frozenset[str]]:
        """Return the columns of a cell's rows, and the probes that its curves have a column for."""
        settings = cell.settings
        key = repr((settings.task, settings.model, settings.training.dtype))
        if key not in self._known:
            program = programs([cell], self._probes, self._track, ends=self._ends)[0]
            # A probe that gives one number does so for every model that it can measure; others are traced for each model.
            names = set(program.probes)
            if not names <= self._single:
                seen = set(program.measured)
                self._single |= names & seen
                names = seen - set(COMMON)
            sources = _sources(program)
            found = {column.name for column in ROW_COLUMNS if column.type != "text" and column.source in sources}
            found |= {*self._always, *(f"{name}_{when}" for name in names for when in ("initial", "final"))}
            self._known[key] = frozenset(found), frozenset(program.track)
        return self._known[key]


def _sources(program: Program) -> set[str]:
    """Return the sources of columns, in the words of `Column.source`, that the training runs of a program have."""
    metric = program.task.loss.has_metric
    test = program.data_shapes.test_x is not None
    has = {"every run": True, "metric": metric, "test data": test, "metric and test data": metric and test}
    return {name for name, there in {**has, "tie spread": breaking(program.track) is not None}.items() if there}
