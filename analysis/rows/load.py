"""A run as data: read from its folder, or from the copy of its rows that a report keeps, and checked."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd

from analysis.stats.intervals import distinct
from bench.messages import one_line
from bench.registry import trusted_by, untrusted
from bench.runs.at_rest import at_rest
from bench.runs.contents import ENDS, OUTCOMES, check_columns, check_curves, check_lanes, ended_curves
from bench.runs.manifest import Manifest, read_manifest
from bench.runs.parquet import LANE, read_rows
from bench.runs.starts import Starts
from bench.runs.storage import place
from bench.runs.stored import stored_experiment
from bench.spec import Cell, Claim, Experiment, Span, wanted_labels
from bench.tasks import task
from bench.tasks.definition import Task

P = ParamSpec("P")
T = TypeVar("T")
ONE_DRAW = -1
"""Number of a draw that all rows share."""


@dataclass(frozen=True)
class Run:
    """The file, manifest, rows and curves of one experiment."""

    folder: Path
    experiment: Experiment
    manifest: Manifest
    lanes: pd.DataFrame
    curves: pd.DataFrame
    trust: frozenset[str] = frozenset()
    """Modules that the user trusts although the folder names them."""

    @cached_property
    def draws(self) -> dict[str, bool]:
        """Whether two init seeds of a cell give two different starts, by the id of the cell.

        The manifest says so for code that is not the package's own. Starts do not differ where all rows of a data set are the same from
        start to end: the draw was overwritten, or there was only one.
        """
        own = [cell for cell in self.experiment.cells if not any(cell.settings.foreign())]
        foreign = {record.id: record.draws for record in self.manifest.cells} if len(own) < len(self.experiment.cells) else {}
        said = {**foreign, **{cell.id: cell.settings.initializer.random for cell in own}}
        cells = self.lanes["cell"].iloc[1:]
        # Rows with the same data stand together, and are the same if each is the same as the one before it.
        beside = ~np.any([_differs(self.lanes[name]) for name in ("cell", *(["data_seed"] if self.data_sets > 1 else []))], axis=0)
        several: set[str] = set(cells[beside].unique())
        differ: set[str] = set()
        for name in ["params_digest", *(name for name in self.lanes if str(name).endswith("_initial"))]:
            if name in self.lanes and differ < several:
                differ |= set(cells[beside & _differs(self.lanes[name])].unique())
        return {cell: draws and (cell in differ or cell not in several) for cell, draws in said.items()}

    @cached_property
    def seeded(self) -> dict[str, bool]:
        """Whether two data seeds of a cell give two different data sets, by the id of the cell.

        For a user's own task the manifest says so; where it does not, they are assumed to differ.
        """
        said = {record.id: record.seeded is not False for record in self.manifest.cells} if None in self.tasks.values() else {}
        return {cell: said[cell] if task is None else task.seeded for cell, task in self.tasks.items()}

    @cached_property
    def resampled(self) -> dict[str, bool]:
        """Whether every data seed of a cell draws from one fixed data set, by the id of the cell; the manifest says so as for `seeded`."""
        said = {record.id: record.resamples for record in self.manifest.cells} if None in self.tasks.values() else {}
        return {cell: said[cell] if task is None else task.resamples for cell, task in self.tasks.items()}

    @cached_property
    def clusters(self) -> pd.Series:
        """The number of each row's draw, as `drawn` gives it; rows of different draws are independent."""
        return drawn(self, self.lanes)

    @cached_property
    def judges(self) -> pd.Series:
        """The rows that judge a choice made on the other rows: those of every second cluster, on all sides of a comparison alike."""
        seeds = "data_seed" if self.data_sets > 1 else "init_seed"
        return self.lanes[seeds] % 2 == 1

    @cached_property
    def data_sets(self) -> int:
        """Number of data sets that were drawn; 1 if the tasks ignore their data seed."""
        return distinct(self.lanes["data_seed"].to_numpy()) if any(self.seeded.values()) else 1

    @cached_property
    def tasks(self) -> dict[str, Task | None]:
        """The task of each cell by its id; None if a reader neither imports nor opens it: a user's own task or loss, a file."""
        foreign = {
            cell.id: cell.settings.task.data is not None or any(kind.partition(".")[0] == "task" for kind, _ in cell.settings.foreign())
            for cell in self.experiment.cells
        }
        specs = {cell.id: cell.settings.task for cell in self.experiment.cells}
        return {identity: None if foreign[identity] else task[spec.name].bind(spec.options)() for identity, spec in specs.items()}

    @property
    def edited_since(self) -> bool:
        """Whether claims or laws were changed after the first row was made."""
        return self.experiment.judging_hash != self.manifest.judges_hash

    def edited(self, claim: Claim) -> str:
        """Say when and why the criterion of a claim was changed after the first row was made; empty if it was not.

        The claim's own words are taken where it has any. A change that the folder has no record of is not noticed.
        """
        kept = self.manifest.criteria
        if claim.edited or kept is None or kept.get(claim.id) == self.experiment.criteria[claim.id]:
            return claim.edited or ""
        return f"{'changed' if claim.id in kept else 'added'} after training runs existed"

    def confirmed(self, claim: Claim) -> bool:
        """Tell whether a criterion that had been changed stood in the file before these rows, on seeds that no earlier report used."""
        kept = self.manifest.criteria or {}
        return bool(claim.edited) and self.experiment.seeds.first > 0 and kept.get(claim.id) == self.experiment.criteria[claim.id]

    @property
    def share_done(self) -> float:
        """Share of the experiment's training runs that have ended; 1 for a complete run."""
        return 1.0 if self.manifest.complete else len(self.lanes) / self.manifest.lanes

    @property
    def interim(self) -> str:
        """The mark of whatever is made of an incomplete run, such as 'interim: 41% of runs'; empty for a complete run."""
        percent = 100 * self.share_done
        share = f"{percent:.2g}" if percent < 99 else f"{min(percent, 99.9):.1f}"
        return "" if self.manifest.complete else f"interim: {share}% of runs"

    @cached_property
    def starts(self) -> Starts:
        """The starts of the training runs of those cells whose code and data are the package's own or trusted."""
        return Starts([cell for cell in self.experiment.cells if self._opaque(cell) is None])

    def reading(self, *columns: str) -> pd.DataFrame:
        """Return the rows with these columns, as far as there are such, besides axes, seeds and outcomes.

        Whoever selects rows of it does not copy the columns that it does not read.
        """
        wanted = {*LANE, "outcome", *self.experiment.axes, *columns}
        return self.lanes[[name for name in self.lanes if name in wanted]]

    def cell(self, identity: str) -> Cell:
        """Return the cell of this id."""
        return next(cell for cell in self.experiment.cells if cell.id == identity)

    def check_trusted(self, cells: Iterable[Cell]) -> None:
        """Raise ValueError with one line if one of these cells needs a module or data that the folder names and the user does not trust."""
        for cell in cells:
            if piece := self._opaque(cell):
                raise ValueError(f"{self.folder}: {untrusted(*piece)}")

    def _opaque(self, cell: Cell) -> tuple[str, str] | None:
        """Return kind and name of the first piece, or of the data, of a cell that the user does not trust; None if there are none."""
        data = cell.settings.task.data
        pieces = (*cell.settings.foreign(), *([(f"data of task '{cell.settings.task.name}'", data)] if data is not None else []))
        return next((piece for piece in pieces if trusted_by(piece[1]) not in self.trust), None)


def _differs(column: pd.Series) -> np.ndarray:
    """Return whether each value but the first differs from the one before it; two nulls do not differ."""
    later, earlier = column.iloc[1:].array, column.iloc[:-1].array
    return np.asarray(later != earlier, bool) & ~(later.isna() & earlier.isna())


def drawn(run: Run, rows: pd.DataFrame) -> pd.Series:
    """Return the draw that each row belongs to; rows of one draw are one observation.

    The draw is the data seed where there are several data sets, and with one data set the init seed, since training runs of different
    cells share their draws. It is `ONE_DRAW` where nothing differs but the cell: a deterministic start on one data set. The points of a map
    share data and initial weights, which the data seed draws.
    """
    if run.experiment.seeds.map is not None:
        return rows["data_seed"] if rows["data_seed"].nunique() > 1 else pd.Series(ONE_DRAW, rows.index)
    if run.data_sets > 1 and rows["data_seed"].nunique() > 1:
        return rows["data_seed"]
    return rows["init_seed"].where(rows["cell"].map(run.draws).astype(bool), ONE_DRAW)


def drawn_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the draws of pairs of rows with the same seeds: two pairs are one draw if neither of their rows differs."""
    return np.where(first == ONE_DRAW, second, first)


def load(folder: Path | str, trust: Iterable[str] = (), interim: bool = False) -> Run:
    """Read one run; ValueError with one line if it is missing, broken, not complete, or not what its experiment can give.

    Nothing that the folder names is imported, except the modules in `trust`. With `interim` a run that is not complete is read as well,
    with the training runs that have ended.
    """
    folder = place(folder)
    manifest = read_manifest(folder)
    experiment = stored_experiment(folder, manifest, trust)
    if not manifest.complete and not interim:
        raise ValueError(f"{folder}: the run is not complete; 'initbench run' with the same arguments resumes it")
    try:
        lanes, curves = read_rows(folder, manifest), read_rows(folder, manifest, "curves")
    except OSError as error:
        raise ValueError(str(error)) from error
    if lanes.empty:
        raise ValueError(f"{folder}: no training run has ended yet")
    try:
        check_columns(experiment, manifest, lanes, curves)
        lanes = typed(lanes, experiment)
        if not manifest.complete or manifest.mixed:
            # These rows stand in the order in which they were made, or one provenance after the other.
            position = {cell.id: number for number, cell in enumerate(experiment.cells)}
            keys = lanes[LANE].assign(cell=lanes["cell"].map(position).astype(float))
            order = np.lexsort([keys[name] for name in reversed(LANE)])
            # Column by column, so that the rows are not twice in memory.
            lanes = pd.DataFrame({name: at_rest(lanes.pop(name).array.take(order)) for name in list(lanes)}, copy=False)
            curves = ended_curves(lanes, curves) if len(curves) else curves
        check_lanes(experiment, lanes, manifest.complete)
        check_curves(experiment, manifest, lanes, curves)
    except ValueError as error:
        raise ValueError(one_line(f"{folder}: {error}")) from error
    # Outcomes of two runs can be compared only as categories of one type.
    lanes["outcome"] = lanes["outcome"].cat.set_categories(sorted(OUTCOMES))
    if "end" in lanes:
        lanes["end"] = lanes["end"].cat.set_categories(["solved", *ENDS, "diverged"])
    return Run(folder, experiment, manifest, lanes, curves, frozenset(trust))


def naming_missing_columns(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function of a folder that tells a column that the rows do not have in one line (ValueError)."""

    @wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except KeyError as error:
            # Any other missing key is a fault of the program.
            if not re.search("_(initial|final|step)$", str(error.args[0])):
                raise
            raise ValueError(f"{arguments[0]}: the rows have no column '{error.args[0]}'") from error

    return guarded


def typed(lanes: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Return rows with each axis as an ordered category, in the order of the grid; a report keeps the axes as text."""
    for axis, values in experiment.axes.items():
        if not pd.api.types.is_numeric_dtype(lanes[axis]):
            numbers = {str(float(value)): value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
            lanes[axis] = lanes[axis].map({**numbers, **{str(value): value for value in values}})
        lanes[axis] = pd.Categorical(lanes[axis], list(dict.fromkeys(values)), ordered=True)
    return lanes


def matching(lanes: pd.DataFrame, experiment: Experiment, where: dict[str, object]) -> np.ndarray:
    """Return which rows a `where` of the experiment file asks for."""
    mask = np.ones(len(lanes), bool)
    for axis, wanted in where.items():
        if axis in experiment.axes:
            mask &= lanes[axis].isin(wanted_labels(wanted, experiment.axes[axis])).to_numpy()
        else:
            span = Span.model_validate(wanted)
            mask &= lanes[axis].between(span.at_least, span.at_most).to_numpy()
    return mask


def find_runs(folders: list[Path]) -> list[Path]:
    """Return the run folders among these folders, or in them; ValueError if there is none."""
    found: list[Path] = []
    for folder in folders:
        if (folder / "run.json").exists():
            found.append(folder)
        else:
            found += sorted(path.parent for path in folder.glob("*/run.json"))
    if not found:
        raise ValueError(f"{', '.join(map(str, folders))}: no run here (a folder with run.json, or a folder of such folders)")
    return found
