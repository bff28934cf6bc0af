"""Check that every number, verdict, table and figure of a report follows from its rows.

All of it is made again in a temporary folder and compared byte by byte, except for two things that depend on the processor: the names of
paths in drawings, and the last digits of numbers in JSON (`DIGITS`). Nothing is written to the report, and nothing is read through a link.

The bytes of PNG and PDF files depend on the machine. They are compared with the checksums in the list of the report (`written.json`)
instead: they are then the files that were written beside the SVG of the same drawing, unless somebody has changed a picture and its line of
the list together. The other lines of the list are checked against what is made again.
"""

import json
import math
import re
import tempfile
from collections.abc import Collection, Iterator
from difflib import SequenceMatcher
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.report.drawing import FORMATS
from analysis.report.write import in_processes, standing, write_answer, write_experiment
from analysis.report.written import LIST, checksum, read_list, refuse_links
from bench.messages import one_line

DRAWING_ID = re.compile(rb"\b[mp][0-9a-f]{10}\b")
NUMBER = re.compile(rb"-?\d+\.\d+(?:e[+-]?\d+)?")
DIGITS = 1e-12
"""Largest relative difference of two equal numbers in JSON: wider vectors add in another order, and their sums differ by less."""
DRAWN = ("svg",)
"""Formats that are drawn again; the others show the same drawing."""


def verify(folders: list[Path], trust: Collection[str] = ()) -> tuple[int, list[str]]:
    """The number of reports among these folders or in them, and one line for each difference from their rows.

    Modules in `trust` may be imported although a report names them. ValueError if there is no report.
    """
    reports: list[Path] = []
    collections: list[Path] = []
    for folder in folders:
        inside = sorted(path.parent for path in folder.glob("*/claims.json"))
        for path in inside:
            refuse_links(folder, path.relative_to(folder))
        reports += [folder] if (folder / "claims.json").exists() else inside
        collections += [folder] if inside else []
    if not reports:
        raise ValueError(f"{', '.join(map(str, folders))}: no report here (a folder with claims.json, or a folder of such folders)")
    found = [line for lines in in_processes(partial(differences, trust=trust), reports) for line in lines]
    return len(reports), found + [line for folder in collections for line in _of_the_answer(folder)]


def differences(report: Path, trust: Collection[str] = ()) -> list[str]:
    """The differences of a report from what its rows give, one line each."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = _compared(report, Path(scratch) / write_experiment(report, Path(scratch), DRAWN, trust))
            return [one_line(line) for line in found]
        except ValueError as error:
            return [str(error)]
        except (KeyError, TypeError) as error:
            return [f"{report}: cannot be recomputed: {error}"]


def _of_the_answer(folder: Path) -> list[str]:
    """The differences of an answer page from what the reports beside it give, one line each."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            write_answer(standing(folder), Path(scratch), DRAWN)
            return [one_line(line) for line in _compared(folder, Path(scratch))]
        except (ValueError, KeyError, TypeError) as error:
            return [f"{folder / 'README.md'}: cannot be recomputed: {error}"]


def _compared(stored: Path, fresh: Path) -> Iterator[str]:
    made = {path.relative_to(fresh): path for path in sorted(fresh.rglob("*")) if path.is_file()}
    pictures = [name.with_suffix(f".{kind}") for name in made if name.suffix == ".svg" for kind in FORMATS if kind not in DRAWN]
    for name in (Path("figures"), Path("tables"), *made, *pictures):
        refuse_links(stored, name)
    for name, path in made.items():
        mine = stored / name
        if not mine.is_file():
            yield f"{mine}: missing"
        elif not _is_alike(mine, path):
            found = list(_CONTENTS.get(path.suffix, _lines)(mine, path))
            yield from (f"{mine}: {line}" for line in found or ["differs from what the rows give"])
    yield from _of_the_list(stored, made, pictures)
    for folder in ("figures", "tables"):
        wanted = {name.name for name in (*made, *pictures) if name.parts[0] == folder}
        written = {path.name for path in (stored / folder).glob("*")}
        yield from (f"{stored / folder / name}: does not come from these rows" for name in sorted(written - wanted))


def _of_the_list(stored: Path, made: dict[Path, Path], pictures: list[Path]) -> Iterator[str]:
    """The differences of the list of a report from the files that were made again, and of pictures from the list."""
    listed = read_list(stored)
    if listed is None:
        yield f"{stored / LIST}: missing"
    listed = listed or {}
    for name in pictures:
        sum_, mine = listed.get(name.as_posix()), stored / name
        if not mine.is_file():
            yield f"{mine}: missing"
        elif listed and sum_ != checksum(mine):
            yield f"{mine}: " + ("is not the file that was written with this report" if sum_ else f"is not in {LIST}")
    # Files that count as the same may differ in their bytes.
    sums = {name.as_posix(): checksum(stored / name if _is_alike(stored / name, path) else path) for name, path in made.items()}
    for text in sorted(listed.keys() | sums.keys()) if listed else []:
        if Path(text) not in pictures and listed.get(text) != sums.get(text):
            yield f"{stored / LIST}: {text} is listed as {listed.get(text, 'nothing')[:16]}, recomputed {sums.get(text, 'nothing')[:16]}"


def _is_alike(stored: Path, fresh: Path) -> bool:
    """Whether two files are the same, except for what depends on the processor."""
    if not stored.is_file():
        return False
    mine, other = stored.read_bytes(), fresh.read_bytes()
    if fresh.suffix == ".svg":
        return _numbered(mine) == _numbered(other)
    if fresh.suffix == ".json":
        same_text = NUMBER.sub(b"0.0", mine) == NUMBER.sub(b"0.0", other)
        return same_text and all(map(_is_close, map(float, NUMBER.findall(mine)), map(float, NUMBER.findall(other))))
    return mine == other


def _is_close(mine: float, other: float) -> bool:
    return math.isclose(mine, other, rel_tol=DIGITS)


def _numbered(drawing: bytes) -> bytes:
    """A drawing with consecutive numbers as names of its paths; the names that Matplotlib gives depend on the last bits of coordinates."""
    numbers: dict[bytes, bytes] = {}
    return DRAWING_ID.sub(lambda found: numbers.setdefault(found[0], b"id-%d" % len(numbers)), drawing)


def _lines(stored: Path, fresh: Path) -> Iterator[str]:
    """Yield the lines that differ; a line that is missing or surplus does not make the lines after it differ."""
    mine, other = (path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (stored, fresh))
    for kind, first, last, start, end in SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        for number, (ours, theirs) in enumerate(zip_longest(mine[first:last], other[start:end], fillvalue=""), first + 1):
            if kind != "equal":
                yield f"line {number}: {_cut(ours)!r}, recomputed {_cut(theirs)!r}"


def _cells(stored: Path, fresh: Path) -> Iterator[str]:
    mine, other = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (stored, fresh))
    if list(mine.columns) != list(other.columns) or len(mine) != len(other):
        yield f"{len(mine)} lines and columns {', '.join(mine)}, recomputed {len(other)} and {', '.join(other)}"
        return
    for line, column in zip(*(mine != other).to_numpy().nonzero(), strict=True):
        name = mine.columns[column]
        place = f"cell {mine['cell'][line]}" if "cell" in mine else f"line {line + 2}"
        yield f"{place}, {name}: {mine[name][line]}, recomputed {other[name][line]}"


def _entries(stored: Path, fresh: Path) -> Iterator[str]:
    try:
        mine = json.loads(stored.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        yield f"is no JSON: {error}"
        return
    yield from _values(mine, json.loads(fresh.read_text(encoding="utf-8")), "")


def _values(mine: Any, other: Any, place: str) -> Iterator[str]:
    if isinstance(mine, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*mine, *other]):
            yield from _values(mine.get(key), other.get(key), f"{place}.{key}" if place else key)
    elif isinstance(mine, list) and isinstance(other, list):
        for number, (a, b) in enumerate(zip_longest(mine, other)):
            known = next((one for one in (a, b) if isinstance(one, dict)), {})
            name = known.get("id", known.get("name"))
            conditions = known.get("condition")
            condition = ", ".join(map(str, conditions.values())) if isinstance(conditions, dict) else ""
            yield from _values(a, b, f"{place}[{number if name is None else _cut(str(name)) + (f': {condition}' if condition else '')}]")
    elif mine != other and not (isinstance(mine, float) and isinstance(other, float) and _is_close(mine, other)):
        yield f"{place}: {_cut(str(mine))}, recomputed {_cut(str(other))}"


def _drawings(stored: Path, fresh: Path) -> Iterator[str]:
    yield "shows something else than these rows"


_CONTENTS = {".csv": _cells, ".json": _entries, ".svg": _drawings, ".parquet": lambda stored, fresh: iter(["are not these rows"])}


def _cut(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
