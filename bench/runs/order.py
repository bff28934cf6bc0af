"""Rows of many parts in the order of their training runs, a slice at a time, so that they need not all be in memory."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.runs.manifest import Part
from bench.runs.parquet import LANE, read_table

Numbers = Callable[[pd.DataFrame], np.ndarray]
"""Gives the numbers of training runs, which are in their order, from their cells and seeds (columns LANE)."""
ROWS_PER_PART = 1 << 17
MARKS_PER_PART = 16
"""Marks that stand for the numbers of as many rows as a part in order has; where the rows are cut apart, a mark is the edge."""


def slices(folder: Path, parts: Sequence[Part], numbers: Numbers) -> Iterator[pa.Table]:
    """Yield the rows of parts of one kind, each row once, in the order of their numbers and steps: `ROWS_PER_PART` at a time.

    A part is in memory from the first of its rows to the last one. ValueError and OSError as from `read_table`.
    """
    waiting: list[pa.Table] = []
    for rows in _pieces(folder, parts, numbers):
        waiting.append(rows)
        count = sum(map(len, waiting))
        if count >= ROWS_PER_PART:
            together = pa.concat_tables(waiting)
            for first in range(0, count - ROWS_PER_PART + 1, ROWS_PER_PART):
                yield together.slice(first, ROWS_PER_PART).combine_chunks()
            waiting = [together.slice(count - count % ROWS_PER_PART).combine_chunks()]
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting).combine_chunks()


class _Held(NamedTuple):
    """A part in memory: its rows in the order of their numbers, which are given beside them."""

    numbers: np.ndarray
    rows: pa.Table

    def between(self, start: int | None, stop: int | None) -> "_Held":
        """Return the rows with numbers from `start` up to, but without, `stop`; None stands for no bound."""
        first = 0 if start is None else int(np.searchsorted(self.numbers, start))
        last = len(self.numbers) if stop is None else int(np.searchsorted(self.numbers, stop))
        return _Held(self.numbers[first:last], self.rows.slice(first, last - first))


def _pieces(folder: Path, parts: Sequence[Part], numbers: Numbers) -> Iterator[pa.Table]:
    """Yield the rows of parts in order, in pieces of about `ROWS_PER_PART` rows that have no training run in common."""
    marks = [_marks(folder, part, numbers) for part in parts]
    edges = _edges(marks)
    held: dict[int, _Held] = {}
    for start, stop in zip([None, *edges], [*edges, None], strict=True):
        found: list[_Held] = []
        for place, (part, own) in enumerate(zip(parts, marks, strict=True)):
            if (stop is None or own[0] < stop) and (start is None or own[-1] >= start):
                if place not in held:
                    held[place] = _in_order(read_table(folder, part), numbers)
                found.append(held[place].between(start, stop))
        if found:
            yield _merged(found)
        held = {place: one for place, one in held.items() if stop is not None and marks[place][-1] >= stop}


def _marks(folder: Path, part: Part, numbers: Numbers) -> np.ndarray:
    """Return the smallest number of a part, `MARKS_PER_PART` for each `ROWS_PER_PART` rows in ascending order, and the largest."""
    own = np.sort(numbers(read_table(folder, part).select(LANE).to_pandas()))
    return np.append(own[:: max(ROWS_PER_PART // MARKS_PER_PART, 1)], own[-1])


def _edges(marks: list[np.ndarray]) -> list[int]:
    """Return the numbers at which rows with these marks are cut into pieces of about `ROWS_PER_PART` rows."""
    inner = np.sort(np.concatenate([own[:-1] for own in marks])) if marks else np.zeros(0, np.int64)
    return np.unique(inner[MARKS_PER_PART::MARKS_PER_PART]).tolist()


def _in_order(rows: pa.Table, numbers: Numbers) -> _Held:
    own = numbers(rows.select(LANE).to_pandas())
    places = np.argsort(own, kind="stable")
    return _Held(own[places], rows.take(pa.array(places)))


def _merged(found: list[_Held]) -> pa.Table:
    """Return the rows of several parts in the order of their numbers, and of steps where there are any, each row once."""
    rows = pa.concat_tables(one.rows for one in found)
    keys = [np.concatenate([one.numbers for one in found])]
    if "step" in rows.column_names:
        keys.append(rows["step"].to_numpy())
    places = np.lexsort(keys[::-1])
    # A training run that was cut off and ran again has left the beginning of its curve twice.
    first = np.any([np.diff(key[places], prepend=-1) != 0 for key in keys], axis=0)
    return rows.take(pa.array(places[first]))
