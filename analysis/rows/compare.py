"""Comparison of two runs: the same lanes under two versions, devices, or experiments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.rows.load import Run, drawn, drawn_pairs, load
from analysis.rows.measures import measured
from analysis.stats.intervals import Interval, clustered_rate
from analysis.stats.order import p_improvement
from bench.spec import Cell

SEEDS = ["data_seed", "init_seed"]
MOST = 10
"""Number of lanes that are named, those on which the runs disagree most."""


@dataclass(frozen=True)
class Match:
    """A cell of each run, compared with each other."""

    a: Cell
    b: Cell
    label: str
    lanes: int
    """Number of pairs of lanes with the same seeds; the number of lanes of the first cell if there are no pairs."""
    paired: bool
    same_bits: float
    """Share of pairs that end with the same parameters, to the last bit; NaN if not paired."""
    solved_a: float
    solved_b: float
    solved_more: Interval
    """Share of the pairs with one solved lane in which it is that of the second run; unpaired: P(second more often)."""
    loss_larger: Interval
    """Share of the pairs with different final losses in which that of the second run is larger; unpaired: P(larger)."""


@dataclass(frozen=True)
class Comparison:
    """The common cells of two runs, and their largest differences."""

    matches: list[Match]
    disagreements: pd.DataFrame
    """Pairs with different outcomes first, and then by the distance of the logarithms of their final losses."""
    differs: list[str]
    """Differences between the versions and devices of the two runs."""


def compare(first: Path, second: Path) -> Comparison:
    """Compare two runs (or reports) cell by cell; ValueError if they have no cell in common.

    Cells are the same if their settings are. If no settings are the same, cells are matched by their values on the axes that both
    experiments have.
    """
    a, b = load(first), load(second)
    matches, pairs = [], []
    for mine, other, label in _cells(a, b):
        match, rows = _matched(a, b, mine, other, label)
        matches.append(match)
        pairs.append(rows)
    return Comparison(matches, _disagreements(pd.concat(pairs, ignore_index=True)), a.manifest.made_otherwise(b.manifest))


def _cells(a: Run, b: Run) -> list[tuple[Cell, Cell, str]]:
    ids = {cell.id: cell for cell in b.experiment.cells}
    same = [(cell, ids[cell.id], _label(cell.axes)) for cell in a.experiment.cells if cell.id in ids]
    if same:
        return same
    shared = [axis for axis, values in a.experiment.axes.items() if set(values) & set(b.experiment.axes.get(axis, []))]
    found = []
    for cell in a.experiment.cells:
        alike = [other for other in b.experiment.cells if all(cell.axes[axis] == other.axes[axis] for axis in shared)]
        if len(alike) > 1:
            place = _label({axis: cell.axes[axis] for axis in shared})
            raise ValueError(f"{b.folder}: {len(alike)} cells " + (f"with {place}" if place else f"and no axis in common with {a.folder}"))
        found += [(cell, other, _label({axis: cell.axes[axis] for axis in shared})) for other in alike]
    if len({other.id for _, other, _ in found}) < len(found):
        raise ValueError(f"{a.folder}: several cells with the same {', '.join(shared) or 'settings'} as one cell of {b.folder}")
    if not found:
        raise ValueError(f"{a.folder} and {b.folder}: no cells in common; they share the axes {', '.join(shared) or 'none'}")
    return found


def _label(axes: dict[str, Any]) -> str:
    return ", ".join(f"{axis} = {value}" for axis, value in axes.items())


def _matched(a: Run, b: Run, mine: Cell, other: Cell, label: str) -> tuple[Match, pd.DataFrame]:
    kept = ["outcome", "loss_final", "steps_run", "params_digest"]
    left, right = (run.reading(*kept)[run.lanes["cell"] == cell.id] for run, cell in ((a, mine), (b, other)))
    rows = left.merge(right, on=SEEDS, suffixes=("_a", "_b"))
    rows = rows[[*SEEDS, *(f"{name}_{side}" for name in kept for side in "ab")]].assign(cell=mine.id, label=label)
    solved = [measured(side, "solved") for side in (left, right)]
    losses = [measured(side, "loss_final") for side in (left, right)]
    if rows.empty:
        sides = [run.clusters.loc[side.index].to_numpy() for run, side in ((b, right), (a, left))]
        more, larger = (p_improvement(ours[1], ours[0], *sides) for ours in (solved, losses))
        return Match(mine, other, label, len(left), False, np.nan, solved[0].mean(), solved[1].mean(), more, larger), rows
    clusters = drawn_pairs(*(drawn(run, rows.assign(cell=cell.id)).to_numpy() for run, cell in ((a, mine), (b, other))))
    outcomes = [(rows[f"outcome_{side}"] == "solved").to_numpy(float) for side in "ab"]
    finals = [rows[f"loss_final_{side}"].fillna(np.inf).to_numpy(float) for side in "ab"]
    width = min(rows[f"params_digest_{side}"].str.len().min() for side in "ab")
    same = rows["params_digest_a"].str[:width] == rows["params_digest_b"].str[:width]
    more, larger = (_larger_of_those_that_differ(one, two, clusters) for one, two in (outcomes, finals))
    return Match(mine, other, label, len(rows), True, float(same.mean()), outcomes[0].mean(), outcomes[1].mean(), more, larger), rows


def _larger_of_those_that_differ(a: np.ndarray, b: np.ndarray, clusters: np.ndarray) -> Interval:
    differ = a != b
    return clustered_rate((b > a)[differ], clusters[differ]) if differ.any() else Interval(np.nan, 0.0, 1.0, 0)


def _disagreements(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return rows
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(rows[f"loss_final_{side}"].fillna(np.inf).to_numpy(float)) for side in "ab"]
        distance = np.where(logs[0] == logs[1], 0.0, np.abs(logs[0] - logs[1]))
    rows = rows.assign(other_outcome=rows["outcome_a"] != rows["outcome_b"], distance=distance)
    rows = rows[rows["other_outcome"] | (rows["distance"] > 0)]
    return rows.sort_values(["other_outcome", "distance"], ascending=False, kind="stable").head(MOST)
