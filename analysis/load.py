"""Read a run folder, or the copy of its rows that a report keeps."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bench.engine.program import Program, programs
from bench.records import Manifest, read_manifest, read_rows
from bench.spec import Cell, Experiment, Span, wanted_labels
from bench.tasks import task
from bench.tasks.definition import Task

ONE_DRAW = -1
"""Stands for a draw that all rows share."""


@dataclass(frozen=True)
class Run:
    """What one experiment left behind: its file, manifest, rows and curves."""

    folder: Path
    experiment: Experiment
    manifest: Manifest
    lanes: pd.DataFrame
    curves: pd.DataFrame

    @cached_property
    def clusters(self) -> pd.Series:
        """The unit that is independent of the others, per row: what was drawn, as `drawn` says."""
        return drawn(self, self.lanes)

    @cached_property
    def judges(self) -> pd.Series:
        """Which rows judge what was chosen on the others: those of every second cluster, on all sides of a comparison alike."""
        seeds = "data_seed" if self.data_sets > 1 else "init_seed"
        return self.lanes[seeds] % 2 == 1

    @cached_property
    def data_sets(self) -> int:
        """How many data sets were drawn; 1 if the tasks ignore their data seed."""
        fixed = all(task is not None and not task.seeded for task in self.tasks.values())
        return 1 if fixed else int(self.lanes["data_seed"].nunique())

    @cached_property
    def tasks(self) -> dict[str, Task | None]:
        """The task of each cell by its id; None if it is a user's own, whose module a reader does not import."""
        specs = {cell.id: cell.settings.task for cell in self.experiment.cells}
        return {identity: task[spec.name].bind(spec.options)() if spec.name in task else None for identity, spec in specs.items()}

    @cached_property
    def programs(self) -> list[Program]:
        """What the lanes ran, without probes."""
        return programs(self.experiment.cells, (), ())

    def cell(self, identity: str) -> Cell:
        """The cell of this id."""
        return next(cell for cell in self.experiment.cells if cell.id == identity)


def drawn(run: Run, rows: pd.DataFrame) -> pd.Series:
    """Per row the draw that it belongs to; rows of one draw are one observation.

    The data seed where there are several data sets; with one data set the init seed, since lanes of different cells share their draws.
    `ONE_DRAW` where nothing differs but the cell: a deterministic start on one data set, and the points of a map, which share data and
    initial weights.
    """
    if run.experiment.seeds.map is not None:
        return pd.Series(ONE_DRAW, rows.index)
    if run.data_sets > 1 and rows["data_seed"].nunique() > 1:
        return rows["data_seed"]
    random = {cell.id: cell.settings.initializer.random for cell in run.experiment.cells}
    return rows["init_seed"].where(rows["cell"].map(random), ONE_DRAW)


def drawn_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The draws of pairs of rows with the same seeds: a pair is one draw with another if neither of its rows differs."""
    return np.where(first == ONE_DRAW, second, first)


def load(folder: Path | str) -> Run:
    """Read one run; ValueError with one line if it is missing, broken, or not complete."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    try:
        experiment = Experiment.parse((folder / "experiment.toml").read_text(), str(folder / "experiment.toml"))
    except OSError as error:
        raise ValueError(f"{folder / 'experiment.toml'}: cannot be read: {error.strerror}") from error
    if experiment.hash != manifest["spec_hash"]:
        raise ValueError(f"{folder / 'experiment.toml'}: changed after the run, its hash is not the one in run.json")
    if not manifest["complete"]:
        raise ValueError(f"{folder}: the run is not complete; 'initbench run' with the same arguments resumes it")
    lanes = read_rows(folder, manifest)
    if len(lanes) != manifest["lanes"]:
        raise ValueError(f"{folder}: {len(lanes)} rows, but run.json counts {manifest['lanes']} lanes")
    return Run(folder, experiment, manifest, typed(lanes, experiment), read_rows(folder, manifest, "curves"))


def typed(lanes: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows with each axis as an ordered category, in the order of the grid; a report keeps the axes as text."""
    for axis, values in experiment.axes.items():
        if not pd.api.types.is_numeric_dtype(lanes[axis]):
            numbers = {str(float(value)): value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
            lanes[axis] = lanes[axis].map({**numbers, **{str(value): value for value in values}})
        lanes[axis] = pd.Categorical(lanes[axis], list(dict.fromkeys(values)), ordered=True)
    return lanes


def matching(lanes: pd.DataFrame, experiment: Experiment, where: dict[str, object]) -> np.ndarray:
    """Which rows a `where` of the experiment file asks for."""
    mask = np.ones(len(lanes), bool)
    for axis, wanted in where.items():
        if axis in experiment.axes:
            mask &= lanes[axis].isin(wanted_labels(wanted, experiment.axes[axis])).to_numpy()
        else:
            span = Span.model_validate(wanted)
            mask &= lanes[axis].between(span.at_least, span.at_most).to_numpy()
    return mask


def find_runs(folders: list[Path]) -> list[Path]:
    """Run folders among these, or in them; ValueError if there is none."""
    found: list[Path] = []
    for folder in folders:
        if (folder / "run.json").exists():
            found.append(folder)
        else:
            found += sorted(path.parent for path in folder.glob("*/run.json"))
    if not found:
        raise ValueError(f"{', '.join(map(str, folders))}: no run here (a folder with run.json, or a folder of such folders)")
    return found
