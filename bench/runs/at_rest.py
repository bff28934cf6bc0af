"""Columns of many rows in a temporary file: the system reads what is used of them, and need not hold the rest in memory."""

import mmap
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

MANY = 1 << 20
"""Least number of rows whose columns lie in a file."""
LARGE, PIECE = 1 << 25, 1 << 20
"""Least size in bytes of content that lies in a file, and how many bytes of it are copied at a time."""


def are_many(rows: int) -> bool:
    """Return whether so many rows should not be held in memory all at once."""
    return rows >= MANY


def at_rest(column: Any) -> Any:
    """Return a column as an array that lies in a temporary file and can be written to; one of few rows, or of categories, stays in memory.

    OSError where there is no room for it.
    """
    if not are_many(len(column)):
        return column
    if isinstance(column, pd.Series | pd.arrays.NumpyExtensionArray):
        return at_rest(column.array if isinstance(column, pd.Series) else column.to_numpy())
    if isinstance(column, pd.arrays.IntegerArray):
        return pd.arrays.IntegerArray(at_rest(column.to_numpy(np.int64, na_value=0)), at_rest(column.isna()))
    if isinstance(column, pd.arrays.ArrowStringArray):
        return tables_at_rest([pa.table({"texts": column.__arrow_array__()})], len(column))[0]["texts"].to_pandas().array
    if isinstance(column, np.ndarray) and column.dtype != object:
        with tempfile.TemporaryFile() as file:
            column.tofile(file)
            return np.memmap(file, column.dtype, "r+", shape=column.shape).view(np.ndarray)
    return column.copy()


def content_at_rest(file: BinaryIO, size: int) -> bytes | mmap.mmap:
    """Return so many bytes of a file; many of them as a copy in a temporary file, which nobody else can change. OSError as above."""
    if size < LARGE:
        return file.read(size)
    with tempfile.TemporaryFile() as copy:
        while size > 0 and (piece := file.read(min(size, PIECE))):
            copy.write(piece)
            size -= len(piece)
        copy.flush()
        return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)


def tables_at_rest(tables: Iterable[pa.Table], count: int) -> list[pa.Table]:
    """Return tables of `count` rows together as equal ones that lie in one temporary file; few rows stay in memory. OSError as above."""
    if not are_many(count):
        return list(tables)
    with tempfile.TemporaryFile() as file:
        ends = [0]
        for table in tables:
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table)
            ends.append(file.tell())
        file.flush()
        content = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return [pa.ipc.open_stream(content[first:last]).read_all() for first, last in zip(ends, ends[1:], strict=False)]
