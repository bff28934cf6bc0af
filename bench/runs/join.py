"""Run folders of one experiment joined into one: shards, runs on several machines, or folders of these."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from bench.lane.step import log_steps
from bench.messages import first_few
from bench.registry import trusting
from bench.runs.begin import begun_like, judge_by
from bench.runs.environment import now
from bench.runs.folder import RunFolder
from bench.runs.inventory import inventory_of
from bench.runs.manifest import Manifest, read_manifest
from bench.runs.merge import TakeOver
from bench.runs.numbering import Numbering
from bench.runs.resume import another
from bench.runs.rows import CURVE_SEEDS
from bench.runs.shards import shards_in
from bench.runs.spans import Spans
from bench.runs.stored import stored_experiment
from bench.spec import Experiment


@dataclass
class Joined:
    """The result of joining folders: counts of training runs, and the ones that are missing."""

    folder: Path
    """The run folder that now holds all of it."""
    experiment: Experiment
    folders: int
    """Number of folders that were joined."""
    there: int = 0
    """Number of training runs in the run folder."""
    again: dict[Path, int] = field(default_factory=dict)
    """Number of training runs of a folder that were there already, with the same rows to the last bit, where there are any."""
    missing: Spans = field(default_factory=lambda: Spans.between(0, 0))
    """Numbers of the training runs that no folder has, or whose curves none has."""
    faults: list[str] = field(default_factory=list)
    """Lines about parts of the folders that were missing or damaged."""

    @property
    def overlaps(self) -> list[str]:
        """How many training runs of each folder were there already, in words."""
        return [f"{count:,} of {source}" for source, count in self.again.items()]

    @property
    def gaps(self) -> list[str]:
        """How many training runs of each cell are missing, in words."""
        seeds = len(self.experiment.seeds)
        found = []
        for number, cell in enumerate(self.experiment.cells):
            if count := len(self.missing & Spans.between(number * seeds, (number + 1) * seeds)):
                axes = ", ".join(f"{axis} = {value}" for axis, value in cell.axes.items())
                found.append(f"{count:,} of cell {cell.id}" + (f" ({axes})" if axes else ""))
        return found


def join(folders: list[Path], out: Path, mixed: bool = False) -> Joined:
    """Join the rows of run folders of one experiment into `out/<name>`, which is begun, or gone on with.

    Nothing that the folders name is imported, and none of them is changed. With all training runs there, `out/<name>` ends with the files
    that one process would have left, else it stays incomplete. ValueError if a folder holds another experiment, if rows were made otherwise
    without `mixed`, or if two folders differ in the rows of a training run.
    """
    sources = run_folders(folders)
    manifests = {source: read_manifest(source) for source in sources}
    experiment = stored_experiment(sources[0], manifests[sources[0]])
    for source, manifest in manifests.items():
        _check_alike(source, manifest, experiment, sources[0])
    with RunFolder.locked(out / experiment.name) as store, trusting(()):
        if store.new:
            store.save(begun_like(manifests[sources[0]]))
        else:
            _check_alike(store.folder, store.manifest, experiment, sources[0])
        if not (store.folder / "experiment.toml").exists():
            judge_by(store, experiment)
        return _join(store, [source for source in sources if source.resolve() != store.folder.resolve()], experiment, mixed)


def _join(store: RunFolder, sources: list[Path], experiment: Experiment, mixed: bool) -> Joined:
    """Take over the rows of all sources; put them in order if nothing is missing then."""
    table = Stored(experiment)
    every = table.numbering.all
    joined = Joined(store.folder, experiment, len(sources), faults=inventory_of(store, table, every).faults)
    taking = TakeOver(store, table.numbering, mixed)
    for source in sources:
        taken = taking.take(source)
        if taken.again:
            joined.again[source] = taken.again
        joined.faults += taken.faults
    inventory = inventory_of(store, table, every)
    joined.there, joined.missing = len(inventory.done), inventory.missing
    if not inventory.missing and not inventory.whole:
        store.put_in_order(table.numbering.of)
        store.change(ended=now(), complete=True)
    return joined


@dataclass(frozen=True)
class Stored:
    """The facts about the lanes of an experiment that are known without making its programs."""

    experiment: Experiment

    @cached_property
    def numbering(self) -> Numbering:
        """The numbers of the lanes."""
        return Numbering([cell.id for cell in self.experiment.cells], self.experiment.seeds)

    @cached_property
    def log_steps(self) -> dict[int, np.ndarray]:
        """Steps at which curves are logged, by the number of the cell; with minibatches they depend on the number of examples."""
        cells = enumerate(self.experiment.cells)
        return {number: log_steps(1) for number, cell in cells if not cell.settings.training.batch_size}

    def logged(self, numbers: np.ndarray) -> np.ndarray:
        """Return whether the curve of each of these lanes is kept."""
        return self.numbering.below(numbers, CURVE_SEEDS)


def run_folders(folders: Iterable[Path]) -> list[Path]:
    """Return the folders with rows of run folders, their shards among them, or of the run folders in these folders, each once.

    The shards of a complete run are left out: their rows were taken over into it. ValueError if there is no run.
    """
    folders = list(folders)
    found: list[Path] = []
    for folder in folders:
        inside = [path for path in sorted(folder.glob("*/")) if not path.is_symlink()]
        found += _of_run(folder) or [one for path in inside for one in _of_run(path)]
    if not found:
        named = first_few(list(map(str, folders)))
        raise ValueError(f"{named}: no run here (a folder with run.json or shards, or a folder of such folders)")
    return list(dict.fromkeys(found))


def _of_run(folder: Path) -> list[Path]:
    found = [folder] if (folder / "run.json").exists() else []
    if found and _is_complete(folder):
        return found
    return found + [one for shard in shards_in(folder) if ((one := shard.folder(folder)) / "run.json").exists()]


def _is_complete(folder: Path) -> bool:
    try:
        return read_manifest(folder).complete
    except ValueError:
        return False


def _check_alike(source: Path, manifest: Manifest, experiment: Experiment, first: Path) -> None:
    """Raise ValueError if the manifest of a folder is not about the same training runs as the experiment of the first folder."""
    with trusting(()):
        differs = another(RunFolder(source, manifest), experiment)
    if not differs and manifest.lanes != experiment.lanes:
        differs = f"{manifest.lanes:,} training runs, not {experiment.lanes:,}"
    if manifest.experiment != experiment.name:
        differs = f"'{manifest.experiment}', not '{experiment.name}'"
    if differs:
        raise ValueError(f"{source}: holds another experiment than {first} ({differs})")
