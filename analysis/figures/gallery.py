"""The best, the median and the worst lane of a cell, each with its curve and its units before and after training."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import COLORS
from analysis.figures.style import PANEL, STEP_0, chosen, label, rc, step_axis
from analysis.geometry.orbits import recorded, symmetry_of
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec

KEYS = ["data_seed", "init_seed"]
SHOWN = {"best": 0.0, "median": 0.5, "worst": 1.0}
"""Position of each shown lane in the order of final losses."""
LOSS_FLOOR = 1e-16
"""Losses below this value are rounding."""


@figure_kind(
    columns=("hidden_units_0_initial", "hidden_units_0_final"),
    curves=("loss",),
    marks="Rows and columns of the squares: the hidden units, in one order.",
)
def gallery(run: Run, figure: FigureSpec) -> Figure:
    """The lanes with the lowest, the median and the highest final loss, of one cell and among those whose curves are kept.

    Each is shown with its loss over steps, and with the cosines between the incoming weights of its hidden units (recorded by the probe
    `hidden_units`) before and after training.
    """
    rows = chosen(run, figure, run.lanes)
    cell = run.cell(rows["cell"].iloc[0])
    curves = run.curves[run.curves["cell"] == cell.id]
    kept = rows.merge(curves[KEYS].drop_duplicates(), on=KEYS).sort_values("loss_final", kind="stable", ignore_index=True)
    if kept.empty:
        raise ValueError("no curve of these training runs is kept")
    places = {name: round(share * (len(kept) - 1)) for name, share in SHOWN.items()}
    _, inside = symmetry_of(cell)
    units = {when: recorded(cell, kept, when)[:, :, :inside] for when in ("initial", "final")}
    with mpl.rc_context(rc()):
        size = (3 * PANEL[0] + 0.6, len(places) * PANEL[1] + 0.2)
        drawing, axes = plt.subplots(len(places), 3, figsize=size, layout="constrained", width_ratios=(1.5, 1, 1))
    for (name, place), (loss, start, end) in zip(places.items(), axes, strict=True):
        lane = kept.iloc[place]
        _draw_curve(loss, curves[(curves[KEYS] == lane[KEYS]).all(axis=1)])
        loss.set_title(f"{name}: seed {lane['init_seed']}, loss {lane['loss_final']:.2g}", loc="left")
        for axis, when in ((start, "initial"), (end, "final")):
            image = axis.imshow(_cosines(units[when][place]), cmap="RdBu_r", vmin=-1, vmax=1)
            axis.set(xticks=[], yticks=[], title="units at the start" if when == "initial" else "units at the end")
            sns.despine(ax=axis, left=True, bottom=True)
    for loss, *_ in axes:
        loss.set_ylim(LOSS_FLOOR, 2 * curves["loss"].max())
    axes[-1][0].set_xlabel(f"gradient steps (3 of n = {len(kept):,} runs)")
    bar = drawing.colorbar(image, ax=axes[:, 1:], location="right", shrink=0.5, ticks=[-1, 0, 1])
    bar.set_label("cosine of two units' incoming weights")
    bar.outline.set_visible(False)
    return drawing


def _draw_curve(axis: plt.Axes, curve: pd.DataFrame) -> None:
    axis.plot(np.maximum(curve["step"], STEP_0), np.maximum(curve["loss"], LOSS_FLOOR), color=COLORS[0])
    step_axis(axis, 0, float(curve["step"].max()))
    axis.set(yscale="log", ylabel=label("loss"))
    sns.despine(ax=axis)


def _cosines(units: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "hidden hidden"]:
    """The cosine between every two units; 0 for a unit that is all zero."""
    length = np.linalg.norm(units, axis=1, keepdims=True)
    directions = units / np.where(length > 0, length, 1)
    return directions @ directions.T
