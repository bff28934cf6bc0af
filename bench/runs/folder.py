"""The run folder: this module alone writes to one.

Parts are written whole (temporary file, fsync, rename) and listed in `run.json` with their checksums; a part that is not listed does not
exist. At its end a run puts its rows in order: by cell, data seed, init seed.
"""

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.runs.files import write_whole
from bench.runs.lock import locked
from bench.runs.manifest import Manifest, Part, is_manifest, read_repairable
from bench.runs.order import Numbers, slices
from bench.runs.parquet import LANE, Packed, packed, read_table
from bench.runs.provenance import differences
from bench.runs.record import PART_NAME

KINDS = ("lanes", "curves")
WRITTEN = re.compile(rf"\.?{PART_NAME}(\.[0-9]+)?")
"""Names of parts, and of the temporary files that they are written to."""


class RunFolder:
    """A run folder that this process writes to."""

    def __init__(self, folder: Path, manifest: Manifest | None) -> None:
        self.folder = folder
        self.known = manifest

    @classmethod
    @contextmanager
    def locked(cls, folder: Path, fresh: bool = False) -> Iterator["RunFolder"]:
        """Open a folder for writing; with `fresh` the run that it holds is removed first.

        ValueError if another process has it, if it or a folder in it is a link, or if its manifest is broken; OSError if it cannot be
        written.
        """
        for path in (folder, *(folder / kind for kind in KINDS)):
            if path.is_symlink():
                raise ValueError(f"{path}: is a link; a run is written into folders alone, so name the folder that it stands for")
        with locked(folder):
            store = cls(folder, None)
            if fresh:
                store.clear()
            if (folder / "run.json").exists():
                store.known = read_repairable(folder)
            yield store

    def clear(self) -> None:
        """Remove the run that is here: its manifest and parts, and nothing else."""
        path = self.folder / "run.json"
        if path.exists() and not is_manifest(path):
            raise ValueError(f"{path}: is no manifest of a run, so it is not removed; take another --out")
        self.known = None
        # The manifest goes first: a part that is not listed does not exist.
        path.unlink(missing_ok=True)
        self.remove_unlisted()

    @property
    def new(self) -> bool:
        """Whether nothing was run here yet."""
        return self.known is None

    @property
    def manifest(self) -> Manifest:
        """The manifest of a folder that is not new."""
        assert self.known is not None
        return self.known

    def save(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self.known = manifest
        write_whole(self.folder / "run.json", manifest.text.encode())

    def change(self, **changes: object) -> None:
        """Write the manifest with these fields changed."""
        self.save(self.manifest.changed(**changes))

    def write_experiment(self, text: str) -> None:
        """Write the experiment file."""
        write_whole(self.folder / "experiment.toml", text.encode())

    def intact(self, kind: str, columns: list[str]) -> Iterator[tuple[Part, pd.DataFrame | str]]:
        """Yield each listed part of a kind with these columns of its rows, or with a line that says why the part has to be given up.

        A part is given up if it is missing, or if it was read twice and was not as it was written. OSError if it cannot be read now: it may
        still be intact.
        """
        for part in self.known.parts if self.known else ():
            if part.kind == kind:
                try:
                    try:
                        table = read_table(self.folder, part)
                    except ValueError:
                        table = read_table(self.folder, part)
                    yield part, table.select(columns).to_pandas()
                except (ValueError, KeyError, FileNotFoundError) as error:
                    yield part, str(error)

    def give_up(self, parts: list[Part]) -> None:
        """Take parts off the list; their files stay until the run is whole again."""
        self.change(parts=[part for part in self.manifest.parts if part not in parts], **self.manifest.under_way)

    def rows(self, lanes: pd.DataFrame) -> pa.Table:
        """Return the stored rows of these training runs (columns LANE), in the same order."""
        wanted = lanes[LANE].assign(place=np.arange(len(lanes)))
        found: list[pa.Table] = []
        for part in self.manifest.parts:
            if part.kind == "lanes":
                table = read_table(self.folder, part)
                known = table.select(LANE).to_pandas().merge(wanted, how="left", on=LANE)["place"].to_numpy()
                here = np.flatnonzero(~np.isnan(known))
                found.append(table.take(pa.array(here)).append_column("place", pa.array(known[here])))
        return pa.concat_tables(found).sort_by("place").drop_columns("place")

    def keep(self, kept: Callable[[pd.DataFrame], np.ndarray]) -> None:
        """Rewrite the parts so that only rows and curves are left of training runs (columns LANE) for which `kept` says so."""
        parts: list[Part] = []
        for part in self.manifest.parts:
            table = read_table(self.folder, part)
            known = kept(table.select(LANE).to_pandas())
            if known.all():
                parts.append(part)
            elif known.any():
                parts.append(self._write(part.kind, table.filter(pa.array(known)), part.provenance))
        self.change(parts=parts, **self.manifest.under_way)

    def append(self, rows: Iterable[tuple[str, pa.Table | Packed]], made: tuple[str, ...], **changes: object) -> None:
        """Add rows, with the kind of each table, as new parts, and list all of them at once."""
        parts = [self._write(kind, some, made) for kind, some in rows if isinstance(some, Packed) or len(some)]
        known = {part.file for part in parts}
        self.change(parts=[*(part for part in self.manifest.parts if part.file not in known), *parts], **changes)

    def put_in_order(self, numbers: Numbers) -> None:
        """Rewrite the parts in the order of the numbers of their training runs; the same rows then give the same files.

        Rows of provenances that differ in what can change bits stay in parts of their own, one provenance after the other.
        FileNotFoundError or ValueError if a part is gone, or not as it was written.
        """
        parts: list[Part] = []
        for kind in KINDS:
            first = 0
            for alike in _alike(self.manifest):
                old = [part for part in self.manifest.parts if part.kind == kind and part.provenance[0] in alike]
                made = tuple(dict.fromkeys(name for part in old for name in part.provenance))
                parts += self._write_slices(kind, slices(self.folder, old, numbers), made, first)
                first = sum(part.kind == kind for part in parts)
        self.change(parts=parts)
        self.remove_unlisted()

    def _write_slices(self, kind: str, rows: Iterator[pa.Table], made: tuple[str, ...], number: int) -> Iterator[Part]:
        """Write tables as parts, which are numbered from `number` on, a few of them at a time."""
        at_once = os.cpu_count() or 1
        writing: deque[Future[Part]] = deque()
        with ThreadPoolExecutor(at_once) as threads:
            for place, table in enumerate(rows, number):
                writing.append(threads.submit(self._write, kind, table, made, f"{place:06d}-"))
                if len(writing) > at_once:
                    yield writing.popleft().result()
            for part in writing:
                yield part.result()

    def remove_unlisted(self) -> None:
        """Remove the files of parts that are not listed; other files, and links, stay."""
        listed = {part.file for part in self.known.parts} if self.known else set()
        for kind in KINDS:
            for path in (self.folder / kind).glob("*part-*"):
                ours = WRITTEN.fullmatch(path.name) and path.is_file() and not path.is_symlink()
                if ours and f"{kind}/{path.name}" not in listed:
                    path.unlink(missing_ok=True)

    def _write(self, kind: str, rows: pa.Table, made: tuple[str, ...], prefix: str = "") -> Part:
        content, count = rows if isinstance(rows, Packed) else packed(rows)
        checksum = hashlib.sha256(content).hexdigest()
        # A part is named by its content, so that a new one never overwrites a listed one.
        file = f"{kind}/part-{prefix}{checksum[:12]}.parquet"
        write_whole(self.folder / file, content)
        return Part(file=file, rows=count, sha256=checksum, provenance=made)


def _alike(manifest: Manifest) -> list[list[str]]:
    """Group the ids of the provenances in use by what can change bits."""
    groups: list[list[str]] = []
    for provenance in manifest.in_use:
        known = next((group for group in groups if not differences(manifest.provenance[group[0]], provenance)), None)
        if known is None:
            groups.append([provenance.id])
        else:
            known.append(provenance.id)
    return groups
