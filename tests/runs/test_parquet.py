"""Files of a run folder: only plain files of bounded size are read, and unpacked within the memory."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.folders import manifest_of, with_manifest
from tests.runs.outcomes import LANES, refused


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(original / "run", tmp_path / "run"))


def part_of(folder: Path, kind: str = "lanes") -> Path:
    return next((folder / kind).glob("*.parquet"))


def linked(path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def enlarged(path: Path) -> None:
    os.truncate(path, 1 << 40)


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a linked part": (lambda folder: linked(part_of(folder)), "is a link"),
    "a linked folder": (lambda folder: linked(folder / "lanes"), "lanes is a link"),
    "a linked manifest": (lambda folder: linked(folder / "run.json"), "is a link"),
    "a linked experiment": (lambda folder: linked(folder / "experiment.toml"), "is a link"),
    "a pipe for a part": (lambda folder: piped(part_of(folder)), "is no regular file"),
    "a pipe for a manifest": (lambda folder: piped(folder / "run.json"), "is no regular file"),
    "a part of a terabyte": (lambda folder: enlarged(part_of(folder)), "bytes; at most"),
    "an experiment of a terabyte": (lambda folder: enlarged(folder / "experiment.toml"), "bytes; at most"),
    "an experiment that is no text": (lambda folder: bytes_to(folder / "experiment.toml", b"name = '\xff'"), "is not UTF-8"),
    "no experiment": (lambda folder: (folder / "experiment.toml").unlink(), "cannot be read: No such file"),
    "a part less": (lambda folder: part_of(folder, "curves").unlink(), "cannot be read: No such file"),
    "half of a part": (lambda folder: os.truncate(part_of(folder), 1000), "corrupt"),
}


def bytes_to(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.mark.parametrize("what", FILES)
def test_what_is_no_plain_file_of_the_folder_is_not_read(what: str, folder: Path) -> None:
    spoil, message = FILES[what]
    spoil(folder)
    assert message in refused(folder)


def with_content(folder: Path, table: pa.Table | bytes, rows: int = LANES) -> None:
    """Another file in place of the lanes, with its checksum."""
    sink = pa.BufferOutputStream()
    if isinstance(table, pa.Table):
        pq.write_table(table, sink, compression="zstd")
        table = sink.getvalue().to_pybytes()
    part_of(folder).write_bytes(table)
    parts = manifest_of(folder)["parts"]
    parts[0] |= {"rows": rows, "sha256": hashlib.sha256(table).hexdigest()}
    with_manifest(folder, parts=parts)


def test_a_small_file_that_would_fill_the_memory_is_not_unpacked(folder: Path) -> None:
    zeros = pa.array(np.zeros(1 << 24, np.int64))
    with_content(folder, pa.table({"cell": zeros}))
    assert "has 16,777,216 rows, but run.json counts 24" in refused(folder)
    # One text of 8 MiB in 24 rows takes no more memory than once; as many texts of it would.
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(LANES, np.int32)), pa.array(["x" * (1 << 23)]))
    with_content(folder, pa.table({"cell": long.cast(pa.string())}))
    assert part_of(folder).stat().st_size < 10_000
    assert "texts of column 'cell' would take too much memory" in refused(folder)
    with_content(folder, pa.table({"cell": [b"x"] * LANES}))
    assert "column 'cell' is of type binary" in refused(folder)
    with_content(folder, b"PAR1 is no parquet file PAR1")
    assert "Parquet" in refused(folder)


def test_rows_for_which_this_machine_is_too_small_are_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 60)
    assert "rows of" in (message := refused(folder)) and "this machine has" in message
