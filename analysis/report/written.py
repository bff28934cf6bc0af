"""The list of files that a report has written: no other file is ever overwritten or removed, and nothing is written through a link."""

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bench.messages import explain
from bench.runs.files import MOST_TEXT, read_inside, write_whole
from bench.runs.manifest import read_manifest
from bench.runs.record import Record, Sha256

LIST = "written.json"
LAST = ("README.md", "claims.json")
"""Files that are moved last: a report whose writing was cut off has no `claims.json`, and does not count as a report."""
ANSWER = "# When is it safe to initialize weights to zero?"
"""First line of an answer page from before there were lists."""
REPORT = (
    "README.md",
    "claims.json",
    "run.json",
    "experiment.toml",
    "summary.csv",
    "summary.columns.csv",
    "lanes.parquet",
    "curves.parquet",
)
TABLES = ("verdicts", "laws", "published", "cells")

RelativePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,4}$")]


class Written(Record):
    """The list: SHA-256 of each file, by its path in the folder."""

    files: dict[RelativePath, Sha256] = {}


def read_list(folder: Path) -> dict[str, str] | None:
    """The list of a folder, None if it has none; ValueError with one line if it is broken."""
    path = folder / LIST
    if not path.exists():
        return None
    try:
        return dict(Written.model_validate(json.loads(read_inside(folder, LIST, MOST_TEXT))).files)
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, Written)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error


def refuse_links(folder: Path, path: Path) -> None:
    """Check a path in a folder; ValueError if it, or a folder on the way to it, is a link."""
    for place in (path, *path.parents):
        if place != Path() and (folder / place).is_symlink():
            raise ValueError(f"{folder / place}: is a link; reports are not read or written through links")


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A temporary folder in `out`; `out` itself is removed afterwards if it was made for it and stayed empty."""
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".initbench-", dir=out)
    except OSError as error:
        raise OSError(f"{out}: cannot be written: {error.strerror}") from error
    try:
        with scratch as made:
            yield Path(made)
    finally:
        if is_new and not any(out.iterdir()):
            out.rmdir()


def publish(made: Path, folder: Path) -> None:
    """Move all files of `made` into `folder`, remove the files of an earlier report that this one has not, and renew the list.

    ValueError with one line, before anything is changed, if a file would overwrite a link or a file that no report wrote.
    """
    fresh = {path.relative_to(made).as_posix(): path for path in sorted(made.rglob("*")) if path.is_file()}
    sums = {name: checksum(path) for name, path in fresh.items()}
    owned = _check(folder, fresh)
    # From here on every file that was moved is in the list, whatever happens.
    _write_list(folder, {**owned, **sums})
    changed = [name for name in fresh if sums[name] != checksum(folder / name)]
    if changed and "claims.json" in fresh:
        (folder / "claims.json").unlink(missing_ok=True)
        changed += ["claims.json"]
    for name in sorted(set(changed), key=lambda name: (LAST.index(name) if name in LAST else -1, name)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        fresh[name].replace(folder / name)
    for name in owned.keys() - fresh.keys():
        # A file that was changed since then belongs to somebody else.
        if owned[name] == checksum(folder / name):
            (folder / name).unlink()
        _remove_empty(folder, (folder / name).parent)
    _write_list(folder, sums)


def check_target(folder: Path, names: tuple[str, ...]) -> None:
    """Check that a report may write files of these names into a folder; ValueError with one line if one is a link, or not a file of a
    report."""
    _check(folder, names)


def _check(folder: Path, names: dict[str, Path] | tuple[str, ...]) -> dict[str, str]:
    """Check that these files may be written into a folder, and return the list of what earlier reports wrote there."""
    owned = read_list(folder)
    if owned is None:
        owned = {name: checksum(folder / name) for name in _known_by_content(folder) if (folder / name).is_file()}
    for name in (*owned, *names):
        refuse_links(folder, Path(name))
    for name in names:
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name}: is a folder; a report writes a file of that name: choose another --out")
        if name not in owned and (folder / name).exists():
            raise ValueError(f"{folder / name}: was not written by a report, and is not overwritten: choose another --out")
        blocking = next((place for place in (folder / name).parents if place.is_file()), None)
        if blocking is not None:
            raise ValueError(f"{blocking}: is a file; a report writes a folder of that name: choose another --out")
    return owned


def _known_by_content(folder: Path) -> set[str]:
    """The files of a report, a page on throughput or an answer page that was written before there were lists."""
    if (folder / "claims.json").is_file():
        return _report_files(folder)
    if (folder / "measured.json").is_file():
        return {"README.md", "measured.json", *_figures("speed"), *_figures("growth")}
    inside = [path.parent for path in folder.glob("*/claims.json")]
    page = folder / "README.md"
    is_answer = page.is_file() and not page.is_symlink() and page.read_bytes().startswith(ANSWER.encode())
    if not is_answer or not any(map(_report_files, inside)):
        return set()
    return {"README.md", *_figures("headline"), *_tables("verdicts")}


def _report_files(folder: Path) -> set[str]:
    for name in ("claims.json", "run.json", "experiment.toml"):
        refuse_links(folder, Path(name))
    try:
        content = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
        name = read_manifest(folder).experiment
        figures = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8")).get("figure", [])
        drawn = [figure["name"] for figure in figures]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    if name != folder.name or not isinstance(content, dict) or not {"claims", "laws", "rows_sha256"} <= content.keys():
        return set()
    return {*REPORT, *(path for name in drawn for path in _figures(name)), *(path for name in TABLES for path in _tables(name))}


def _figures(name: str) -> list[str]:
    return [f"figures/{name}.{kind}" for kind in ("svg", "pdf", "png")]


def _tables(name: str) -> list[str]:
    return [f"tables/{name}.{kind}" for kind in ("tex", "csv")]


def checksum(path: Path) -> str:
    """SHA-256 of a file; empty if there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_list(folder: Path, sums: dict[str, str]) -> None:
    write_whole(folder / LIST, (json.dumps({"files": dict(sorted(sums.items()))}, indent=2) + "\n").encode())


def _remove_empty(folder: Path, place: Path) -> None:
    while place != folder and place.is_dir() and not any(place.iterdir()):
        place.rmdir()
        place = place.parent
