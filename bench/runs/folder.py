"""Rows and manifest on disk: the only writer of a run folder.

Parts are written whole (temporary file, fsync, rename) and listed in `run.json` with their checksum; a part that is not listed
does not exist. A run that ends puts its rows in order: by cell, data seed, init seed.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from bench.messages import explain, one_line, shown
from bench.runs.files import read_inside
from bench.runs.manifest import SCHEMA_VERSION, Manifest, Part, differences

ROWS_PER_PART = 1 << 17
LANE = ["cell", "data_seed", "init_seed"]
STEPS_OR_NULL = ("steps_to_solve", "break_step")
MOST_MANIFEST = 1 << 28
"""Bytes of a manifest that is read."""
BYTES_PER_VALUE, BYTES_PER_TEXT, BYTES_BESIDE = 64, 1024, 1 << 26
"""Most memory that a part may take: for each value as it is stored, for each text (on average), and beside both."""
KINDS = ("lanes", "curves")
PART_FILE = re.compile(r"\.?part-([0-9]{6}-)?[0-9a-f]{12}\.parquet(\.[0-9]+)?")
"""Names of parts, and of the temporary files that they are written to."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; OSError names the file, also where it is a link: none is written through."""
    if path.is_symlink():
        raise OSError(f"{path}: is a link; nothing is written through links")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What an earlier process of this number has left, or a link that somebody has laid there.
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
        text = read_inside(folder, "run.json", MOST_MANIFEST).decode()
        content = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no run here (run.json is missing)") from error
    except OSError as error:
        raise ValueError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(one_line(f"{path}: cannot be read: {error}")) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path}: schema_version = {shown(version)}; this version reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, Manifest)}") from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError if a key stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {shown(next(name for name in names if names.count(name) > 1))} stands there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def read_part(folder: Path, part: Part) -> pd.DataFrame:
    """Rows of one listed part; ValueError with one line if it is not as it was written, OSError if it is missing or cannot be read."""
    return as_frame(_read_table(folder, part))


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as the analysis takes them."""
    frame = rows.to_pandas()
    return frame.astype({name: "Int64" for name in STEPS_OR_NULL if name in frame})


def _read_table(folder: Path, part: Part) -> pa.Table:
    path = folder / part.file
    content = read_inside(folder, part.file, BYTES_BESIDE + part.rows * BYTES_PER_TEXT)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise ValueError(f"{path}: corrupt, its sha256 is not the one in run.json")
    try:
        return _table(content, part.rows)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise ValueError(one_line(f"{path}: {error}")) from error


def _table(content: bytes, count: int) -> pa.Table:
    """The rows of a file that has so many; ValueError if it has others, or would take much more memory than such rows do."""
    about = pq.read_metadata(pa.BufferReader(content))
    schema = about.schema.to_arrow_schema()
    if about.num_rows != count:
        raise ValueError(f"has {about.num_rows:,} rows, but run.json counts {count:,}")
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("has two columns of one name")
    for field in schema:
        if field.type not in _TYPES:
            raise ValueError(f"column '{field.name}' is of type {field.type}; allowed: {', '.join(map(str, _TYPES))}")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    stored = sum(group.column(number).total_uncompressed_size for group in groups for number in range(group.num_columns))
    _check_memory(count, len(schema))
    if stored > BYTES_BESIDE + BYTES_PER_VALUE * count * len(schema):
        raise ValueError(f"would take {stored:,} bytes of memory, too many for {count:,} rows")
    texts = [field.name for field in schema if field.type in _TEXTS]
    # Each text once: a long one that is repeated takes no more memory than the file does.
    rows = pq.read_table(pa.BufferReader(content), read_dictionary=texts).replace_schema_metadata(None)
    for name in texts:
        lengths = (pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in rows[name].chunks)
        if sum(lengths) > BYTES_BESIDE + BYTES_PER_TEXT * count:
            raise ValueError(f"the texts of column '{name}' would take too much memory")
        place = rows.column_names.index(name)
        plain = rows[name].cast(rows[name].type.value_type).cast(schema.field(name).type)
        rows = rows.set_column(place, name, plain)
    return rows


def _check_memory(rows: int, columns: int) -> None:
    """ValueError if the numbers of so many rows do not fit into the memory of this machine."""
    needed, there = 8 * rows * columns, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ValueError(f"{rows:,} rows of {columns} columns take {needed >> 30:,} GiB of memory, this machine has {there >> 30:,} GiB")


_TEXTS = (pa.string(), pa.large_string())
_TYPES = (*_TEXTS, pa.bool_(), pa.int64(), pa.float32(), pa.float64())


def read_rows(folder: Path, manifest: Manifest, kind: str = "lanes") -> pd.DataFrame:
    """All rows of a kind (`lanes` or `curves`), in the order of the parts."""
    parts = [part for part in manifest.parts if part.kind == kind]
    frames: list[pd.DataFrame] = []
    for part in parts:
        frames.append(read_part(folder, part))
        _check_memory(sum(one.rows for one in parts), len(frames[0].columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _repairable(folder: Path) -> Manifest:
    """The manifest of a folder that is about to be written; one that counts more rows than it lists is of a run that is not complete."""
    try:
        return read_manifest(folder)
    except ValueError:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8")) if _is_manifest(folder / "run.json") else {}
        try:
            return Manifest.model_validate({**content, "complete": False})
        except ValidationError:
            pass
        raise


def _is_manifest(path: Path) -> bool:
    """Whether a file looks like what this package writes as `run.json`, of whatever version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "schema_version" in content and "parts" in content


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
        lock = folder / ".lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if lock.is_symlink():
                raise ValueError(f"{lock}: is a link; remove it") from error
            raise OSError(f"{folder}: cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ValueError(f"{folder}: another process is writing this run") from error
            store = cls(folder, None)
            if fresh:
                store.clear()
            if (folder / "run.json").exists():
                store.known = _repairable(folder)
            yield store
        finally:
            os.close(opened)

    def clear(self) -> None:
        """Remove the run that is here: its manifest and parts, and nothing else."""
        path = self.folder / "run.json"
        if path.exists() and not _is_manifest(path):
            raise ValueError(f"{path}: is no manifest of a run, so it is not removed; take another --out")
        self.known = None
        # The manifest first: what it does not list does not exist.
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
        fields = {name: getattr(self.manifest, name) for name in Manifest.model_fields}
        self.save(Manifest(**{**fields, **changes}))

    def write_experiment(self, text: str) -> None:
        write_whole(self.folder / "experiment.toml", text.encode())

    def intact(self, kind: str, columns: list[str]) -> Iterator[tuple[Part, pd.DataFrame | str]]:
        """Each listed part of a kind with these columns of its rows, or a line that says why it has to be given up.

        A part is given up if it is missing, or if it has twice been read and was not as it was written. OSError if it cannot be read now:
        it may be as good as ever.
        """
        for part in self.known.parts if self.known else ():
            if part.kind == kind:
                try:
                    try:
                        table = _read_table(self.folder, part)
                    except ValueError:
                        table = _read_table(self.folder, part)
                    yield part, table.select(columns).to_pandas()
                except (ValueError, KeyError, FileNotFoundError) as error:
                    yield part, str(error)

    def give_up(self, parts: list[Part]) -> None:
        """Take parts off the list; their files stay until the run is whole again."""
        self.change(parts=[part for part in self.manifest.parts if part not in parts], complete=False)

    def rows(self, lanes: pd.DataFrame) -> pa.Table:
        """The stored rows of these lanes (columns LANE), in that order."""
        wanted = lanes[LANE].assign(place=np.arange(len(lanes)))
        found: list[pa.Table] = []
        for part in self.manifest.parts:
            if part.kind == "lanes":
                table = _read_table(self.folder, part)
                known = table.select(LANE).to_pandas().merge(wanted, how="left", on=LANE)["place"].to_numpy()
                here = np.flatnonzero(~np.isnan(known))
                found.append(table.take(pa.array(here)).append_column("place", pa.array(known[here])))
        return pa.concat_tables(found).sort_by("place").drop_columns("place")

    def keep(self, lanes: pd.DataFrame) -> None:
        """Rewrite the parts so that only the rows and curves of these lanes are left; the beginnings of others' curves go as well."""
        parts: list[Part] = []
        for part in self.manifest.parts:
            table = _read_table(self.folder, part)
            known = table.select(LANE).to_pandas().merge(lanes[LANE].assign(kept=True), how="left", on=LANE)["kept"].notna().to_numpy()
            if known.all():
                parts.append(part)
            elif known.any():
                parts.append(self._write(part.kind, table.filter(pa.array(known)), part.provenance))
        self.change(parts=parts, complete=False)

    def append(self, lanes: pa.Table, curves: pa.Table, provenance: str, **changes: object) -> None:
        """Add rows as new parts and list them."""
        # Curves first: a lane that is listed has its curve.
        parts = [self._write(kind, rows, (provenance,)) for kind, rows in (("curves", curves), ("lanes", lanes)) if len(rows)]
        known = {part.file for part in parts}
        self.change(parts=[*(part for part in self.manifest.parts if part.file not in known), *parts], **changes)

    def put_in_order(self, order: list[str]) -> None:
        """Rewrite the parts in the order of the cells and seeds; the same rows then give the same files.

        Rows of provenances that differ in what can change bits stay in parts of their own, one provenance after the other.
        FileNotFoundError or ValueError if a part is gone, or not as it was written. All rows of a kind are in memory at once.
        """
        parts: list[Part] = []
        for kind in KINDS:
            first = 0
            for alike in self._alike():
                old = [part for part in self.manifest.parts if part.kind == kind and part.provenance[0] in alike]
                if not old:
                    continue
                made = tuple(dict.fromkeys(name for part in old for name in part.provenance))
                rows = pa.concat_tables([_read_table(self.folder, part) for part in old]).combine_chunks()
                names = ["data_seed", "init_seed", *(["step"] if kind == "curves" else [])]
                cells = pc.index_in(rows["cell"], pa.array(order, rows["cell"].type)).to_numpy()
                keys = [cells, *(rows[name].to_numpy() for name in names)]
                places = np.lexsort(keys[::-1])
                # A lane that was cut off and ran again has left the beginning of its curve twice.
                fresh = np.any([np.diff(key[places], prepend=-1) != 0 for key in keys], axis=0)
                parts += self._write_slices(kind, rows, places[fresh], made, first)
                first = sum(part.kind == kind for part in parts)
        self.change(parts=parts)
        self.remove_unlisted()

    def _alike(self) -> list[list[str]]:
        """The provenances in use, by their ids; those stand together that agree in all that can change bits."""
        groups: list[list[str]] = []
        for provenance in self.manifest.in_use:
            known = next((group for group in groups if not differences(self.manifest.provenance[group[0]], provenance)), None)
            if known is None:
                groups.append([provenance.id])
            else:
                known.append(provenance.id)
        return groups

    def _write_slices(self, kind: str, rows: pa.Table, places: np.ndarray, made: tuple[str, ...], number: int) -> Iterator[Part]:
        """Rows in this order as parts, which are numbered from `number` on."""

        def write(first: int) -> Part:
            part = rows.take(pa.array(places[first : first + ROWS_PER_PART]))
            return self._write(kind, part, made, f"{number + first // ROWS_PER_PART:06d}-")

        with ThreadPoolExecutor(os.cpu_count()) as at_once:
            yield from at_once.map(write, range(0, len(places), ROWS_PER_PART))

    def remove_unlisted(self) -> None:
        """Remove the files of parts that are not listed; other files, and links, stay."""
        listed = {part.file for part in self.known.parts} if self.known else set()
        for kind in KINDS:
            for path in (self.folder / kind).glob("*part-*"):
                ours = PART_FILE.fullmatch(path.name) and path.is_file() and not path.is_symlink()
                if ours and f"{kind}/{path.name}" not in listed:
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
