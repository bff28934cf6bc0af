"""Tables of other people's numbers, CSV or Parquet, read as strangers' files: within bounds, and nothing in them is more than a text."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.messages import one_line, shown
from bench.runs.files import read_inside
from bench.runs.parquet import plain_table

MOST_BYTES = 1 << 26
"""Largest size of a file that is read."""
MOST_ROWS, MOST_CELLS = 200_000, 2_000_000
LONGEST_NAME = 200
"""Largest number of characters in the name of a column, or of a setting."""
SEPARATORS = {".csv": ",;\t", ".tsv": "\t", ".txt": ",;\t"}
"""Characters that may separate the cells of a text file, by its ending; the one that occurs most often in the first line does."""
PARQUET = (".parquet", ".pq")

Columns = dict[str, list[str]]
"""The columns of a table by their names, in its order: texts without white space around them, empty where there is none."""


def read_columns(path: Path) -> tuple[Columns, bytes]:
    """Return the columns of a table, and the content of its file.

    ValueError with one line if it is no such table or too large; OSError if it cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in (*SEPARATORS, *PARQUET):
        raise ValueError(f"{path}: a file that ends in '{kind}' is not read; allowed: {', '.join((*SEPARATORS, *PARQUET))}")
    real = path.resolve()
    content = read_inside(real.parent, real.name, MOST_BYTES)
    try:
        names, rows = _parquet(content) if kind in PARQUET else _text(content, SEPARATORS[kind])
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise ValueError(one_line(f"{path}: {error}")) from error
    return dict(zip(names, rows, strict=True)), content


def _text(content: bytes, separators: str) -> tuple[list[str], list[list[str]]]:
    """Names and columns of a text file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: {error.reason} at byte {error.start}") from error
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(separators, key=first.count), strict=True)
    names: list[str] = []
    columns: list[list[str]] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells) and len(cells) < 2:
                continue
            if not names:
                names, columns = _checked_names(cells), [[] for _ in cells]
                continue
            if len(cells) != len(names):
                raise ValueError(f"line {reader.line_num} has {len(cells)} cells, but the first line names {len(names)} columns")
            _check_size(len(columns[0]) + 1, len(names))
            for column, cell in zip(columns, cells, strict=True):
                column.append(cell)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    if not names:
        raise ValueError("is empty; its first line has to name the columns")
    return names, columns


def _parquet(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Names and columns of a Parquet file."""
    about = pq.read_metadata(pa.BufferReader(content))
    _check_size(about.num_rows, about.num_columns)
    schema = about.schema.to_arrow_schema()
    names = _checked_names(schema.names)
    for field in schema:
        if not _is_plain(field.type):
            raise ValueError(f"column {shown(field.name)} is of type {field.type}; allowed: texts, booleans, integers and floats")
    rows = plain_table(content, about.num_rows, schema.types)
    return names, [["" if value is None else str(value).strip() for value in column.to_pylist()] for column in rows.columns]


def _check_size(rows: int, columns: int) -> None:
    """ValueError if a table has too many rows or cells."""
    if rows > MOST_ROWS or rows * columns > MOST_CELLS:
        raise ValueError(f"has {rows:,} rows or more of {columns:,} columns; at most {MOST_ROWS:,} rows and {MOST_CELLS:,} cells are read")


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a column holds texts, also as categories, or numbers."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        return pa.types.is_string(kind) or pa.types.is_large_string(kind)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return any(test(kind) for test in tests)


def _checked_names(names: list[str]) -> list[str]:
    """The names of columns; ValueError if two are alike, or one too long. A column without a name is called by its place."""
    names = [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"has {count} columns that are called {shown(name)}")
    check_length("the name of a column", names)
    return names


def check_length(what: str, names: Iterable[str]) -> None:
    """ValueError if one of these names is too long to be shown."""
    for name in names:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"{what} has {len(name):,} characters, {shown(name)}; at most {LONGEST_NAME} are read")
