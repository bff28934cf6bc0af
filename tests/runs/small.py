"""A small run, trained again after whatever was done to its folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import run
from bench.runs.folder import RunFolder
from bench.runs.manifest import read_manifest
from tests.conftest import experiment

SMALL: dict[str, Any] = {"seeds": {"init": 40}, "grid": {"initializer": ["zeros", "glorot_normal"]}}
CLAIM = {"id": "works", "says": "Random starts find XOR.", "measure": "solved", "where": {"initializer": "glorot_normal"}, "at_least": 0.1}


def again(folder: Path, changes: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """Run the experiment of a folder once more; what it said."""
    said: list[str] = []

    def watch(progress: Any) -> None:
        said[:] = progress.said

    run(experiment(**{**SMALL, **(changes or {})}), folder.parent, watch=watch, **options)
    return said


def change(folder: Path, **changes: Any) -> None:
    """Change fields of the manifest."""
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def parts(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("part-*"))


def sums(folder: Path) -> list[tuple[str, str]]:
    return [(part.file, part.sha256) for part in read_manifest(folder).parts]


def lost_curves(folder: Path) -> None:
    shutil.rmtree(folder / "curves")


def damaged(kind: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        [path] = parts(folder, kind)
        path.write_bytes(path.read_bytes()[:-8] + b"corrupt!")

    return damage


def removed_lanes(folder: Path) -> None:
    [path] = parts(folder, "lanes")
    path.unlink()


def shortened_curves(folder: Path) -> None:
    """A part whose checksum is right, and which lacks the last point of one curve and a point within another."""
    [path] = parts(folder, "curves")
    rows = pq.read_table(path)
    rows = pa.concat_tables([rows.slice(0, 2), rows.slice(3, len(rows) - 4)])
    rewritten(folder, "curves", rows)


def unlisted(kind: str) -> Callable[[Path], None]:
    def take_off(folder: Path) -> None:
        change(folder, parts=[part for part in json.loads((folder / "run.json").read_text())["parts"] if not part["file"].startswith(kind)])

    return take_off


def rewritten(folder: Path, kind: str, rows: pa.Table) -> None:
    """The part of a kind with other rows, and the checksum of these."""
    with RunFolder.locked(folder) as store:
        part = store._write(kind, rows, store.manifest.parts[0].provenance)
        store.known = store.manifest.model_copy(update={"complete": False})
        store.change(parts=[*(old for old in store.manifest.parts if old.kind != kind), part])
