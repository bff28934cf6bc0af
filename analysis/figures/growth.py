"""The rate of growth of a small quantity from step to step."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.ecdf import DASHES
from analysis.figures.palette import palette
from analysis.figures.style import chosen, finish, label, panels, value_label
from analysis.rows.load import Run
from bench.runs.networks import BREAK
from bench.spec import Figure as FigureSpec

FEWEST = 0.5
"""Least share of runs that must have a rate for rates to be shown: lanes that break last are the slowest."""


@figure_kind(y="curve", color="axis", panel="axis?", marks="Line: median; band: middle 80% of runs.")
def growth(run: Run, figure: FigureSpec) -> Figure:
    """Local rate of growth of `y`, d ln y / d step between logged steps, while it is below the spread that counts as broken."""
    assert figure.y is not None and figure.color is not None
    axes = run.lanes[["cell", *run.experiment.axes]].drop_duplicates("cell")
    rows = chosen(run, figure, run.curves.merge(axes, on="cell"))
    colors = palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    counts = set()
    for axis, part in each:
        for index, (group, (color, _)) in enumerate(colors.items()):
            rates = local_rates(part[part[figure.color] == group], figure.y)
            if rates.empty:
                continue
            counts.add(rates.shape[1])
            low, middle, high = rates.quantile([0.1, 0.5, 0.9], axis=1).to_numpy()
            axis.fill_between(rates.index, low, high, color=color, alpha=0.12, lw=0)
            axis.plot(rates.index, middle, color=color, ls=DASHES[index % len(DASHES)], label=value_label(group))
        axis.axhline(0, color="0.6", lw=0.7, zorder=0)
        axis.set_xscale("log")
    n = f"n = {min(counts):,} runs each" if len(counts) == 1 else f"n = {min(counts):,} to {max(counts):,} runs each"
    return finish(drawing, "gradient steps", "rate of growth per step", n, label(figure.color))


def local_rates(points: pd.DataFrame, name: str) -> pd.DataFrame:
    """d ln y / d step (at the geometric mean of logged steps, by lane), up to the first value above the breaking spread."""
    table = points.pivot_table(index="step", columns=["cell", "data_seed", "init_seed"], values=name, observed=True)
    # The step at which a lane ended is not logged by the others.
    table = table[table.notna().mean(axis=1) >= FEWEST]
    small = (table < BREAK).cummin() & (table > 0)
    steps = table.index.to_numpy(float)
    rates = np.log(table.where(small)).diff().iloc[1:].div(np.diff(steps), axis=0)
    rates.index = pd.Index(np.sqrt(np.maximum(steps[:-1], 0.7) * steps[1:]))
    return rates[rates.notna().mean(axis=1) >= FEWEST]
