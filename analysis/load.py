"""Read a run folder, or the copy of its rows that a report keeps."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bench.engine.program import Program, programs
from bench.manifest import Manifest
from bench.records import read_manifest, read_rows
from bench.spec import Cell, Experiment, Span, wanted_labels


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
        """The unit that is independent of the others: the data seed where there are several.

        With one data set it is the init seed, since lanes of different cells share their draws; a deterministic initializer
        then gives a single observation, whatever the number of its rows.
        """
        if self.lanes["data_seed"].nunique() > 1:
            return self.lanes["data_seed"]
        random = {cell.id: cell.settings.initializer.random for cell in self.experiment.cells}
        return self.lanes["init_seed"].where(self.lanes["cell"].map(random), -1)

    @cached_property
    def programs(self) -> list[Program]:
        """What the lanes ran, without probes."""
        return programs(self.experiment.cells, (), ())

    def cell(self, identity: str) -> Cell:
        """The cell of this id."""
        return next(cell for cell in self.experiment.cells if cell.id == identity)


def load(folder: Path | str) -> Run:
    """Read one run; ValueError with one line if it is missing, broken, or not complete."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    try:
        experiment = Experiment.parse((folder / "experiment.toml").read_text(encoding="utf-8"), str(folder / "experiment.toml"))
    except OSError as error:
        raise ValueError(f"{folder / 'experiment.toml'}: cannot be read: {error.strerror}") from error
    if experiment.training_hash != manifest.spec_hash:
        raise ValueError(f"{folder / 'experiment.toml'}: changed after the run, its hash is not the one in run.json")
    if not manifest.complete:
        raise ValueError(f"{folder}: the run is not complete; 'initbench run' with the same arguments resumes it")
    lanes = read_rows(folder, manifest)
    if len(lanes) != manifest.lanes:
        raise ValueError(f"{folder}: {len(lanes)} rows, but run.json counts {manifest.lanes} lanes")
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
