"""Parts: files of rows of training runs or curves, read as strangers' files and written so that the same rows give the same bytes."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.messages import one_line
from bench.runs.at_rest import at_rest, content_at_rest, tables_at_rest
from bench.runs.files import taken_inside
from bench.runs.manifest import Manifest, Part
from bench.runs.memory import check_rows
from bench.spec import ROW_COLUMNS

LANE = ["cell", "data_seed", "init_seed"]
"""Columns that together name a training run."""
STEPS_OR_NULL = tuple(column.name for column in ROW_COLUMNS if column.null == "not reached")
"""Columns of steps that are null where something did not happen."""
INTEGERS = tuple(column.name for column in ROW_COLUMNS if column.type == "integer")
"""Columns of seeds and steps."""
BYTES_PER_VALUE, BYTES_PER_TEXT, BYTES_BESIDE = 64, 1024, 1 << 26
"""Most memory that a part may take: for each value as it is stored, for each text (on average), and in addition to both."""
ROW_GROUP = 1 << 17
"""Number of rows of a row group, which a reader unpacks at a time."""
_TEXTS = (pa.string(), pa.large_string())
_TYPES = (*_TEXTS, pa.bool_(), pa.int64(), pa.float32(), pa.float64())


def read_rows(folder: Path, manifest: Manifest, kind: str = "lanes") -> pd.DataFrame:
    """Return all rows of a kind (`lanes` or `curves`) in the order of the parts; ValueError and OSError as from `read_table`.

    The columns of `lanes` are narrow: real numbers are float32 where no value of the column needs more, and texts are categories, except
    for digests, which do not repeat. Columns of many rows are `at_rest`.
    """
    parts = [part for part in manifest.parts if part.kind == kind]
    if not parts:
        return pd.DataFrame()
    rows = as_frame(_joined(folder, parts, _narrow if kind == "lanes" else lambda table: table))
    release_unused()
    return rows


def release_unused() -> None:
    """Give memory of columns that are gone back to the system, which Arrow otherwise keeps for later."""
    pa.default_memory_pool().release_unused()


def _joined(folder: Path, parts: list[Part], kept: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Return the rows of several parts, of which `kept` is held in memory; a column that a part does not have is null there."""
    count = sum(part.rows for part in parts)

    def tables() -> Iterator[pa.Table]:
        for part in parts:
            for table in read_groups(folder, part):
                check_rows(count, table.num_columns)
                yield kept(table)

    try:
        return pa.concat_tables(tables_at_rest(tables(), count), promote_options="permissive")
    except pa.ArrowException as error:
        raise ValueError(one_line(f"{folder}: {error}")) from error


def _narrow(rows: pa.Table) -> pa.Table:
    """Return rows with real numbers as float32 where all of a column are exact in it, and with texts that repeat as categories."""
    for place, field in enumerate(rows.schema):
        column = rows[field.name]
        if field.type == pa.float64() and field.name not in INTEGERS:
            short = column.cast(pa.float32(), safe=False)
            if short.cast(pa.float64()).equals(column):
                rows = rows.set_column(place, field.name, short)
        elif field.type in _TEXTS:
            texts = column.cast(pa.large_string())
            rows = rows.set_column(place, field.name, texts if field.name == "params_digest" else texts.dictionary_encode())
    return rows


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Return rows as a pandas frame, in which integers that may be null stay integers, and categories are sorted as texts are.

    Each column is a block of its own, and is taken out of the table when it has been converted: without another reference to the table the
    rows are not twice in memory.
    """
    columns: dict[str, Any] = {}
    while rows.num_columns:
        name, column = rows.column_names[0], rows.column(0)
        rows = rows.remove_column(0)
        columns[name] = at_rest(_series(name, column))
    return pd.DataFrame(columns, copy=False)


def _series(name: str, column: pa.ChunkedArray) -> Any:
    """Return a column as pandas holds it."""
    if name in STEPS_OR_NULL:
        return column.to_pandas().astype("Int64")
    if pa.types.is_dictionary(column.type):
        texts = column.to_pandas().cat
        return texts.set_categories(sorted(texts.categories))
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        # A column without nulls in one piece is shown where Arrow keeps it, and cannot be written to.
        return np.require(column.to_numpy(), requirements="W")
    return column.to_pandas()


def read_table(folder: Path, part: Part) -> pa.Table:
    """Return the rows of a part; ValueError with one line if the file is not as it was written, OSError if it cannot be read."""
    return pa.concat_tables(read_groups(folder, part))


def read_groups(folder: Path, part: Part) -> Iterator[pa.Table]:
    """Return the row groups of a part, one after the other; errors as from `read_table`."""
    content = read_bytes(folder, part)
    try:
        yield from _plain_groups(content, part.rows, _TYPES)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise ValueError(one_line(f"{folder / part.file}: {error}")) from error


def read_bytes(folder: Path, part: Part) -> bytes | mmap:
    """Return the file of a part; ValueError with one line if it is not as it was written, OSError if it cannot be read."""
    content = taken_inside(folder, part.file, BYTES_BESIDE + part.rows * BYTES_PER_TEXT, content_at_rest)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise ValueError(f"{folder / part.file}: corrupt, its sha256 is not the one in run.json")
    return content


def plain_table(content: bytes | mmap, count: int, types: Collection[pa.DataType]) -> pa.Table:
    """Return the `count` rows of a file without dictionaries.

    ValueError or an error of Arrow, before the memory is taken, if the file has other columns than of these types, or unpacks to too much.
    """
    return pa.concat_tables(_plain_groups(content, count, types))


def _checked_schema(content: bytes | mmap, count: int, types: Collection[pa.DataType]) -> pa.Schema:
    """Return the schema of a file; ValueError if its footer promises another number of rows, other types, or too much memory."""
    about = pq.read_metadata(pa.BufferReader(content))
    schema = about.schema.to_arrow_schema()
    if about.num_rows != count:
        raise ValueError(f"has {about.num_rows:,} rows, but run.json counts {count:,}")
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("has two columns of one name")
    for field in schema:
        if field.type not in types:
            raise ValueError(f"column '{field.name}' is of type {field.type}; allowed: {', '.join(map(str, types))}")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    stored = sum(group.total_byte_size for group in groups)
    check_rows(count, len(schema))
    if stored > BYTES_BESIDE + BYTES_PER_VALUE * count * len(schema):
        raise ValueError(f"would take {stored:,} bytes of memory, too many for {count:,} rows")
    return schema


def _plain_groups(content: bytes | mmap, count: int, types: Collection[pa.DataType]) -> Iterator[pa.Table]:
    """Return the row groups of a file without dictionaries, at least one; errors as from `plain_table`."""
    schema = _checked_schema(content, count, types)
    texts = {field.name: kind for field in schema if (kind := _text_type(field.type)) is not None}
    room = dict.fromkeys(texts, BYTES_BESIDE + BYTES_PER_TEXT * count)
    # Each text is first read once, as a dictionary: a long text that is repeated takes no more memory than the file does.
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(texts))
    for places in [[place] for place in range(file.num_row_groups)] or [[]]:
        rows = file.read_row_groups(places).replace_schema_metadata(None)
        for name, kind in texts.items():
            room[name] -= sum(pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in rows[name].chunks)
            if room[name] < 0:
                raise ValueError(f"the texts of column '{name}' would take too much memory")
            plain = rows[name].cast(rows[name].type.value_type).cast(kind)
            rows = rows.set_column(rows.column_names.index(name), name, plain)
        yield rows


def _text_type(kind: pa.DataType) -> pa.DataType | None:
    """The type of the texts in a column, which may be one of categories; None if there are no texts in it."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return plain if plain in _TEXTS else None


class Packed(NamedTuple):
    """Rows as the content of a part."""

    content: bytes
    rows: int

    @property
    def table(self) -> pa.Table:
        """The rows; an error of Arrow if the content is broken."""
        return plain_table(self.content, self.rows, _TYPES)


def packed(rows: pa.Table) -> Packed:
    """Return rows as the content of a part."""
    return Packed(parquet_bytes(rows), len(rows))


def parquet_bytes(rows: pd.DataFrame | pa.Table) -> bytes:
    """Return rows as the content of the file that `write_rows` writes."""
    sink = pa.BufferOutputStream()
    write_rows(rows, sink)
    return sink.getvalue().to_pybytes()


def write_rows(rows: pd.DataFrame | pa.Table, sink: pa.NativeFile | BinaryIO) -> None:
    """Write rows as one zstd parquet file, with NaN as null and categories as texts; the same rows give the same bytes.

    Numbers that hardly repeat are smallest when split byte by byte, and digests as they are: together a quarter less than with
    dictionaries for all columns. A frame is made into tables one row group at a time.
    """
    groups = [rows] if isinstance(rows, pa.Table) else map(_as_table, _slices(rows))
    writer = None
    for table in groups:
        if writer is None:
            floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
            repeating = [name for name in table.column_names if name not in (*floats, "params_digest")]
            options = {"compression": "zstd", "use_dictionary": repeating, "use_byte_stream_split": floats}
            writer = pq.ParquetWriter(sink, table.schema, **options)
        writer.write_table(table, ROW_GROUP)
    if writer is not None:
        writer.close()


def _slices(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Return the rows of each row group, at least one."""
    yield from (rows.iloc[first : first + ROW_GROUP] for first in range(0, max(len(rows), 1), ROW_GROUP))


def _as_table(rows: pd.DataFrame) -> pa.Table:
    """Return a frame as a table, with categories as texts."""
    texts = {str(name): str for name, dtype in rows.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    return pa.Table.from_pandas(rows.astype(texts), preserve_index=False).replace_schema_metadata(None)
