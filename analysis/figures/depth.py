"""A measure, such as the accuracy, against the number of hidden layers."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.ecdf import DASHES
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.rows.load import Run
from analysis.rows.measures import best_value, measured
from analysis.stats.intervals import clustered_median
from bench.spec import Cell
from bench.spec import Figure as FigureSpec

APART = 0.035
"""Distance of two groups at one depth, as a share of the distance of a depth to its double."""


@figure_kind(x="axis?", y="measure", color="axis", panel="axis?", lines=True, marks="Points: median, with 95% intervals.")
def depth(run: Run, figure: FigureSpec) -> Figure:
    """Median of `y` with its 95% interval against the number of hidden layers, to scale on a logarithmic axis: one line per `color`.

    With `x`, an axis such as the learning rate, each point is at the best value of `x`: it is chosen on one half of the draws, and the
    other half is shown. Cells need a model with `widths`.
    """
    assert figure.y is not None and figure.color is not None
    rows = chosen(run, figure, run.lanes)
    layers = {identity: hidden_layers(run.cell(identity)) for identity in rows["cell"].unique()}
    rows = rows.assign(_layers=rows["cell"].map(layers).astype(int))
    colors = palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for place, (group, (color, mark)) in enumerate(colors.items()):
            inside = part[part[figure.color] == group]
            if inside.empty:
                continue
            points = {number: middle(run, here, figure.y, figure.x) for number, here in inside.groupby("_layers")}
            shift = 2 ** (APART * (place - (len(colors) - 1) / 2))
            style: dict[str, Any] = {"fmt": mark, "ls": DASHES[place % len(DASHES)], "color": color, "label": value_label(group)}
            _draw(axis, {number * shift: found for number, found in points.items()}, style)
        _scale(axis, sorted(set(layers.values())))
        for name, value in figure.lines.items():
            axis.axhline(value, color="0.6", lw=0.7, ls="--", zorder=0)
            axis.annotate(math_text(name), (1.01, value), xycoords=("axes fraction", "data"), fontsize=6.5, color="0.35", va="center")
    shown = rows[run.judges.loc[rows.index]] if figure.x else rows
    best = f"at the best {label(figure.x)}, " if figure.x else ""
    return finish(drawing, "hidden layers", f"median {label(figure.y)}", f"{best}{count_note(shown)}", label(figure.color))


def hidden_layers(cell: Cell) -> int:
    """Return the number of hidden layers of a cell's model; ValueError if it has no `widths`."""
    widths = cell.settings.model.options.get("widths")
    if widths is None:
        raise ValueError(f"model '{cell.settings.model.name}' has no widths of hidden layers")
    return len(widths)


def middle(run: Run, rows: pd.DataFrame, measure: str, best: str | None) -> tuple[float, float, float]:
    """Return the median of a measure and its interval, at the best value of the axis `best`; an interval ends where finite values do.

    NaN in place of a median that is not finite.
    """
    if best is not None:
        judges = run.judges.loc[rows.index]
        rows = rows[judges & (rows[best] == best_value(rows[~judges], best, measure))]
    values = measured(rows, measure)
    found = clustered_median(values, run.clusters.loc[rows.index].to_numpy())
    finite = values[np.isfinite(values)]
    if not np.isfinite(found.estimate):
        return np.nan, np.nan, np.nan
    return found.estimate, max(found.low, finite.min()), min(found.high, finite.max())


def _draw(axis: Axes, points: dict[float, tuple[float, float, float]], style: dict[str, Any]) -> None:
    estimate, low, high = np.array(list(points.values())).T
    axis.errorbar(np.array(list(points)), estimate, [estimate - low, high - estimate], ms=4, capsize=1.5, lw=1, **style)


def _scale(axis: Axes, layers: list[int]) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(layers, [str(number) for number in layers])
    axis.minorticks_off()
