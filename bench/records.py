"""Rows and manifest on disk: the only writer of a run folder.

Parts are written whole (temporary file, fsync, rename) and listed in `run.json` with their checksum; a part that is not listed
does not exist. A run that ends puts its rows in order: by cell, data seed, init seed.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from bench.manifest import SCHEMA_VERSION, Manifest, Part
from bench.messages import explain

ROWS_PER_PART = 1 << 17
LANE = ["cell", "data_seed", "init_seed"]
STEPS_OR_NULL = ("steps_to_solve", "break_step")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; OSError names the file, also where it is a link: none is written through."""
    if path.is_symlink():
        raise OSError(f"{path}: is a link; nothing is written through links")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file of this name can only be left over from a process that was killed.
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_manifest(folder: Path) -> Manifest:
    """`run.json` of a run folder; ValueError with one line if there is none or it is broken."""
    path = folder / "run.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no run here (run.json is missing)") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path}: schema_version = {version!r}; this version reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, Manifest)}") from error


def read_part(folder: Path, part: Part) -> pd.DataFrame:
    """Rows of one listed part; ValueError with one line if it is missing or not as it was written."""
    return as_frame(_read_table(folder, part))


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as the analysis takes them."""
    frame = rows.to_pandas()
    return frame.astype({name: "Int64" for name in STEPS_OR_NULL if name in frame})


def _read_table(folder: Path, part: Part) -> pa.Table:
    path = folder / part.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise ValueError(f"{path}: corrupt, its sha256 is not the one in run.json")
    return pq.read_table(pa.BufferReader(content))


def read_rows(folder: Path, manifest: Manifest, kind: str = "lanes") -> pd.DataFrame:
    """All rows of a kind (`lanes` or `curves`), in the order of the parts."""
    frames = [read_part(folder, part) for part in manifest.parts if part.kind == kind]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


class RunFolder:
    """A run folder that this process writes to."""

    def __init__(self, folder: Path, manifest: Manifest | None) -> None:
        self.folder = folder
        self.known = manifest

    @classmethod
    @contextmanager
    def locked(cls, folder: Path) -> Iterator["RunFolder"]:
        """Open a folder for writing; ValueError if another process has it, OSError if it cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / ".lock").open("w")
        except OSError as error:
            raise OSError(f"{folder}: cannot be written: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ValueError(f"{folder}: another process is writing this run") from error
            manifest = read_manifest(folder) if (folder / "run.json").exists() else None
            yield cls(folder, manifest)

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
        fields = {name: getattr(self.manifest, name) for name in Manifest.model_fields}
        self.save(Manifest(**{**fields, **changes}))

    def write_experiment(self, text: str) -> None:
        write_whole(self.folder / "experiment.toml", text.encode())

    def intact(self) -> tuple[pd.DataFrame, list[str]]:
        """Rows of all parts that are as they were written, and a line for each part that is not (and is given up)."""
        if self.known is None:
            return pd.DataFrame(columns=LANE), []
        kept, frames, faults = [], [], []
        for part in self.known.parts:
            try:
                frame = read_part(self.folder, part)
            except ValueError as error:
                faults.append(str(error))
                continue
            kept.append(part)
            if part.kind == "lanes":
                frames.append(frame)
        if faults:
            self.change(parts=kept, complete=False)
        self._remove_unlisted()
        return (pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=LANE)), faults

    def append(self, lanes: pa.Table, curves: pa.Table, provenance: str, **changes: object) -> None:
        """Add rows as new parts and list them."""
        # Curves first: a lane that is listed has its curve.
        parts = [self._write("curves", curves, (provenance,))] if len(curves) else []
        parts.append(self._write("lanes", lanes, (provenance,)))
        self.change(parts=[*self.manifest.parts, *parts], **changes)

    def put_in_order(self, order: list[str]) -> None:
        """Rewrite the parts in the order of the cells and seeds; the same rows then give the same files."""
        parts: list[Part] = []
        for kind in ("lanes", "curves"):
            old = [part for part in self.manifest.parts if part.kind == kind]
            if not old:
                continue
            made = tuple(dict.fromkeys(name for part in old for name in part.provenance))
            tables = [_read_table(self.folder, part) for part in old]
            rows = pa.concat_tables(tables).combine_chunks()
            names = ["data_seed", "init_seed", *(["step"] if kind == "curves" else [])]
            keys = [pc.index_in(rows["cell"], pa.array(order, rows["cell"].type)).to_numpy(), *(rows[name].to_numpy() for name in names)]
            places = np.lexsort(keys[::-1])
            # A lane that was cut off and ran again has left the beginning of its curve twice.
            fresh = np.any([np.diff(key[places], prepend=-1) != 0 for key in keys], axis=0)
            parts += self._write_slices(kind, rows, places[fresh], made)
        self.change(parts=parts)
        self._remove_unlisted()

    def _write_slices(self, kind: str, rows: pa.Table, places: np.ndarray, made: tuple[str, ...]) -> Iterator[Part]:
        """Rows in this order as parts."""

        def write(first: int) -> Part:
            return self._write(kind, rows.take(pa.array(places[first : first + ROWS_PER_PART])), made, f"{first // ROWS_PER_PART:06d}-")

        with ThreadPoolExecutor(os.cpu_count()) as at_once:
            yield from at_once.map(write, range(0, len(places), ROWS_PER_PART))

    def _remove_unlisted(self) -> None:
        listed = {part.file for part in self.known.parts} if self.known else set()
        for kind in ("lanes", "curves"):
            for path in (self.folder / kind).glob("*part-*"):
                if f"{kind}/{path.name}" not in listed:
                    path.unlink(missing_ok=True)

    def _write(self, kind: str, rows: pa.Table, made: tuple[str, ...], prefix: str = "") -> Part:
        content = parquet_bytes(rows)
        checksum = hashlib.sha256(content).hexdigest()
        # Named by its content, so that a new part never overwrites a listed one.
        file = f"{kind}/part-{prefix}{checksum[:12]}.parquet"
        write_whole(self.folder / file, content)
        return Part(file=file, rows=len(rows), sha256=checksum, provenance=made)


def parquet_bytes(rows: pd.DataFrame | pa.Table) -> bytes:
    """Rows as one zstd parquet file, NaN as null; the same rows give the same bytes.

    Numbers that hardly repeat are smallest byte by byte, and digests as they are (a quarter less than all in dictionaries)."""
    sink = pa.BufferOutputStream()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    repeating = [name for name in table.column_names if name not in (*floats, "params_digest")]
    pq.write_table(table, sink, compression="zstd", use_dictionary=repeating, use_byte_stream_split=floats)
    return sink.getvalue().to_pybytes()
