"""One line per cell: outcomes, time to solve and final losses, with intervals."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.geometry.orbits import apart_from_coordinates, distinct_minima, orbit_distance, recorded, symmetry_of
from analysis.rows.load import Run
from analysis.rows.measures import measured, with_worst
from analysis.stats.distribution import iqm
from analysis.stats.intervals import clustered_median, clustered_rate, distinct, quantile_interval, wilson
from bench.spec import Cell

QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}

STEPS = "median of the draws' medians (inf: never), 95% interval of order statistics over draws"
TIED = "share, 95% interval of Wilson, or of Gaffke over the shares of independent draws"
ESTIMATORS: dict[str, tuple[str, str]] = {
    "lanes": ("init_seed", "number of rows"),
    "data_seeds": ("data_seed", "number of different values"),
    "independent": ("data_seed, or init_seed", "number of independent draws"),
    **dict.fromkeys(("solved", "solved_low", "solved_high"), ("outcome", TIED)),
    **dict.fromkeys(("unsolved", "stuck", "diverged"), ("outcome", "share")),
    **dict.fromkeys(("steps_median", "steps_low", "steps_high"), ("steps_to_solve", STEPS)),
    **{f"loss_{name}": ("loss_final", f"quantile {share}; infinite where that lane diverged") for name, share in QUARTILES.items()},
    "loss_iqm": ("loss_final", "interquartile mean; infinite where more than a quarter of the lanes diverged"),
    **{
        f"{name}_{end}": (f"{name}_final", "median, 95% interval of order statistics over draws; -inf where more than half diverged")
        for name in ("metric", "test_metric")
        for end in ("median", "low", "high")
    },
    **dict.fromkeys(("broken", "broken_low", "broken_high"), ("break_step", TIED)),
    **dict.fromkeys(("break_median", "break_low", "break_high"), ("break_step", "median of those that have one, 95% interval as above")),
    "distinct_minima": ("hidden_units_*", "number of different networks up to the symmetries of the hidden layer"),
    "orbit_distance": ("hidden_units_*", "median distance of two lanes' ends up to the symmetries of the hidden layer"),
}
"""The columns of the rows that each column of `summarize` is computed from, and how."""
READ = {column for column, _ in ESTIMATORS.values()}
"""The columns of the rows that `summarize` reads, besides those of hidden units."""


def rate_interval(run: Run, rows: pd.DataFrame, rate: str = "solved") -> tuple[float, float, float]:
    """Share of an outcome (or another rate) with its 95% interval: Wilson's where every row is independent, clustered otherwise."""
    hits = measured(rows, rate)
    clusters = run.clusters.loc[rows.index].to_numpy()
    if distinct(clusters) == len(rows):
        return wilson(int(hits.sum()), len(rows))[:3]
    return clustered_rate(hits, clusters)[:3]


def summarize(run: Run) -> pd.DataFrame:
    """The summary of a run: one line per cell, in the order of the grid.

    A line has the share of each outcome, the interval of the solved share, median steps to solve with their interval, quartiles and
    interquartile mean of the final loss, medians of the final metrics, and the numbers of lanes, data seeds and independent observations.
    A cell without an ended lane has no line.

    >>> import initbench as ib
    >>> ib.summarize(ib.load("results/runs/small"))["initializer"].tolist()
    ['zeros', 'glorot_normal']
    """
    lines: list[dict[str, Any]] = []
    read = (name for name in run.lanes if name in READ or str(name).startswith("hidden_units_"))
    by_cell = run.reading(*read).groupby("cell", sort=False)
    for cell in run.experiment.cells:
        if cell.id not in by_cell.indices:
            continue
        rows = by_cell.get_group(cell.id)
        share, low, high = rate_interval(run, rows)
        steps = clustered_median(measured(rows, "steps_to_solve"), run.clusters.loc[rows.index].to_numpy())
        loss = with_worst(rows, "loss_final").to_numpy()
        lines.append(
            {
                "cell": cell.id,
                **cell.axes,
                "lanes": len(rows),
                "data_seeds": distinct(rows["data_seed"].to_numpy()),
                "independent": distinct(run.clusters.loc[rows.index].to_numpy()),
                "solved": share,
                "solved_low": low,
                "solved_high": high,
                **{outcome: (rows["outcome"] == outcome).mean() for outcome in ("unsolved", "stuck", "diverged")},
                "steps_median": steps.estimate,
                "steps_low": steps.low,
                "steps_high": steps.high,
                **{f"loss_{name}": quantile_interval(loss, share).estimate for name, share in QUARTILES.items()},
                "loss_iqm": iqm(loss),
                **_metrics(run, rows),
                **_ties(run, rows),
                **_orbits(cell, rows),
            }
        )
    return pd.DataFrame(lines)


def _metrics(run: Run, rows: pd.DataFrame) -> dict[str, float]:
    """Medians of the final metric (accuracy, or R^2) on training and test data, with 95% intervals, as far as the task has them."""
    found: dict[str, float] = {}
    ended = rows["outcome"] != "diverged"
    for name in ("metric", "test_metric"):
        column = f"{name}_final"
        if column in rows and run.lanes[column].notna().any() and rows.loc[ended, column].notna().all():
            estimate = clustered_median(with_worst(rows, column).to_numpy(), run.clusters.loc[rows.index].to_numpy())
            found |= dict(zip((f"{name}_median", f"{name}_low", f"{name}_high"), estimate[:3], strict=True))
    return found


def _ties(run: Run, rows: pd.DataFrame) -> dict[str, float]:
    """Share of lanes whose equal units came apart, and the median step at which they did, with 95% intervals."""
    if "break_step" not in rows:
        return {}
    apart = rows[rows["break_step"].notna()]
    steps = clustered_median(apart["break_step"].to_numpy(float), run.clusters.loc[apart.index].to_numpy())
    names = ("broken", "broken_low", "broken_high", "break_median", "break_low", "break_high")
    return dict(zip(names, (*rate_interval(run, rows, "broken"), *steps[:3]), strict=True))


def _orbits(cell: Cell, rows: pd.DataFrame) -> dict[str, float]:
    """Number of different networks that the lanes ended at, and the median distance of two ends, up to the symmetries of the layer."""
    if not any(name.startswith("hidden_units_") for name in rows):
        return {}
    layers = apart_from_coordinates(cell, recorded(cell, rows))
    symmetry, inside = symmetry_of(cell)
    distances = [orbit_distance(a, b, inside, symmetry) for a, b in zip(layers[::2], layers[1::2], strict=False)]
    return {
        "distinct_minima": distinct_minima(layers, inside, symmetry) if len(layers) else np.nan,
        "orbit_distance": float(np.median(distances)) if distances else np.nan,
    }
