"""Rows are put in order slice by slice as if all of them were in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench.runs.order
from bench.runs.numbering import Numbering
from bench.runs.order import slices
from bench.spec import Seeds

CELLS = ["a", "b"]
numbering = Numbering(CELLS, Seeds(init=50, data=2))


def table(numbers: list[int], steps: list[int] | None = None) -> pa.Table:
    cell, seed = np.divmod(np.array(numbers, np.int64), 100)
    data, init = np.divmod(seed, 50)
    columns = {"cell": np.array(CELLS)[cell], "data_seed": data, "init_seed": init}
    return pa.Table.from_pandas(pd.DataFrame(columns | ({"step": steps} if steps else {})), preserve_index=False)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(200)), st.integers(1, 199), st.integers(1, 6), st.integers(1, 70), st.booleans())
def test_slices_are_those_of_all_rows_together(order: list[int], count: int, parts: int, size: int, points: bool) -> None:
    numbers = order[:count]
    pieces = [piece.tolist() for piece in np.array_split(numbers, parts) if len(piece)]
    steps = [[number % 3 for number in piece] for piece in pieces]
    if points:
        # Of a training run that was cut off, the beginning of its curve is there twice.
        pieces, steps = [*pieces, pieces[0]], [*steps, steps[0]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.runs.order, "ROWS_PER_PART", size)
        patch.setattr(bench.runs.order, "MARKS_PER_PART", 3)
        tables = {str(place): table(piece, own if points else None) for place, (piece, own) in enumerate(zip(pieces, steps, strict=True))}
        patch.setattr(bench.runs.order, "read_table", lambda folder, part: tables[part])
        found = list(slices(Path(), list(tables), numbering.of))  # type: ignore[arg-type]
    assert [len(one) for one in found[:-1]] == [size] * (len(found) - 1) and 0 < len(found[-1]) <= size
    assert numbering.of(pa.concat_tables(found).to_pandas()).tolist() == sorted(numbers)


def test_no_parts_have_no_slices() -> None:
    """As the curves of a shard of training runs whose curves are not kept."""
    assert list(slices(Path(), [], numbering.of)) == []
