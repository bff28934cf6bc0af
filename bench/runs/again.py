"""Training runs that run again because their curves were lost."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.runs.folder import RunFolder
from bench.runs.parquet import LANE
from bench.runs.rows import LaneTable
from bench.runs.spans import Spans


class Again:
    """Lanes that run once more for their curves alone: they must end as their stored rows say."""

    def __init__(self, store: RunFolder, table: LaneTable, lost: Spans) -> None:
        self._store, self._table, self._lost = store, table, lost
        self._numbers = lost.numbers()
        self._stored = store.rows(table.seeds_of(self._numbers)) if lost else None

    def __bool__(self) -> bool:
        return self._stored is not None

    def checked(self, rows: pa.Table) -> pa.Table:
        """Return the rows of the lanes that were not there; ValueError names the first lane that was there and has another row."""
        if self._stored is None:
            return rows
        lanes = self._table.numbering.of(rows.select(LANE).to_pandas())
        again = self._lost.contains(lanes)
        self._check(rows.filter(pa.array(again)), self._stored.take(np.searchsorted(self._numbers, lanes[again])))
        return rows.filter(pa.array(~again))

    def _check(self, rows: pa.Table, stored: pa.Table) -> None:
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
