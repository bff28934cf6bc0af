"""The stock of a run folder: which training runs of an experiment are there, which have lost their curves, which parts are given up."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench.runs.folder import RunFolder
from bench.runs.manifest import Part
from bench.runs.parquet import LANE
from bench.runs.rows import BEYOND, FOREIGN, LaneTable


@dataclass
class Stock:
    """The training runs of an experiment that are on disk, by the numbers of their lanes (sorted)."""

    done: np.ndarray
    """Lanes whose row is there."""
    lost: np.ndarray
    """Lanes among `done` whose curve should be there and is not whole."""
    missing: bool
    """Whether a lane has to run, be it for its curve alone."""
    whole: bool
    """Whether nothing is missing, and the rows are in order."""
    solved: int
    beyond: bool
    """Whether there are lanes of more seeds than the experiment has."""
    faults: list[str] = field(default_factory=list)


def take_stock(store: RunFolder, table: LaneTable) -> Stock:
    """Read all parts, take those off the list that are damaged or not of this experiment, and count the rest.

    ValueError if the folder was begun with seeds that the experiment does not have, and is not complete. OSError if a part cannot be read.
    """
    nothing = np.zeros(0, np.int64)
    if store.new:
        return Stock(nothing, nothing, True, False, 0, False)
    lost_parts: list[Part] = []
    faults: list[str] = []
    rows, curves = (_sound(store, table, kind, lost_parts, faults) for kind in ("lanes", "curves"))
    if lost_parts:
        store.give_up(lost_parts)
    lanes = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"lane": nothing, "outcome": [], "steps_run": nothing})
    beyond = bool((lanes["lane"] == BEYOND).any())
    lanes = lanes[lanes["lane"] >= 0].sort_values("lane")
    done = lanes["lane"].to_numpy(np.int64)
    total = table.experiment.lanes
    lost = _without_curve(table, lanes, curves)
    missing = len(done) < total or len(lost) > 0
    whole = not missing and store.manifest.complete
    if beyond and not whole:
        raise ValueError(
            f"{store.folder}: was begun with more seeds than this experiment has ({store.manifest.lanes:,} training runs, this makes "
            f"{total:,}); take at least as many, or --fresh trains anew"
        )
    return Stock(done, lost, missing, whole, int((lanes["outcome"] == "solved").sum()), beyond, faults)


def _sound(store: RunFolder, table: LaneTable, kind: str, lost: list[Part], faults: list[str]) -> list[pd.DataFrame]:
    """Return the rows of the parts of a kind that can be kept, with the numbers of their lanes; `lost` and `faults` get the other parts."""
    kept: list[tuple[Part, pd.DataFrame]] = []

    def give_up(part: Part, why: str) -> None:
        lost.append(part)
        faults.append(f"{why}; what is lost with it is made anew")

    for part, rows in store.intact(kind, [*LANE, *(["outcome", "steps_run"] if kind == "lanes" else ["step"])]):
        if isinstance(rows, str):
            give_up(part, rows)
            continue
        lane = FOREIGN if rows[LANE].isna().any(axis=None) else table.numbers(rows)
        rows = rows.assign(lane=lane).drop(columns=LANE)
        if (rows["lane"] == FOREIGN).any():
            give_up(part, f"{store.folder / part.file}: has training runs that are not of this experiment")
        else:
            kept.append((part, rows))
    if kind == "lanes" and kept:
        numbers = pd.concat([rows["lane"] for _, rows in kept])
        again = (numbers.duplicated() & (numbers >= 0)).to_numpy()
        edges = np.cumsum([len(rows) for _, rows in kept])[:-1]
        twice = [part for (part, _), here in zip(kept, np.split(again, edges), strict=True) if here.any()]
        for part in twice:
            give_up(part, f"{store.folder / part.file}: has training runs twice, or that stand in another part as well")
        kept = [(part, rows) for part, rows in kept if part not in twice]
    return [rows for _, rows in kept]


def _without_curve(table: LaneTable, lanes: pd.DataFrame, curves: list[pd.DataFrame]) -> np.ndarray:
    """Return the lanes that should have a curve, and have none from step 0 to the lane's end with every logged step between."""
    numbers = lanes["lane"].to_numpy(np.int64)
    wanted = lanes[table.logged(numbers)].set_index("lane")["steps_run"]
    points = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame({"lane": [], "step": []}, dtype=np.int64)
    found = points.drop_duplicates().groupby("lane")["step"].agg(["size", "min", "max"]).reindex(wanted.index, fill_value=-1)
    expected = pd.Series(0, index=wanted.index)
    for cell, group in wanted.groupby(wanted.index // table.seeds):
        expected[group.index] = np.searchsorted(table.log_steps[cell], group.to_numpy(), "left") + 1
    whole = (found["size"] == expected) & (found["min"] == 0) & (found["max"] == wanted)
    return wanted.index[~whole.to_numpy()].to_numpy(np.int64)
