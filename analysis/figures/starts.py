"""Results of each start of each architecture."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.share import intervals
from analysis.figures.style import chosen, count_note, finish, label
from analysis.rows.load import Run
from analysis.rows.measures import RATES
from bench.spec import Figure as FigureSpec

COLUMNS = 2
STANDARD = ("random", "normalized", "adaLN", "delta-orthogonal")
"""Starts that are usual for their architecture."""
LOOKS = {"usual start": ("#000000", "s"), "other start": ("#0072B2", "o")}
"""Color and mark of a start."""


@figure_kind(
    x="measure",
    axes=("case",),
    log=True,
    lines=True,
    marks="Marks: estimate, with 95% intervals; none where it is infinite, since runs diverged.",
)
def starts(run: Run, figure: FigureSpec) -> Figure:
    """One panel per architecture and one line per start, for cases that are called `architecture: start`.

    A line is the share of runs with the property `x`, or the median of a column `x`, with its 95% interval.
    """
    assert figure.x is not None
    rows = chosen(run, figure, run.lanes)
    cases = [str(case) for case in rows["case"].cat.categories]
    architectures = list(dict.fromkeys(case.partition(": ")[0] for case in cases))
    of = {name: [case for case in cases if case.partition(": ")[0] == name] for name in architectures}
    columns = [architectures[first::COLUMNS] for first in range(COLUMNS)]
    lines = max(sum(len(of[name]) + 1.2 for name in column) for column in columns)
    drawing = plt.figure(figsize=(6.9, 0.19 * lines + 0.9), layout="constrained")
    grid = drawing.add_gridspec(1, COLUMNS)
    first = None
    for column, names in enumerate(columns):
        heights = [len(of[name]) + 1.2 for name in names]
        inner = grid[column].subgridspec(len(names) + 1, 1, height_ratios=[*heights, lines - sum(heights) + 1e-3])
        for place, name in enumerate(names):
            axis = drawing.add_subplot(inner[place], sharex=first)
            first = first or axis
            middle, errors = intervals(run, rows, "case", of[name], figure.x)
            good = [case.partition(": ")[2] in STANDARD for case in of[name]]
            for position, standard in enumerate(good):
                color, mark = LOOKS["usual start" if standard else "other start"]
                bars = errors[:, position : position + 1]
                axis.errorbar(middle[position], position, xerr=bars, fmt=mark, color=color, ms=3.5, lw=1)
            axis.set_yticks(range(len(of[name])), [math_text(case.partition(": ")[2]) for case in of[name]], fontsize=7)
            axis.set_ylim(len(of[name]) - 0.4, -0.6)
            axis.set_title(math_text(name), fontsize=8, loc="left")
            axis.grid(axis="both", color="0.92", lw=0.6)
            axis.set_axisbelow(True)
            axis.tick_params(axis="y", length=0)
            axis.tick_params(axis="x", labelbottom=place == len(names) - 1)
            for text, value in figure.lines.items():
                axis.axvline(value, color="0.6", lw=0.7, ls="--", zorder=0, label=math_text(text))
    assert first is not None
    if any(case.partition(": ")[2] in STANDARD for case in cases):
        for text, (color, mark) in LOOKS.items():
            first.plot([], [], mark, color=color, ms=3.5, label=text)
    if figure.x in RATES or "share" in figure.x:
        first.set_xlim(-0.05, 1.05)
        first.set_xticks(np.linspace(0, 1, 6))
    elif figure.log:
        first.set_xscale("log")
    what = f"share of runs: {label(figure.x)}" if figure.x in RATES else f"median {label(figure.x)}"
    return finish(drawing, what, "", count_note(rows))
