"""Deep linear networks and their formula."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, rc, value_label
from analysis.laws.law import cells_of
from analysis.laws.modes import distance_to_formula, halvings, is_aligned, mode_strength, strengths_of, time_of
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec


@figure_kind(axes=("initializer",), curves=("loss",), marks="Lines: the law; marks: measured.")
def modes(run: Run, figure: FigureSpec) -> Figure:
    """Measured losses of one data set on the lines of the formula (left), and their distance against the learning rate (right)."""
    rows = chosen(run, figure, run.lanes)
    colors = palette(list(rows["initializer"].cat.categories))
    with mpl.rc_context(rc()):
        drawing, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.9), layout="constrained")
    _against_time(run, left, colors)
    _against_rate(run, right, colors)
    finish(drawing, "", "", "", label("initializer"))
    drawing.supxlabel(f"left: data set {run.experiment.seeds.first}; right: {count_note(rows)}", fontsize=9)
    return drawing


def _against_time(run: Run, axis: Axes, colors: dict) -> None:
    for cell, rows in cells_of(run, lambda cell: is_aligned(cell) and cell.settings.training.solved_below is not None):
        rows = rows[rows["data_seed"] == run.experiment.seeds.first]
        curve = run.curves[(run.curves["cell"] == cell.id) & (run.curves["data_seed"] == run.experiment.seeds.first)]
        name = cell.axes["initializer"]
        if rows.empty or name not in colors:
            continue
        s = strengths_of(run, cell, rows)[0]
        color, mark = colors[name]
        times = np.geomspace(0.05, 30, 400)
        loss = np.mean((s - mode_strength(times[:, None], s, cell.settings.gain**2)) ** 2, axis=1)
        axis.plot(times, loss, color=color, lw=1)
        measured = time_of(curve["step"].to_numpy(float), float(rows["learning_rate"].iloc[0]), len(s))
        axis.plot(measured, curve["loss"], mark, color=color, ms=4, mfc="white", label=value_label(name))
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(0.05, 30)
    axis.set_ylim(1e-7, 20)
    axis.set_xlabel("time (2 x learning rate x steps / outputs)")
    axis.set_ylabel("training loss")


def _against_rate(run: Run, axis: Axes, colors: dict) -> None:
    for group in halvings(run):
        name = group[0][0].axes["initializer"]
        if name not in colors:
            continue
        color, mark = colors[name]
        rates = np.array([cell.settings.optimizer.rate for cell, _ in group])
        distance = np.array([np.quantile(np.abs(distance_to_formula(run, *pair)), [0, 0.5, 1]) for pair in group])
        axis.fill_between(rates, distance[:, 0], distance[:, 2], color=color, alpha=0.15, lw=0)
        axis.plot(rates, distance[:, 1], f"-{mark}", color=color, ms=4, label=value_label(name))
        axis.plot(rates, distance[0, 2] * rates / rates[0] * 1.5, color="0.5", lw=0.8, ls=":")
        axis.set_xscale("log")
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.minorticks_off()
    axis.set_yscale("log")
    axis.set_xlabel("learning rate (dotted: proportional to it)")
    axis.set_ylabel("distance to the formula")
