"""Shares of lanes and medians, with their intervals: over a setting, or as a list of conditions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.rows.load import Run
from analysis.rows.measures import RATES, columns_of, measured
from analysis.rows.summary import rate_interval
from analysis.stats.intervals import clustered_median
from bench.spec import Figure as FigureSpec

SHIFT = 0.3
"""Distance between groups at one place of the axis."""


@figure_kind(x="axis", y="rate", color="axis?", panel="axis?", marks="Marks: share of runs, with 95% intervals.")
def share(run: Run, figure: FigureSpec) -> Figure:
    """Share of lanes with the property `y` (an outcome, or `broken`) by the values of `x`, with 95% intervals."""
    assert figure.x is not None and figure.y is not None
    rows = chosen(run, figure, run.reading(*columns_of(figure.y), *figure.where))
    across, groups = list(rows[figure.x].cat.categories), _groups(rows, figure)
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for shift, (group, (color, mark)) in zip(_shifts(len(groups)), groups.items(), strict=True):
            inside = part if group is None else part[part[figure.color] == group]
            middle, errors = intervals(run, inside, figure.x, across, figure.y)
            places, text = np.arange(len(across)) + shift, None if group is None else value_label(group)
            axis.errorbar(places, middle, errors, fmt=mark, color=color, ms=4, capsize=2, lw=1, label=text)
        axis.set_xticks(range(len(across)), [value_label(value) for value in across])
        axis.set_ylim(-0.05, 1.05)
        axis.grid(axis="y", color="0.92", lw=0.6)
    text = label(figure.color) if figure.color else None
    return finish(drawing, label(figure.x), f"share of runs: {label(figure.y)}", count_note(rows), text)


@figure_kind(x="measure", y="axis", color="axis?", panel="axis?", log=True, lines=True, marks="Marks: estimate, with 95% intervals.")
def forest(run: Run, figure: FigureSpec) -> Figure:
    """One line per value of `y` with its 95% interval: the share of runs with the property `x`, or the median of a column `x`."""
    assert figure.x is not None and figure.y is not None
    rows = chosen(run, figure, run.reading(*columns_of(figure.x), *figure.where))
    lines, groups = list(rows[figure.y].cat.categories), _groups(rows, figure)
    drawing, each = panels(rows, figure)
    count = len(drawing.axes)
    drawing.set_size_inches(1.9 * count + 1.7, 0.27 * len(lines) + 1.2)
    for axis, part in each:
        for shift, (group, (color, mark)) in zip(_shifts(len(groups)), groups.items(), strict=True):
            inside = part if group is None else part[part[figure.color] == group]
            middle, errors = intervals(run, inside, figure.y, lines, figure.x)
            places, text = np.arange(len(lines)) + shift, None if group is None else value_label(group)
            axis.errorbar(middle, places, xerr=errors, fmt=mark, color=color, ms=4, capsize=0, lw=1, label=text)
        axis.set_yticks(range(len(lines)), [value_label(value) for value in lines])
        axis.set_ylim(len(lines) - 0.4, -0.6)
        if figure.x in RATES:
            axis.set_xlim(-0.06, 1.06)
            axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        elif figure.log:
            axis.set_xscale("log")
        for name, value in figure.lines.items():
            axis.axvline(value, color="0.6", lw=0.7, ls="--", zorder=0)
            axis.annotate(
                math_text(name), (value, 1), xycoords=("data", "axes fraction"), fontsize=6.5, color="0.35", ha="center", va="bottom"
            )
        axis.grid(axis="both", color="0.92", lw=0.6)
        axis.tick_params(axis="y", length=0)
    text = label(figure.color) if figure.color else None
    what = f"share of runs: {label(figure.x)}" if figure.x in RATES else f"median {label(figure.x)}"
    return finish(drawing, what, "", count_note(rows), text)


def _groups(rows: pd.DataFrame, figure: FigureSpec) -> dict[object, tuple[str, str]]:
    return palette(list(rows[figure.color].cat.categories)) if figure.color else {None: ("#0072B2", "o")}


def _shifts(n: int) -> np.ndarray:
    return (np.arange(n) - (n - 1) / 2) * SHIFT


def intervals(run: Run, rows: pd.DataFrame, axis: str, values: Sequence[object], measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Shares or medians at values of an axis, and the lengths of their intervals below and above; NaN where there are no lanes."""
    found = np.full((len(values), 3), np.nan)
    for position, value in enumerate(values):
        here = rows[rows[axis] == value]
        if len(here):
            if measure in RATES:
                found[position] = rate_interval(run, here, measure)
            else:
                found[position] = clustered_median(measured(here, measure), run.clusters.loc[here.index].to_numpy())[:3]
    middle, low, high = found.T
    # A median that is never reached has no finite interval.
    with np.errstate(invalid="ignore"):
        return middle, np.maximum([middle - low, high - middle], 0)
