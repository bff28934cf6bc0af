"""A convex loss of two weights, and the paths of gradient descent on it."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.style import chosen, finish, rc, value_label
from analysis.laws.law import starts
from analysis.rows.load import Run
from bench.spec import Cell
from bench.spec import Figure as FigureSpec

SIZE = (3.0, 2.9)
STARTS = 8
ZERO, RANDOM, OPTIMUM = "black", "#0072B2", "#D55E00"


@figure_kind(panel="axis", marks="Hollow marks: starts; filled marks: ends; shading: the loss, darker where it is larger.")
def surface(run: Run, figure: FigureSpec) -> Figure:
    """Loss over two weights of least squares without a bias, with the exact paths from each start of the cells: one panel per data set."""
    assert figure.panel is not None
    rows = chosen(run, figure, run.lanes)
    values = list(rows[figure.panel].cat.categories)
    with mpl.rc_context(rc()):
        size = (SIZE[0] * len(values) + 0.5, SIZE[1] + 0.8)
        drawing, axes = plt.subplots(1, len(values), figsize=size, squeeze=False, layout="constrained")
    for axis, value in zip(axes.flat, values, strict=True):
        part = rows[rows[figure.panel] == value]
        axis.set_title(value_label(value))
        paths = [path for identity in part["cell"].unique() for path in _paths(run, run.cell(identity))]
        _draw(axis, *_problem(run, run.cell(part["cell"].iloc[0])), paths)
    return finish(
        drawing, "weight 1", "weight 2", f"data set {run.experiment.seeds.first}, its exact paths from zero and from {STARTS} random starts"
    )


def _problem(run: Run, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    data = starts(run, cell, _lanes(run, 1)).data
    return data.x[0], data.y[0, :, 0]


def _lanes(run: Run, count: int) -> pd.DataFrame:
    """Seeds of random starts on one data set."""
    first = run.experiment.seeds.first
    return pd.DataFrame({"data_seed": [first] * count, "init_seed": range(first, first + count)})


def _paths(run: Run, cell: Cell) -> list[tuple[bool, np.ndarray]]:
    """w_t = w* + (I - lr H)^t (w_0 - w*) for each start of a cell, and whether it is zero."""
    start = starts(run, cell, _lanes(run, STARTS if cell.settings.initializer.random else 1))
    x, y = start.data.x[0], start.data.y[0, :, 0]
    optimum = np.linalg.lstsq(x, y, rcond=None)[0]
    lam, basis = np.linalg.eigh(2 * x.T @ x / len(x))
    steps = np.arange(400)[:, None]
    found = []
    for first, rate in zip(start.params["dense"]["kernel"][:, :, 0], start.learning_rate, strict=True):
        c = basis.T @ (first - optimum)
        found.append((not first.any(), optimum + ((1 - rate * lam) ** steps * c) @ basis.T))
    return found


def _draw(axis: Axes, x: np.ndarray, y: np.ndarray, paths: list[tuple[bool, np.ndarray]]) -> None:
    optimum = np.linalg.lstsq(x, y, rcond=None)[0]
    points = np.concatenate([optimum[None], *(path for _, path in paths)])
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    reach = 0.58 * np.max(points.max(axis=0) - points.min(axis=0))
    line = np.linspace(-reach, reach, 201)
    first, second = np.meshgrid(middle[0] + line, middle[1] + line)
    excess = np.mean((np.stack([first, second], axis=-1) @ x.T - y) ** 2, axis=-1) - np.mean((x @ optimum - y) ** 2)
    # The square root of the excess loss grows evenly, so lines are as dense far from the optimum as near it.
    height = np.sqrt(np.maximum(excess, 0))
    axis.contourf(first, second, height, levels=12, cmap="Greys", alpha=0.45)
    axis.contour(first, second, height, levels=12, colors="0.7", linewidths=0.4)
    if np.linalg.matrix_rank(x) == 1:
        along = np.array([-x[0, 1], x[0, 0]]) / np.linalg.norm(x[0])
        ends = optimum + np.outer([-4 * reach, 4 * reach], along)
        axis.plot(*ends.T, color=OPTIMUM, lw=1.4, ls="--", label="all optima")
    for zero, path in sorted(paths, key=lambda pair: pair[0]):
        color, name = (ZERO, "from zero") if zero else (RANDOM, "from N(0, 1)")
        # Steps that lie too close for two dots have none.
        apart = np.append(np.linalg.norm(np.diff(path, axis=0), axis=1) > 0.01 * reach, False)
        axis.plot(*path.T, color=color, lw=1.6 if zero else 1, label=name, marker=".", ms=2.5, mew=0, markevery=apart)
        axis.plot(*path[0], color=color, marker="o" if zero else "s", ms=5, mfc="white", ls="none")
        axis.plot(*path[-1], color=color, marker="o" if zero else "s", ms=3.5, ls="none")
    axis.plot(*optimum, color=OPTIMUM, marker="*", ms=11, mec="white", mew=0.6, ls="none", label="optimum of least norm", zorder=5)
    axis.set_xlim(middle[0] - reach, middle[0] + reach)
    axis.set_ylim(middle[1] - reach, middle[1] + reach)
    axis.set_aspect("equal")
