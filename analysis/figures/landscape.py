"""Ends of training: their spread over random starts, and the number of different ones."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.ecdf import DASHES
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, is_logarithmic, label, panels, rc, value_label
from analysis.geometry.orbits import apart_from_coordinates, ends, orbit_distance, recorded, symmetry_of
from analysis.rows.load import Run
from analysis.rows.measures import with_worst
from bench.spec import Figure as FigureSpec

SAME = 1e-4
"""Largest difference of any number between two ends that count as the same."""


@figure_kind(
    x="axis",
    y="column",
    color="group?",
    panel="axis?",
    log=True,
    lines=True,
    marks="Mark: median; thick line: middle half; thin line: middle 90%; dots: extremes.",
)
def spread(run: Run, figure: FigureSpec) -> Figure:
    """Distribution of `y` at each value of `x`: median (mark), middle half (thick), middle 90% (thin), extremes (dots). A run that diverged
    has the worst value, which is not drawn where it is infinite."""
    assert figure.x is not None and figure.y is not None
    rows = chosen(run, figure, run.lanes)
    across = list(rows[figure.x].cat.categories)
    groups = list(dict.fromkeys(rows[figure.color].sort_values())) if figure.color else [None]
    colors = palette(groups) if figure.color else {None: ("#0072B2", "o")}
    rows = rows.assign(**{figure.y: with_worst(rows, figure.y)})
    values = rows.loc[np.isfinite(rows[figure.y]), figure.y].to_numpy(float)
    log = is_logarithmic(values) and not (values < 0).any() if figure.log is None else figure.log
    # Values below a millionth of the largest one stand at the lower edge of a logarithmic axis.
    floor = values.max(initial=0.0) * 1e-6 if log else -np.inf
    drawing, each = panels(rows, figure, share_y=False)
    for axis, part in each:
        for offset, group in enumerate(groups):
            inside = part if group is None else part[part[figure.color] == group]
            color, mark = colors[group]
            text = None if group is None else value_label(group)
            for position, value in enumerate(across):
                here = np.maximum(inside.loc[inside[figure.x] == value, figure.y].dropna().to_numpy(float), floor)
                if len(here) == 0:
                    continue
                place = position + (offset - (len(groups) - 1) / 2) * 0.3
                # Lines end at the last finite value; there is no value between a finite one and infinity.
                finite = here[np.isfinite(here)]
                if len(finite) == 0:
                    continue
                quantiles = np.quantile(here, [0.05, 0.25, 0.5, 0.75, 0.95], method="linear" if len(finite) == len(here) else "nearest")
                low, quarter, _, three_quarters, high = quantiles.clip(finite.min(), finite.max())
                axis.plot([place] * 2, [finite.min(), finite.max()], ".", color=color, ms=2, alpha=0.6)
                axis.plot([place] * 2, [low, high], "-", color=color, lw=1)
                axis.plot([place] * 2, [quarter, three_quarters], "-", color=color, lw=3.5, alpha=0.6, solid_capstyle="butt")
                axis.plot(place, quantiles[2], mark, color=color, ms=4.5, mec="white", mew=0.6, label=text)
                text = None
        for name, value in figure.lines.items():
            axis.axhline(value, color="0.6", lw=0.7, zorder=0)
            axis.annotate(math_text(name), (1.01, value), xycoords=("axes fraction", "data"), fontsize=6.5, color="0.35", va="center")
        axis.set_xticks(range(len(across)), [value_label(value) for value in across])
        if log:
            axis.set_yscale("log")
    return finish(drawing, label(figure.x), label(figure.y), count_note(rows), label(figure.color) if figure.color else None)


@figure_kind(color="axis", columns=("hidden_units_0_final",))
def minima(run: Run, figure: FigureSpec) -> Figure:
    """The number of different ends of the first starts of a sweep, and the distance of each end from the first solved one, per value of
    `color`.

    Both are up to the symmetries of the hidden layer, so cells need the probe `hidden_units`.
    """
    assert figure.color is not None
    rows = chosen(run, figure, run.lanes)
    colors = palette(list(rows[figure.color].cat.categories))
    with mpl.rc_context(rc()):
        drawing, (left, right) = plt.subplots(1, 2, figsize=(5.6, 2.6), layout="constrained")
    for index, (value, (color, _)) in enumerate(colors.items()):
        part = rows[rows[figure.color] == value].sort_values("init_seed")
        cell = run.cell(part["cell"].iloc[0])
        layers = apart_from_coordinates(cell, recorded(cell, part))
        symmetry, inside = symmetry_of(cell)
        style = {"color": color, "ls": DASHES[index % len(DASHES)], "label": value_label(value)}
        first = ~pd.Series(ends(layers, inside, symmetry, SAME)).duplicated()
        starts = np.arange(1, len(layers) + 1)
        left.step(starts, first.cumsum(), where="post", **style)
        solution = layers[(part["outcome"] == "solved").to_numpy()][0]
        distances = np.sort([orbit_distance(layer, solution, inside, symmetry) for layer in layers])
        right.step(distances, starts / len(starts), where="post", **style)
    left.set(xscale="log", ylim=(0, None), xlabel="random starts", ylabel="different ends")
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="distance to the solution", ylabel="share of starts", ylim=(-0.03, 1.03))
    return finish(drawing, "ends up to the symmetries of the hidden layer", "", count_note(rows), label(figure.color))
