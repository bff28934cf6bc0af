"""Zero weights: which layers move first, where learning stops, and how many zeros stay zero."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import PANEL, chosen, count_note, finish, label, panels, value_label
from analysis.laws.zeros import weight_layers, zeroed_layers
from analysis.rows.load import Run
from analysis.rows.summary import rate_interval
from analysis.stats.intervals import quantile_interval
from bench.spec import Figure as FigureSpec

ROW_INCHES = 0.165


@figure_kind(
    panel="axis",
    axes=("case",),
    columns=("grad_share_0_initial",),
    marks="Left: white layers start at zero. Right: white layers have a first gradient of zero.",
)
def zero_patterns(run: Run, figure: FigureSpec) -> Figure:
    """Median share of the first gradient per layer, and the share solved, by pattern of zero layers (rows) and value of `panel`."""
    assert figure.panel is not None
    rows = chosen(run, figure, run.lanes)
    cells = {cell.axes["case"]: cell for cell in run.experiment.cells if cell.axes["case"] in set(rows["case"])}
    # Networks of another depth follow after a gap.
    height, positions = 0.0, {}
    previous = None
    for name, cell in cells.items():
        height += 1.0 if previous in (None, weight_layers(cell)) else 1.8
        positions[name], previous = height, weight_layers(cell)
    deepest = max(map(weight_layers, cells.values()))
    values = list(rows[figure.panel].cat.categories)
    shades = mpl.colormaps["Blues"]
    size = (1.3 + 1.75 * len(values), ROW_INCHES * height + 1.3)
    drawing, axes = plt.subplots(1, len(values) + 1, figsize=size, sharey=True, layout="constrained")
    marks = {"marker": "s", "s": 52, "linewidths": 0.6, "edgecolors": "0.35"}
    squares = [(name, layer) for name, cell in cells.items() for layer in range(weight_layers(cell))]
    x, y = [layer for _, layer in squares], [positions[name] for name, _ in squares]
    axes[0].set_title("start")
    zeroed = {name: zeroed_layers(cell) for name, cell in cells.items()}
    fills = ["white" if layer in zeroed[name] else "0.25" for name, layer in squares]
    axes[0].scatter(x, y, c=fills, **marks)
    for axis, value in zip(axes[1:], values, strict=True):
        axis.set_title(value_label(value))
        inside = dict(list(rows[rows[figure.panel] == value].groupby("case", observed=True)))
        shares = [inside[name][f"grad_share_{layer}_initial"].median() for name, layer in squares]
        axis.scatter(x, y, c=[shades(share) if share > 0 else "white" for share in shares], **marks)
        for name, height_there in positions.items():
            solved = rate_interval(run, inside[name])[0]
            strong = {"weight": "bold"} if solved > 0.5 else {"color": "0.45"}
            axis.text(deepest, height_there, f"{solved:.0%}", fontsize=7, ha="center", va="center", **strong)
    for axis in axes:
        axis.set_xticks(range(deepest), range(1, deepest + 1))
        axis.set_xlim(-0.6, deepest + (0.7 if axis is not axes[0] else -0.4))
        axis.set_yticks([])
        axis.set_xlabel("weight layer", fontsize=8)
        axis.tick_params(length=0)
    for axis in axes[1:]:
        axis.text(deepest, 0, "solved", fontsize=7, ha="center", va="center")
    axes[0].set_ylim(height + 0.7, -0.5)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), shades)
    drawing.colorbar(scale, ax=list(axes), location="bottom", fraction=0.02, aspect=40, pad=0.02)
    drawing = finish(drawing, "share of the first gradient", "", count_note(rows))
    for axis in drawing.axes[: len(axes)]:
        axis.spines[["left", "bottom"]].set_visible(False)
    return drawing


@figure_kind(x="axis", color="axis", panel="axis", marks="Marks: estimate, with 95% intervals.")
def cliff(run: Run, figure: FigureSpec) -> Figure:
    """Share of lanes that solve the task (above) and median steps to solve it (below), by the values of `x`."""
    assert figure.x is not None and figure.color is not None and figure.panel is not None
    rows = chosen(run, figure, run.lanes)
    across = list(rows[figure.x].cat.categories)
    tasks = list(rows[figure.panel].cat.categories)
    size = (PANEL[0] * len(tasks) * 1.3 + 0.5, 2 * PANEL[1] + 0.9)
    drawing, axes = plt.subplots(2, len(tasks), figsize=size, sharex=True, sharey="row", squeeze=False, layout="constrained")
    colors = palette(list(rows[figure.color].cat.categories))
    for column, task in enumerate(tasks):
        above, below = axes[:, column]
        above.set_title(value_label(task))
        for index, (group, (color, mark)) in enumerate(colors.items()):
            inside = rows[(rows[figure.panel] == task) & (rows[figure.color] == group)]
            at = np.arange(len(across)) + (index - (len(colors) - 1) / 2) * 0.16
            parts = [inside[inside[figure.x] == value] for value in across]
            solved = np.array([rate_interval(run, part) for part in parts])
            steps = np.array([quantile_interval(part["steps_to_solve"].to_numpy(float, na_value=np.inf))[:3] for part in parts])
            style = {"color": color, "fmt": mark, "ms": 3.5, "capsize": 1.5, "lw": 0.9, "ls": "-"}
            above.errorbar(at, solved[:, 0], np.abs(solved[:, 1:] - solved[:, :1]).T, label=value_label(group), **style)
            reached = np.isfinite(steps[:, 0])
            steps = steps[reached]
            # An interval that reaches to "never" is open, and its bar ends at the mark.
            low, high = (np.abs(np.where(np.isfinite(end), end, steps[:, 0]) - steps[:, 0]) for end in steps[:, 1:].T)
            below.errorbar(at[reached], steps[:, 0], [low, high], **style)
        above.set_ylim(-0.05, 1.05)
        below.set_yscale("log")
        below.set_xticks(range(len(across)), [value_label(value) for value in across])
    axes[0, 0].set_ylabel("share solved")
    axes[1, 0].set_ylabel("median steps to solve")
    return finish(drawing, label(figure.x), "", count_note(rows))


@figure_kind(
    x="axis",
    color="axis",
    panel="axis?",
    columns=("zero_share_initial", "zero_share_final"),
    marks="Marks: median; bars: middle 80% of runs.",
)
def still_zero(run: Run, figure: FigureSpec) -> Figure:
    """Share of the weights that start at 0 and are still exactly 0 at the end, by the values of `x`: median and middle 80%."""
    assert figure.x is not None and figure.color is not None
    rows = chosen(run, figure, run.lanes)
    rows["left"] = rows["zero_share_final"] / rows["zero_share_initial"]
    across = list(rows[figure.x].cat.categories)
    colors = palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for index, (group, (color, mark)) in enumerate(colors.items()):
            inside = part[part[figure.color] == group].groupby(figure.x, observed=False)["left"]
            middle, low, high = (inside.quantile(q).to_numpy() for q in (0.5, 0.1, 0.9))
            at = np.arange(len(across)) + (index - (len(colors) - 1) / 2) * 0.2
            bars = [middle - low, high - middle]
            axis.errorbar(at, middle, bars, fmt=mark, color=color, ms=3.5, capsize=1.5, lw=0.9, label=value_label(group))
        axis.set_xticks(range(len(across)), [value_label(value) for value in across], rotation=35)
        axis.set_ylim(-0.05, 1.05)
    return finish(drawing, label(figure.x), "share of zeroed weights that are still zero", count_note(rows))
