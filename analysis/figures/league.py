"""Comparisons of initializers."""

from collections.abc import Callable
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import PANEL, TITLE_LETTERS, chosen, count_note, finish, label, value_label
from analysis.rows.load import Run
from analysis.rows.measures import best_value, measured
from analysis.stats.order import p_improvement
from bench.spec import Figure as FigureSpec

MADE_FOR = {"relu": "he_normal", "tanh": "glorot_normal"}
"""The initializer that is recommended for an activation function."""


def at_best(run: Run, rows: pd.DataFrame, axis: str, measure: str) -> tuple[float, np.ndarray]:
    """The best value of `axis`, chosen on one half of the draws, and the values of `measure` there in the other half."""
    judges = run.judges.loc[rows.index]
    best = best_value(rows[~judges], axis, measure)
    return best, measured(rows[judges & (rows[axis] == best)], measure)


def _judged_note(run: Run) -> str:
    return count_note(run.lanes[run.judges])


def _forest(run: Run, figure: FigureSpec, draw: Callable[[Axes, pd.DataFrame, float, str, str, str], None]) -> Figure:
    """One panel per value of `panel`, one line per initializer, one mark per value of `color`."""
    assert figure.x is not None and figure.color is not None and figure.panel is not None and figure.y is not None
    rows = chosen(run, figure, run.lanes)
    names = list(rows["initializer"].cat.categories)
    parts = list(rows[figure.panel].cat.categories)
    colors = palette(list(rows[figure.color].cat.categories))
    size = (PANEL[0] * len(parts) + 1.4, 0.21 * len(names) + 1.2)
    drawing, axes = plt.subplots(1, len(parts), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained")
    for axis, part in zip(axes[0], parts, strict=True):
        axis.set_title(fill(value_label(part), TITLE_LETTERS // len(parts), break_long_words=False, break_on_hyphens=False))
        axis.set_yticks(range(len(names)), [value_label(name) for name in names])
        axis.set_ylim(len(names) - 0.4, -0.6)
        for index, (group, (color, mark)) in enumerate(colors.items()):
            inside = rows[(rows[figure.panel] == part) & (rows[figure.color] == group)]
            for position, name in enumerate(names):
                draw(axis, inside, position + (index - (len(colors) - 1) / 2) * 0.3, name, color, mark)
            axis.plot([], [], mark, color=color, ms=4, label=value_label(group))
        axis.grid(axis="y", color="0.93", lw=0.5)
        axis.set_axisbelow(True)
    return drawing


@figure_kind(
    x="measure",
    y="axis",
    color="axis",
    panel="axis",
    axes=("initializer",),
    lines=True,
    marks="Filled mark: median at the best {y}; bar: middle 80% of runs; open mark: median at the middle {y}.",
)
def league(run: Run, figure: FigureSpec) -> Figure:
    """Median and middle 80% of `x` per initializer, at the best value of the axis `y` and (small open mark) at its middle value."""
    assert figure.x is not None and figure.y is not None
    measure, rate = figure.x, figure.y
    rates = run.experiment.axes[rate]
    fixed = rates[len(rates) // 2]

    def draw(axis: Axes, inside: pd.DataFrame, height: float, name: str, color: str, mark: str) -> None:
        rows = inside[inside["initializer"] == name]
        _, values = at_best(run, rows, rate, measure)
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], method="nearest")
        axis.plot([low, high], [height, height], color=color, lw=1)
        axis.plot(middle, height, mark, color=color, ms=4)
        there = np.median(measured(rows[rows[rate] == fixed], measure))
        axis.plot(there, height, mark, color=color, ms=3, mfc="white", mew=0.7, zorder=1)

    drawing = _forest(run, figure, draw)
    for axis in drawing.axes:
        for name, value in figure.lines.items():
            axis.axvline(value, color="0.6", lw=0.7, ls="--", zorder=0, label=math_text(name))
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    return finish(drawing, label(measure), "", _judged_note(run))


@figure_kind(
    x="measure",
    y="axis",
    color="axis",
    panel="axis",
    axes=("initializer", "model.activation"),
    marks="Mark: at the best {y}; bar: 95% interval; dashed line: no difference.",
)
def league_odds(run: Run, figure: FigureSpec) -> Figure:
    """Probability that the initializer made for the activation function has the smaller `x`, both at the best value of the axis `y`."""
    assert figure.x is not None and figure.y is not None
    measure, rate = figure.x, figure.y

    def draw(axis: Axes, inside: pd.DataFrame, height: float, name: str, color: str, mark: str) -> None:
        reference = MADE_FOR[inside["model.activation"].iloc[0]]
        if name == reference:
            return
        _, ours = at_best(run, inside[inside["initializer"] == reference], rate, measure)
        _, theirs = at_best(run, inside[inside["initializer"] == name], rate, measure)
        found = p_improvement(theirs, ours)
        bars = [[max(found.estimate - found.low, 0)], [max(found.high - found.estimate, 0)]]
        axis.errorbar(found.estimate, height, xerr=bars, fmt=mark, color=color, ms=4, capsize=1.5, lw=0.9)

    drawing = _forest(run, figure, draw)
    for axis in drawing.axes:
        axis.axvline(0.5, color="0.5", lw=0.7, ls="--", zorder=0)
        axis.set_xlim(-0.04, 1.04)
    return finish(drawing, "P(He or Glorot has the smaller test loss)", "", _judged_note(run))
