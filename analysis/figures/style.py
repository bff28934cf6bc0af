"""How every figure looks: one color and mark per initializer, direct, readable in grayscale."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from analysis.escape import math_text
from analysis.rows.load import Run, matching
from bench.spec import Figure as FigureSpec
from bench.spec import axis_label

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2
"""Widths of a figure in inches: of one column of a journal and of both (89 and 183 mm)."""
PANEL = (2.35, 1.9)
LEGEND_INCHES = 0.55
NOTE_SIZE, LABEL_SIZE = 7, 9
LEGEND_LINE = 0.17
LABELS = {
    "steps_to_solve": "gradient steps",
    "loss": "training loss",
    "loss_final": "final training loss",
    "test_loss_final": "loss on new data at the end",
    "initializer.first_layer_offset": "offset added to the first layer's weights",
    "weight_norm": "norm of the weights",
    "distinct_units_final": "distinct hidden units at the end",
    "model.widths": "hidden units",
    "initializer": "initial weights",
    "initializer.name": "initial weights",
    "initializer.eps": "standard deviation of the noise",
    "training.dtype": "arithmetic",
    "broken": "tie broken",
    "break_step": "steps until the tie is broken",
    "tie_spread": "spread of the units",
    "tie_range": "largest difference of two units",
    "case": "setting",
    "initializer.zero_fraction": "share of weights that start at zero",
    "signal_variance": "activations",
    "pre_activation_variance": "pre-activations",
    "gradient_variance": "slopes in the pre-activations",
    "task.k": "units of the teacher",
    "model.surplus": "more units than the teacher",
    "grad_norm_final": "norm of the gradient at the end",
    "hessian_min_final": "smallest eigenvalue at the end",
    "hessian_index_final": "downward directions at the end",
    "outcome": "lanes",
    "test_metric_final": "test accuracy",
    "energy_distance_final": "energy distance from the real points at the end",
    "modes_covered_final": "modes covered at the end",
    "other_grad_share_initial": "share of the first gradient on weights that are not zero",
    "training.updates": "updates of the players",
}
NAMES = {
    "he_normal": "He",
    "he_uniform": "He uniform",
    "glorot_normal": "Glorot",
    "glorot_uniform": "Glorot uniform (Keras)",
    "lecun_normal": "LeCun",
    "lecun_normal(scheme=antisymmetric)": "antisymmetric",
    "pytorch_default": "PyTorch",
    "orthogonal(scheme=lsuv)": "LSUV",
    "uniform(limit=0.1)": "U(-0.1, 0.1)",
    "normal(stddev=0.01)": "N(0, 0.01²)",
    "zero_hadamard": "ZerO",
    "constant(value=0.1)": "constant 0.1",
}
"""Initializers by the names that people know them by."""
DECIMAL = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
LONGEST_OPTION = 500
"""Longer options are shown as they stand in the column."""
MARKS = "osD^vPX*<>"
# Okabe and Ito's palette, dark to light for grayscale; zero is black everywhere.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")


def label(name: str) -> str:
    """A column in plain words, for a figure."""
    return math_text(column_words(name))


def column_words(name: str) -> str:
    """A column in plain words."""
    return LABELS.get(name, name.rpartition(".")[2].replace("_", " "))


def value_label(value: Any) -> str:
    """An axis value in plain words, for a figure."""
    return math_text(value_words(value))


def value_words(value: Any) -> str:
    """An axis value in plain words: normal(gain=10.0) as N(0, 10²), [8] as 8, [8, 8, 8] as 8 x 3 layers, nested options in their order."""
    text = str(value)
    if text in NAMES:
        return NAMES[text]
    if text == "zeros":
        return "zero"
    if text == "normal":
        return "N(0, 1)"
    if re.fullmatch(r"\[\d+(, \d+)*\]", text):
        sizes = text[1:-1].split(", ")
        return f"{sizes[0]} x {len(sizes)} layers" if len(sizes) > 2 and len(set(sizes)) == 1 else text[1:-1]
    name, options = _named_options(text)
    if not options:
        return text.replace("_", " ")
    numbers = {key: float(option) for key, option in options.items() if DECIMAL.fullmatch(option)}
    match (name, list(numbers.items()) if len(numbers) == len(options) else None):
        case ("normal", [("gain", 1.0)]):
            return "N(0, 1)"
        case ("normal", [("gain", gain)]):
            return f"N(0, {gain:g}²)"
        case ("constant_noise", [("eps", eps)]):
            return f"constant + {eps:.0e}".replace("e-0", "e-")
        case ("constant", [("value", number)]):
            return f"constant {number:g}"
        case (_, [("gain", gain)]):
            return f"{gain:g} x {NAMES.get(name, name.replace('_', ' '))}"
    words = ", ".join(_option_words(key, option) for key, option in options.items())
    return f"{NAMES.get(name, name.replace('_', ' '))} ({words})" if name else words


def _named_options(label: str) -> tuple[str, dict[str, str]]:
    """`name(key=option, ...)` as it stands in a column, taken apart; no options if it is anything else."""
    name, opening, rest = label.partition("(")
    if not opening or not rest.endswith(")"):
        return label, {}
    options: list[str] = []
    for piece in rest[:-1].split(", "):
        # A comma within brackets belongs to the option.
        if options and sum(map(options[-1].count, "([{")) > sum(map(options[-1].count, ")]}")):
            options[-1] += f", {piece}"
        else:
            options.append(piece)
    pairs = [option.partition("=") for option in options]
    return (name, {key: option for key, _, option in pairs}) if all(equals for _, equals, _ in pairs) else (label, {})


def _option_words(key: str, option: str) -> str:
    try:
        content = ast.literal_eval(option) if option[:1] in ("{", "[") and len(option) < LONGEST_OPTION else None
    except (ValueError, TypeError, SyntaxError):
        content = None
    if isinstance(content, dict):
        return f"{key.replace('_', ' ')}: {value_words(axis_label(content))}"
    return f"{key.replace('_', ' ')} = {', '.join(map(str, content)) if isinstance(content, list) else option}"


def palette(values: list[Any]) -> dict[Any, tuple[str, str]]:
    """Color and mark of each value; zero is always black."""
    rest = [value for value in values if value != "zeros"]
    marks = {value: (COLORS[i % len(COLORS)], MARKS[(i + 1) % len(MARKS)]) for i, value in enumerate(rest)}
    return {value: marks.get(value, ("#000000", "o")) for value in values}


def chosen(run: Run, figure: FigureSpec, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that a figure is about, without unused categories."""
    rows = rows[matching(rows, run.experiment, figure.where)].copy()
    for axis in run.experiment.axes:
        rows[axis] = rows[axis].cat.remove_unused_categories()
    return rows


def panels(rows: pd.DataFrame, figure: FigureSpec, share_y: bool = True) -> tuple[Figure, Iterator[tuple[Axes, pd.DataFrame]]]:
    """A figure with one panel per value of the panel axis, and for each panel its axes and rows."""
    values = list(rows[figure.panel].cat.categories) if figure.panel else [None]
    columns = min(len(values), 4 if len(values) in (4, 7, 8) else 3)
    lines = -(-len(values) // columns)
    with mpl.rc_context(rc()):
        size = (max(columns * PANEL[0], 3.5) + 0.5, lines * PANEL[1] + LEGEND_INCHES + 0.3)
        drawing, axes = plt.subplots(lines, columns, figsize=size, sharex=True, sharey=share_y, squeeze=False, layout="constrained")
    flat = list(axes.flat)
    for axis in flat[len(values) :]:
        axis.remove()
    for position, axis in enumerate(flat[: len(values)]):
        if position + columns >= len(values):
            axis.xaxis.set_tick_params(labelbottom=True)

    def each() -> Iterator[tuple[Axes, pd.DataFrame]]:
        for axis, value in zip(flat, values, strict=False):
            if value is not None:
                axis.set_title(value_label(value))
            yield axis, rows if value is None else rows[rows[figure.panel] == value]

    return drawing, each()


def finish(drawing: Figure, xlabel: str, ylabel: str, n_note: str, legend_title: str | None = None) -> Figure:
    """Axis labels, one legend above all panels, and the number of lanes."""
    to_columns(drawing)
    drawing.supxlabel(f"{xlabel} ({n_note})", fontsize=9, wrap=True)
    drawing.supylabel(ylabel, fontsize=9)
    found: dict[str, Any] = {}
    for axis in drawing.axes:
        sns.despine(ax=axis)
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    if len(found) > 1:
        _add_legend(drawing, found, legend_title)
    return drawing


def _add_legend(drawing: Figure, found: dict[str, Any], title: str | None) -> None:
    """One legend above all panels, in as few lines as the figure is wide enough for; it becomes higher by what they take."""
    style: dict[str, Any] = {"frameon": False, "fontsize": 8, "title_fontsize": 8, "handletextpad": 0.4, "columnspacing": 1.2}
    for columns in range(min(len(found), 6), 0, -1):
        legend = drawing.legend(found.values(), found.keys(), title=title, loc="outside upper center", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= 0.98 * drawing.bbox.width:
            break
        legend.remove()
    further = -(-len(found) // columns) - 1
    width, height = drawing.get_size_inches()
    drawing.set_size_inches(width, height + LEGEND_LINE * further)


def to_columns(drawing: Figure) -> None:
    """Make a figure as wide as one column of a journal, or, if that leaves less than three quarters of its width, as both."""
    width, height = drawing.get_size_inches()
    drawing.set_size_inches(ONE_COLUMN if ONE_COLUMN >= 0.75 * width else TWO_COLUMNS, height)


def note_below(drawing: Figure, text: str) -> None:
    """A line below a whole figure, which becomes higher by that line."""
    width, height = drawing.get_size_inches()
    drawing.set_size_inches(width, height + NOTE_SIZE * 1.6 / 72)
    label = drawing.get_supxlabel()
    # A figure has one label below all of its panels, and the layout leaves room for it.
    drawing.supxlabel(f"{label}\n{text}" if label else text, fontsize=LABEL_SIZE if label else NOTE_SIZE)


def count_note(rows: pd.DataFrame) -> str:
    """How many lanes stand behind each line or point."""
    counts = rows.groupby("cell").size().unique()
    return f"n = {min(counts):,} lanes each" if len(counts) == 1 else f"n = {min(counts):,} to {max(counts):,} lanes each"


def integer_ticks(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))


def log_ticks(drawing: Figure) -> None:
    """Powers of ten on logarithmic axes; 1, 2 and 5 as plain numbers where there are fewer than two decades.

    Matplotlib's labels between the powers (3 x 10^0, 4 x 10^0) stand on one another. Axes without ticks between keep their own.
    """
    for axes in drawing.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            if axis.get_scale() != "log" or isinstance(axis.get_minor_locator(), NullLocator):
                continue
            axis.set_minor_formatter(NullFormatter())
            if max(limits) / min(limits) < 100:
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")


def rc() -> Any:
    """Fonts that stay text in SVG and PDF, small ticks, no default styling."""
    return {
        **sns.axes_style("ticks"),
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": LABEL_SIZE,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "lines.linewidth": 1.3,
        # Text as wide at every resolution.
        "text.hinting": "no_hinting",
        # LaTeX reads and writes files.
        "text.usetex": False,
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
        "svg.hashsalt": "initbench",
    }


def is_logarithmic(values: np.ndarray) -> bool:
    """Whether positive values span more than two decades."""
    values = values[np.isfinite(values) & (values > 0)]
    return len(values) > 0 and values.max() / values.min() > 100
