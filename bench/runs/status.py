"""How far the run folders of an experiment are, its shards among them, as their files tell it; nothing that they name is imported."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from bench.runs.join import run_folders
from bench.runs.manifest import Manifest, Part, read_manifest
from bench.runs.merge import ATTEMPTS
from bench.runs.numbering import Numbering
from bench.runs.parquet import LANE, read_bytes, read_table
from bench.runs.spans import Spans
from bench.runs.stored import stored_experiment


@dataclass(frozen=True)
class FolderStatus:
    """How far one folder is."""

    folder: str
    wanted: int
    """Number of training runs that the folder is to hold."""
    done: int
    solved: int
    whole: bool
    """Whether everything that the folder is to hold is there, in order and undamaged."""
    faults: list[str]
    """Lines about parts that are missing or damaged."""
    host: str | None
    """Name of the host that trained a shard last; None for other run folders."""
    age: float
    """Seconds since the manifest was written."""


@dataclass(frozen=True)
class Status:
    """How far an experiment is."""

    experiment: str
    lanes: int
    """Number of training runs of the whole experiment."""
    done: int
    """Number of different training runs that are there in any of the folders."""
    folders: list[FolderStatus]
    missing_shards: dict[int, str]
    """Numbers of the shards that are not whole, as Slurm's `--array` takes them, by the number of shards."""

    @property
    def solved(self) -> float | None:
        """Share of the rows in the folders whose training runs solved their task; None if there are no rows."""
        done = sum(one.done for one in self.folders)
        return sum(one.solved for one in self.folders) / done if done else None

    @property
    def faults(self) -> list[str]:
        """Lines about parts of the folders that are missing or damaged."""
        return [fault for one in self.folders for fault in one.faults]

    @property
    def ended(self) -> bool:
        """Whether nothing is missing and nothing is damaged."""
        return self.done == self.lanes and not self.faults and not any(self.missing_shards.values())


class _Seen(NamedTuple):
    """The contents of a part."""

    numbers: Spans
    solved: int
    fault: str | None


class _Found(NamedTuple):
    """A folder as it was found."""

    manifest: Manifest
    status: FolderStatus
    numbers: Spans


class Looker:
    """Looks at run folders, again and again; a part that was seen is only read again when its file has changed."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._seen: dict[tuple[Path, Part], tuple[object, _Seen]] = {}
        self._numberings: dict[tuple[str, int], Numbering] = {}

    def look(self) -> tuple[list[Status], list[str]]:
        """Return how far each experiment in the folders is, and what is wrong with manifests that cannot be read.

        ValueError if there is no run in the folders.
        """
        found: list[_Found] = []
        broken: list[str] = []
        for source in run_folders(self._folders):
            try:
                found.append(self._folder(source))
            except ValueError as error:
                broken.append(str(error))

        def key(one: _Found) -> tuple[str, str, int]:
            return one.manifest.experiment, one.manifest.spec_hash, one.manifest.lanes

        return [_status(list(same)) for _, same in groupby(sorted(found, key=key), key)], broken

    def _folder(self, folder: Path) -> _Found:
        """Return how far a folder is, which another process may be writing."""
        for _ in range(ATTEMPTS):
            manifest = read_manifest(folder)
            seen = [self._part(folder, manifest, part) for part in manifest.parts]
            faults = [one.fault for one in seen if one.fault]
            if not faults or read_manifest(folder).parts == manifest.parts:
                break
        status = FolderStatus(
            folder=str(folder),
            wanted=manifest.share.lanes if manifest.share else manifest.lanes,
            done=sum(len(one.numbers) for one in seen),
            solved=sum(one.solved for one in seen),
            whole=manifest.whole and not faults,
            faults=faults,
            host=manifest.share.host if manifest.share else None,
            age=max(time.time() - (folder / "run.json").stat().st_mtime, 0.0),
        )
        return _Found(manifest, status, Spans.joined(one.numbers for one in seen))

    def _part(self, folder: Path, manifest: Manifest, part: Part) -> _Seen:
        """Return what a part holds."""
        try:
            about = (folder / part.file).stat()
            state: object = (about.st_mtime_ns, about.st_size, about.st_ino)
        except OSError:
            state = None
        known = self._seen.get((folder, part))
        if known is None or known[0] != state:
            known = self._seen[folder, part] = (state, self._read(folder, manifest, part))
        return known[1]

    def _read(self, folder: Path, manifest: Manifest, part: Part) -> _Seen:
        nothing = Spans.between(0, 0)
        try:
            if part.kind != "lanes":
                read_bytes(folder, part)
                return _Seen(nothing, 0, None)
            table = read_table(folder, part).select([*LANE, "outcome"])
            numbers = self._numbering(folder, manifest).of(table.select(LANE).to_pandas())
            if (numbers < 0).any():
                return _Seen(nothing, 0, f"{folder / part.file}: has training runs that are not of its experiment")
            return _Seen(Spans.of(numbers), pc.sum(pc.equal(table["outcome"], "solved")).as_py() or 0, None)
        except (ValueError, KeyError, OSError) as error:
            return _Seen(nothing, 0, str(error))

    def _numbering(self, folder: Path, manifest: Manifest) -> Numbering:
        """Return the numbers of the training runs of an experiment, which are read once."""
        key = (manifest.spec_hash, manifest.lanes)
        if key not in self._numberings:
            self._numberings[key] = Numbering([cell.id for cell in manifest.cells], stored_experiment(folder, manifest).seeds)
        return self._numberings[key]


def _status(found: list[_Found]) -> Status:
    """Return how far an experiment is of which these are the folders."""
    first = found[0].manifest
    complete = any(one.manifest.complete for one in found)
    shares = [(one.manifest.share, one.status.whole) for one in found if one.manifest.share and not complete]
    whole = {(share.index, share.count) for share, is_whole in shares if is_whole}
    missing = {
        count: as_array([index for index in range(count) if (index, count) not in whole])
        for count in sorted({share.count for share, _ in shares})
    }
    done = len(Spans.joined(one.numbers for one in found))
    return Status(first.experiment, first.lanes, done, [one.status for one in found], missing)


def as_array(numbers: list[int]) -> str:
    """Return ascending numbers as Slurm's `--array` takes them, such as `0,3-5`."""
    spans = Spans.of(np.array(numbers, np.int64))
    edges = zip(spans.first.tolist(), spans.last.tolist(), strict=True)
    return ",".join(str(first) if last == first + 1 else f"{first}-{last - 1}" for first, last in edges)
