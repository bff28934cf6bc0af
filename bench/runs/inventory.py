"""The inventory of a run folder: which training runs of an experiment are there, which have lost their curves, which parts are given up."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from bench.runs.folder import RunFolder
from bench.runs.manifest import Part
from bench.runs.numbering import FOREIGN, Numbering
from bench.runs.parquet import LANE
from bench.runs.spans import Spans


class Lanes(Protocol):
    """The facts about the lanes of an experiment that are needed to count those on disk."""

    @property
    def numbering(self) -> Numbering:
        """The numbers of the lanes."""

    @property
    def log_steps(self) -> Mapping[int, np.ndarray]:
        """Steps at which the curves of a cell are logged, by the number of the cell; a cell that is left out is not known."""

    def logged(self, numbers: np.ndarray) -> np.ndarray:
        """Return whether the curve of each of these lanes is kept."""


@dataclass
class Inventory:
    """The training runs of an experiment that are on disk, by the numbers of their lanes."""

    done: Spans
    """Lanes whose row is there."""
    lost: Spans
    """Lanes among `done` whose curve should be there and is not whole."""
    missing: Spans
    """Lanes that have to run, be it for their curves alone."""
    whole: bool
    """Whether nothing is missing of what the folder is to hold, and the rows are in order."""
    solved: int
    beyond: bool
    """Whether there are lanes of more seeds than the experiment has."""
    faults: list[str] = field(default_factory=list)


def inventory_of(store: RunFolder, table: Lanes, wanted: Spans) -> Inventory:
    """Read all parts, take those off the list that are damaged or not of this experiment, and count the rest.

    `wanted` are the numbers of the lanes that the folder is to hold. No more than one part is in memory at a time, beside the curves'
    steps. ValueError if the folder was begun with seeds that the experiment does not have, and is not complete. OSError if a part cannot be
    read.
    """
    none = Spans.between(0, 0)
    if store.new:
        return Inventory(none, none, wanted, False, 0, False)
    counted = _Counted(store, table)
    if counted.given_up:
        store.give_up(counted.given_up)
    missing = (wanted - counted.done) | counted.lost
    whole = not missing and store.manifest.whole
    if counted.beyond and not whole:
        raise ValueError(
            f"{store.folder}: was begun with more seeds than this experiment has ({store.manifest.lanes:,} training runs, this makes "
            f"{len(table.numbering.all):,}); take at least as many, or --fresh trains anew"
        )
    return Inventory(counted.done, counted.lost, missing, whole, counted.solved, counted.beyond, counted.faults)


class _Counted:
    """The contents of the parts of a run folder, counted part by part."""

    def __init__(self, store: RunFolder, table: Lanes) -> None:
        self._store, self._table = store, table
        self.given_up: list[Part] = []
        self.faults: list[str] = []
        self.done = Spans.between(0, 0)
        self.beyond, self.solved = False, 0
        logged = self._count_lanes()
        self.lost = _without_curve(table, logged, self._sound("curves", ["step"]))

    def _count_lanes(self) -> pd.DataFrame:
        """Count the training runs; return the steps of those that should have a curve, by the numbers of their lanes."""
        logged = [pd.DataFrame({"lane": np.zeros(0, np.int64), "steps_run": np.zeros(0, np.int64)})]
        for part, rows in self._sound("lanes", ["outcome", "steps_run"]):
            numbers = rows["lane"].to_numpy()
            known = numbers[numbers >= 0]
            here = Spans.of(known)
            if len(here) < len(known) or here & self.done:
                self._give_up(part, f"{self._store.folder / part.file}: has training runs twice, or that stand in another part as well")
                continue
            self.done |= here
            self.beyond |= len(known) < len(numbers)
            rows = rows[numbers >= 0]
            self.solved += int((rows["outcome"] == "solved").sum())
            logged.append(rows.loc[self._table.logged(known), ["lane", "steps_run"]])
        return pd.concat(logged, ignore_index=True)

    def _sound(self, kind: str, columns: list[str]) -> Iterator[tuple[Part, pd.DataFrame]]:
        """Yield the parts of a kind that can be kept, with these columns and the numbers of their lanes; the others are given up."""
        for part, rows in self._store.intact(kind, [*LANE, *columns]):
            if isinstance(rows, str):
                self._give_up(part, rows)
                continue
            lane = np.full(len(rows), FOREIGN) if rows[LANE].isna().any(axis=None) else self._table.numbering.of(rows)
            if (lane == FOREIGN).any():
                self._give_up(part, f"{self._store.folder / part.file}: has training runs that are not of this experiment")
            else:
                yield part, rows[columns].assign(lane=lane)

    def _give_up(self, part: Part, why: str) -> None:
        self.given_up.append(part)
        self.faults.append(f"{why}; what is lost with it is made anew")


def _without_curve(table: Lanes, logged: pd.DataFrame, curves: Iterable[tuple[Part, pd.DataFrame]]) -> Spans:
    """Return the lanes that should have a curve, and have none from step 0 to the lane's end with every logged step between."""
    wanted = logged.set_index("lane")["steps_run"].sort_index()
    points = pd.concat([pd.DataFrame({"step": [], "lane": []}, dtype=np.int64), *(rows for _, rows in curves)], ignore_index=True)
    found = points.drop_duplicates().groupby("lane")["step"].agg(["size", "min", "max"]).reindex(wanted.index, fill_value=-1)
    expected, seeds = pd.Series(0, index=wanted.index), len(table.numbering.seeds)
    for cell, group in wanted.groupby(wanted.index // seeds):
        steps = table.log_steps.get(cell)
        if steps is None:
            # All lanes of a cell are logged at the same steps, and at their ends.
            inner = (points["lane"] // seeds == cell) & (points["step"] != points["lane"].map(wanted))
            steps = np.unique(points.loc[inner, "step"])
        expected[group.index] = np.searchsorted(steps, group.to_numpy(), "left") + 1
    whole = (found["size"] == expected) & (found["min"] == 0) & (found["max"] == wanted)
    return Spans.of(wanted.index[~whole.to_numpy()].to_numpy(np.int64))
