"""Ended lanes on their way to the disk, in a thread of its own."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.engine.scheduler import Batch, joined
from bench.runs.folder import RunFolder
from bench.runs.parquet import LANE
from bench.runs.rows import LaneTable
from bench.runs.spans import Spans

FLUSH_SECONDS = 10.0
"""Ended lanes are written as a part of their own when the last part is older than this."""


class PartWriter:
    """Context that writes batches of ended lanes as parts of a run folder; on the way out, all that are left.

    A lane that ran again because its curve was lost must end as its row says: ValueError if it does not.
    """

    def __init__(self, store: RunFolder, table: LaneTable, lost: Spans, widths: list[int]) -> None:
        """`lost`: numbers of the lanes that run again for their curves; `widths`: of the blocks of each program, listed with each part."""
        self._store, self._table, self._lost, self._widths = store, table, lost, widths
        self._made_under = store.manifest.latest.id
        self._lost_numbers = lost.numbers()
        self._stored = store.rows(table.seeds_of(self._lost_numbers)) if lost else None
        self._pending: list[Batch] = []
        self._flushed = time.perf_counter()
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # Whatever ended the training: lanes that have ended are kept.
        try:
            self.flush()
            if self._writing:
                self._writing.result()
        finally:
            self._thread.shutdown()

    def add(self, batch: Batch) -> None:
        """Take over a batch of ended lanes."""
        self._pending.append(batch)

    def flush_if_due(self) -> None:
        """Write the pending batches if the last part is old enough."""
        if time.perf_counter() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand the pending batches to the thread, which is at most one part behind."""
        if self._writing:
            self._writing.result()
        # The list is emptied first: an interrupt may lose batches here, but never write them twice.
        batches, self._pending = self._pending, []
        if batches:
            self._writing = self._thread.submit(self._write, batches, list(self._widths))
        self._flushed = time.perf_counter()

    def _write(self, batches: list[Batch], widths: list[int]) -> None:
        batch = joined(batches)
        lanes = batch.columns["lane"]
        rows, again = self._table.rows(batch), self._lost.contains(lanes)
        if self._stored is not None and again.any():
            self._check_again(rows.filter(pa.array(again)), self._stored.take(np.searchsorted(self._lost_numbers, lanes[again])))
            rows = rows.filter(pa.array(~again))
        self._store.append({"curves": self._table.curves(batch), "lanes": rows}, (self._made_under,), block_width=widths)

    def _check_again(self, rows: pa.Table, stored: pa.Table) -> None:
        """Check that lanes that ran again have ended as their rows say; ValueError names the first that has not."""
        for name in stored.column_names:
            if not rows[name].equals(stored[name]):
                same = pc.fill_null(pc.equal(rows[name], stored[name]), False).to_numpy()
                both = pc.and_(rows[name].is_null(), stored[name].is_null()).to_numpy()
                place = int(np.flatnonzero(~(same | both))[0])
                lane = ":".join(str(stored[key][place]) for key in LANE)
                raise ValueError(
                    f"{self._store.folder}: training run {lane} ran again because its curve was lost, and differs from its row: {name} is "
                    f"{rows[name][place]}, stored {stored[name][place]}; --fresh trains all of them anew"
                )
