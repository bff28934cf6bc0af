"""Ended lanes on their way to the disk, in a thread of its own."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from bench.engine.scheduler import Batch, joined
from bench.runs.again import Again
from bench.runs.folder import RunFolder
from bench.runs.rows import LaneTable
from bench.runs.spans import Spans

MOST_ROWS = 1 << 20
"""Rows that a cluster has sent are written once there are so many, if not before."""
FLUSH_SECONDS = 10.0
"""Ended lanes are written as a part of their own when the last part is older than this."""


class PartWriter:
    """Context that writes batches of ended lanes as parts of a run folder; on the way out, all that are left.

    A lane that ran again because its curve was lost must end as its row says: ValueError if it does not.
    """

    def __init__(self, store: RunFolder, table: LaneTable, lost: Spans, widths: list[int]) -> None:
        """`lost`: numbers of the lanes that run again for their curves; `widths`: of the blocks of each program, listed with each part."""
        self._store, self._table, self._widths = store, table, widths
        self._made_under = store.manifest.latest.id
        self._again = Again(store, table, lost)
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
        rows = {"curves": self._table.curves(batch), "lanes": self._again.checked(self._table.rows(batch))}
        self._store.append(rows.items(), (self._made_under,), block_width=widths)
