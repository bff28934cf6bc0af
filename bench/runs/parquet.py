"""Parts: files of rows of training runs or curves, read as strangers' files and written so that the same rows give the same bytes."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.messages import one_line
from bench.runs.files import read_inside
from bench.runs.manifest import Manifest, Part
from bench.runs.memory import check_rows
from bench.spec import ROW_COLUMNS

LANE = ["cell", "data_seed", "init_seed"]
"""Columns that together name a training run."""
STEPS_OR_NULL = tuple(column.name for column in ROW_COLUMNS if column.null == "not reached")
"""Columns of steps that are null where something did not happen."""
BYTES_PER_VALUE, BYTES_PER_TEXT, BYTES_BESIDE = 64, 1024, 1 << 26
"""Most memory that a part may take: for each value as it is stored, for each text (on average), and in addition to both."""
_TEXTS = (pa.string(), pa.large_string())
_TYPES = (*_TEXTS, pa.bool_(), pa.int64(), pa.float32(), pa.float64())


def read_rows(folder: Path, manifest: Manifest, kind: str = "lanes") -> pd.DataFrame:
    """Return all rows of a kind (`lanes` or `curves`) in the order of the parts; ValueError and OSError as from `read_table`."""
    parts = [part for part in manifest.parts if part.kind == kind]
    frames: list[pd.DataFrame] = []
    for part in parts:
        frames.append(as_frame(read_table(folder, part)))
        check_rows(sum(one.rows for one in parts), len(frames[0].columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Return rows as a pandas frame, in which integers that may be null stay integers."""
    frame = rows.to_pandas()
    return frame.astype({name: "Int64" for name in STEPS_OR_NULL if name in frame})


def read_table(folder: Path, part: Part) -> pa.Table:
    """Return the rows of a part; ValueError with one line if the file is not as it was written, OSError if it cannot be read."""
    content = read_bytes(folder, part)
    try:
        return plain_table(content, part.rows, _TYPES)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise ValueError(one_line(f"{folder / part.file}: {error}")) from error


def read_bytes(folder: Path, part: Part) -> bytes:
    """Return the file of a part; ValueError with one line if it is not as it was written, OSError if it cannot be read."""
    content = read_inside(folder, part.file, BYTES_BESIDE + part.rows * BYTES_PER_TEXT)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise ValueError(f"{folder / part.file}: corrupt, its sha256 is not the one in run.json")
    return content


def plain_table(content: bytes, count: int, types: Collection[pa.DataType]) -> pa.Table:
    """Return the `count` rows of a file without dictionaries.

    ValueError or an error of Arrow, before the memory is taken, if the file has other columns than of these types, or unpacks to too much.
    """
    return _plain_table(content, _checked_schema(content, count, types), count)


def _checked_schema(content: bytes, count: int, types: Collection[pa.DataType]) -> pa.Schema:
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


def _plain_table(content: bytes, schema: pa.Schema, count: int) -> pa.Table:
    """Return the rows of a file without dictionaries; ValueError if the texts of a column would take too much memory."""
    texts = {field.name: kind for field in schema if (kind := _text_type(field.type)) is not None}
    # Each text is first read once, as a dictionary: a long text that is repeated takes no more memory than the file does.
    rows = pq.read_table(pa.BufferReader(content), read_dictionary=list(texts)).replace_schema_metadata(None)
    for name, kind in texts.items():
        lengths = (pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in rows[name].chunks)
        if sum(lengths) > BYTES_BESIDE + BYTES_PER_TEXT * count:
            raise ValueError(f"the texts of column '{name}' would take too much memory")
        place = rows.column_names.index(name)
        plain = rows[name].cast(rows[name].type.value_type).cast(kind)
        rows = rows.set_column(place, name, plain)
    return rows


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
    """Return rows as one zstd parquet file, with NaN as null; the same rows give the same bytes.

    Numbers that hardly repeat are smallest when split byte by byte, and digests as they are: together a quarter less than with
    dictionaries for all columns.
    """
    sink = pa.BufferOutputStream()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    repeating = [name for name in table.column_names if name not in (*floats, "params_digest")]
    pq.write_table(table, sink, compression="zstd", use_dictionary=repeating, use_byte_stream_split=floats)
    return sink.getvalue().to_pybytes()
