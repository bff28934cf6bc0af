"""Medians of a quantity, with their intervals, against a number."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.ecdf import DASHES
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, is_logarithmic, label, panels, value_label
from analysis.rows.load import Run
from analysis.rows.measures import with_worst
from analysis.stats.intervals import clustered_median
from bench.spec import Cell
from bench.spec import Figure as FigureSpec


@figure_kind(x="setting", y="column", color="axis?", panel="axis?", log=True, marks="Points: median, with 95% intervals.")
def trend(run: Run, figure: FigureSpec) -> Figure:
    """Median of `y` with its 95% order-statistic interval against `x`, a setting that is a number.

    Events that never happen count as infinite, and a median that is not reached is not drawn.
    """
    assert figure.x is not None and figure.y is not None
    rows = chosen(run, figure, run.lanes)
    rows = rows.assign(**{figure.x: settings_of(run, rows, figure.x)}).dropna(subset=[figure.x])
    colors = palette(list(rows[figure.color].cat.categories)) if figure.color else {None: ("#0072B2", "o")}
    log_x = is_logarithmic(rows[figure.x].to_numpy(float))
    rows = rows[rows[figure.x] > 0] if log_x else rows
    drawing, each = panels(rows, figure)
    drawn = []
    for axis, part in each:
        for index, (group, (color, mark)) in enumerate(colors.items()):
            inside = part if group is None else part[part[figure.color] == group]
            points = medians(run, inside, figure.x, figure.y)
            drawn.append(points["middle"].to_numpy())
            axis.errorbar(
                points.index + 0.0,
                points["middle"],
                [points["middle"] - points["low"], points["high"] - points["middle"]],
                fmt=mark,
                ls=DASHES[index % len(DASHES)],
                color=color,
                ms=4,
                capsize=2,
                lw=1,
                label=None if group is None else value_label(group),
            )
        if log_x:
            axis.set_xscale("log")
        if is_logarithmic(np.concatenate(drawn)) if figure.log is None else figure.log:
            axis.set_yscale("log")
    return finish(drawing, label(figure.x), label(figure.y), count_note(rows), label(figure.color) if figure.color else None)


def medians(run: Run, rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Median of `y` and its interval (columns) at each value of `x` where it is finite; intervals end at the outermost finite values."""
    values = with_worst(rows, y).dropna()
    found = {}
    for at, here in values.groupby(rows[x]):
        estimate = clustered_median(here.to_numpy(), run.clusters.loc[here.index].to_numpy())
        if np.isfinite(estimate.estimate):
            finite = here[np.isfinite(here)]
            found[at] = (estimate.estimate, max(estimate.low, finite.min()), min(estimate.high, finite.max()))
    return pd.DataFrame.from_dict(found, orient="index", columns=["middle", "low", "high"]).astype(float).sort_index()


def settings_of(run: Run, rows: pd.DataFrame, path: str) -> pd.Series:
    """The number at a dotted path of each row's settings; NaN if the cell has no such setting."""
    cells = {identity: setting(run.cell(identity), path) for identity in rows["cell"].unique()}
    return rows["cell"].map(cells).astype(float)


def setting(cell: Cell, path: str) -> Any:
    """A setting of a cell, or an option of one of its pieces; a list of one number is that number."""
    section, _, name = path.partition(".")
    piece = getattr(cell.settings, section)
    value = getattr(piece, "options", {}).get(name, getattr(piece, name, np.nan))
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
