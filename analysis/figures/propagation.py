"""Signals forward and gradients backward, layer by layer."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import LEGEND_INCHES, PANEL, chosen, count_note, finish, is_logarithmic, label, rc, value_label
from analysis.laws.propagation import predicted
from analysis.rows.load import Run
from bench.spec import Cell
from bench.spec import Figure as FigureSpec

SEEDS = 20
"""Number of lanes whose activations and gradients are computed again for the densities."""


@figure_kind(
    color="axis",
    columns=("signal_variance_0_initial", "gradient_variance_0_initial"),
    marks="Marks: mean; dotted line: median; band: middle 80% of runs; solid line: the law.",
)
def propagation(run: Run, figure: FigureSpec) -> Figure:
    """Signal (left) and gradient (right) by hidden layer: middle 80% and median of lanes, their mean (marks), the law (lines)."""
    assert figure.color is not None
    rows = chosen(run, figure, run.lanes)
    colors = palette(list(rows[figure.color].cat.categories))
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 0.9, PANEL[1] + LEGEND_INCHES + 0.5), layout="constrained")
    for group, (color, mark) in colors.items():
        here = rows[rows[figure.color] == group]
        for axis, (column, lengths) in zip(axes, predicted(run.cell(here["cell"].iloc[0])).items(), strict=True):
            _by_layer(axis, here, column, color, mark, value_label(group))
            axis.plot(np.arange(1, len(lengths) + 1), lengths, color=color, lw=0.9)
            axis.set_title(label(column))
            axis.set_xticks(np.arange(1, len(lengths) + 1))
    for axis in axes:
        if is_logarithmic(np.concatenate([line.get_ydata() for line in axis.lines])):
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
    return finish(drawing, "hidden layer", "mean square", count_note(rows), None if figure.color == "case" else label(figure.color))


def _by_layer(axis: Axes, rows: pd.DataFrame, column: str, color: str, mark: str, name: str) -> None:
    names = [f"{column}_{layer}_initial" for layer in range(len(rows.columns)) if f"{column}_{layer}_initial" in rows]
    values = rows[names].dropna(axis=1, how="all")
    layers = np.arange(1, values.shape[1] + 1)
    low, middle, high = values.quantile([0.1, 0.5, 0.9]).to_numpy()
    axis.fill_between(layers, low, high, color=color, alpha=0.15, lw=0)
    axis.plot(layers, middle, color=color, ls=":", lw=1)
    axis.plot(layers, values.mean(), mark, color=color, ms=4, label=name)


@figure_kind(panel="axis?")
def layers(run: Run, figure: FigureSpec) -> Figure:
    """Densities of activations (top) and of slopes in the pre-activations (bottom) before training, one line per hidden layer."""
    rows = chosen(run, figure, run.lanes)
    groups = list(rows[figure.panel].cat.categories) if figure.panel else [None]
    shown = []
    for group in groups:
        here = rows if group is None else rows[rows[figure.panel] == group]
        first = here[here["cell"] == here["cell"].iloc[0]].sort_values("init_seed").head(SEEDS)
        shown.append(_passes(run, run.cell(first["cell"].iloc[0]), first))
    with mpl.rc_context(rc()):
        size = (len(groups) * PANEL[0] + 0.5, 2 * PANEL[1] + LEGEND_INCHES + 0.3)
        drawing, axes = plt.subplots(2, len(groups), figsize=size, sharex="row", sharey="row", squeeze=False, layout="constrained")
    for line, name in enumerate(("activation", "slope in the pre-activation")):
        reach = max(np.quantile(np.abs(values), 0.999) for passes in shown for values in passes[line])
        edges = np.linspace(-reach, reach, 81)
        for column, group in enumerate(groups):
            axis = axes[line, column]
            _densities(axis, shown[column][line], edges)
            axis.set_xlabel(name, fontsize=8)
            axis.xaxis.set_major_locator(MaxNLocator(3, symmetric=True))
            if line == 0 and group is not None:
                axis.set_title(value_label(group))
    return finish(drawing, "value before training", "density", f"all units and examples of {min(SEEDS, len(first))} seeds", "hidden layer")


def _passes(run: Run, cell: Cell, rows: pd.DataFrame) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Activations and slopes of these lanes, one vector per layer."""
    run.check_trusted([cell])
    passes = run.starts.passes(cell, rows)
    return [np.ravel(layer) for layer in passes.activations], [np.ravel(layer) for layer in passes.slopes]


def _densities(axis: Axes, layers: list[np.ndarray], edges: np.ndarray) -> None:
    shades = mpl.colormaps["cividis"](np.linspace(0, 0.85, len(layers)))
    middles = (edges[1:] + edges[:-1]) / 2
    for number, (values, shade) in enumerate(zip(layers, shades, strict=True), start=1):
        density = np.histogram(values, edges)[0] / len(values) / np.diff(edges)
        axis.plot(middles, density, color=shade, lw=1.1, label=str(number))
    axis.set_yscale("log")
