"""How every figure looks: widths, colors, marks, panels, labels and legends."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import BufferingHandler
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from analysis.escape import math_text, plain_text
from analysis.rows.load import Run, matching
from analysis.words import column_words, value_words
from bench.messages import one_line
from bench.spec import Figure as FigureSpec

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2
"""Widths of a figure in inches: one column of a journal, and both (89 and 183 mm)."""
PANEL = (2.35, 1.9)
"""Width and height of a panel in inches."""
LEGEND_INCHES = 0.55
"""Height of a legend of one line in inches."""
NOTE_SIZE, LABEL_SIZE = 7, 9
"""Font sizes in points."""
LEGEND_LINE = 0.17
"""Height of each further line of a legend in inches."""
LETTERS_PER_INCH, MOST_IN_TITLE = 11, 240
"""Number of letters of a title in an inch, and the most that a title has."""
TITLE_LETTERS = 92
"""Number of letters that the titles of panels beside one another may have in a line."""
NOTE_LETTERS = 1.1
"""Letters of a note for each letter of a title, which is bold."""
STEP_0 = 0.4
"""Place of step 0 on a logarithmic axis."""
MOST_RECORDS = 10_000
"""Number of warnings about a style file that are kept."""


def label(name: str) -> str:
    """The name of a column in plain words, escaped for a figure."""
    return math_text(column_words(name))


def value_label(value: Any) -> str:
    """An axis value in plain words, escaped for a figure."""
    return math_text(value_words(value))


def chosen(run: Run, figure: FigureSpec, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that a figure shows, without unused categories."""
    rows = rows[matching(rows, run.experiment, figure.where)]
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
            if figure.panel is not None:
                text = value_label(value)
                # A number alone does not say of what.
                text = f"{label(figure.panel)} {text}" if text.replace(".", "", 1).isdigit() else text
                axis.set_title(fill(text, TITLE_LETTERS // columns, break_long_words=False, break_on_hyphens=False))
            yield axis, rows if value is None else rows[rows[figure.panel] == value]

    return drawing, each()


def finish(drawing: Figure, xlabel: str, ylabel: str, n_note: str, legend_title: str | None = None) -> Figure:
    """Add axis labels, one legend above all panels, and the number of lanes, and return the figure."""
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
    """Add one legend above all panels, in as few lines as fit into the width; the figure becomes higher by further lines."""
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
    """Set the width of a figure to one column of a journal, or to both if one column is less than three quarters of its width."""
    width, height = drawing.get_size_inches()
    drawing.set_size_inches(ONE_COLUMN if ONE_COLUMN >= 0.75 * width else TWO_COLUMNS, height)


def note_below(drawing: Figure, text: str, grows: bool) -> None:
    """Add a text below a whole figure, in as few lines as fit into its width; if it `grows`, the figure becomes higher by them."""
    width, height = drawing.get_size_inches()
    label = drawing.get_supxlabel()
    lines = wrap(text, round(LETTERS_PER_INCH * NOTE_LETTERS * width), break_on_hyphens=False)
    size = NOTE_SIZE if not label else LABEL_SIZE
    drawing.set_size_inches(width, height + (len(lines) * size * 1.6 / 72 if grows else 0))
    # The label below all panels is the one text for which the layout leaves room.
    drawing.supxlabel("\n".join([label, *lines] if label else lines), fontsize=size)


def title_above(drawing: Figure, text: str, grows: bool) -> float:
    """Add a title above a whole figure, in as few lines as fit into its width; if it `grows`, the figure becomes higher by them.

    Returns the height that is left below it, as a share of the figure's; see `legends_below`.
    """
    width, height = drawing.get_size_inches()
    lines = wrap(one_line(plain_text(text), MOST_IN_TITLE), round(LETTERS_PER_INCH * width), break_on_hyphens=False)
    needed = len(lines) * LABEL_SIZE * 1.3 / 72
    height += needed if grows else 0
    drawing.set_size_inches(width, height)
    top = 1 - needed / height
    if label := drawing.get_supylabel():
        drawing.supylabel(label, y=top / 2, fontsize=LABEL_SIZE)
    drawing.text(0.01, 1 - 0.03 / height, "\n".join(map(math_text, lines)), va="top", fontsize=LABEL_SIZE, fontweight="bold")
    engine: Any = drawing.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        # Matplotlib's own title would stand upon a legend above the panels.
        engine.set(rect=(0, 0, 1, top))
    return top


def legends_below(drawing: Figure, top: float) -> None:
    """Move the legends above the panels below a title; the layout, which leaves room for them, must have been made."""
    for legend in drawing.legends:
        legend.set_bbox_to_anchor((0, 0, 1, top), drawing.transFigure)


def count_note(rows: pd.DataFrame, *groups: str | None) -> str:
    """The number of training runs behind each line or point, in words: those of a cell, or of a group by the axes that a figure shows."""
    by = [group for group in groups if group is not None] or ["cell"]
    counts = rows.groupby(by, observed=True).size().unique()
    return f"n = {min(counts):,} runs each" if len(counts) == 1 else f"n = {min(counts):,} to {max(counts):,} runs each"


def step_axis(axis: Axes, first: float, last: float) -> None:
    """Make the x axis a logarithmic one of steps; step 0, if it is the `first`, stands at its left edge at `STEP_0` and is labeled."""
    axis.set_xscale("log")
    if first > 0:
        return
    powers = [10**power for power in range(math.floor(math.log10(max(last, 1))) + 1)]
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks([STEP_0, *powers], ["0", *(f"$10^{{{power}}}$" if power > 1 else str(10**power) for power in range(len(powers)))])


def integer_ticks(axis: Axes) -> None:
    """Put at most five ticks on the x axis, at integers."""
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))


def log_ticks(drawing: Figure) -> None:
    """Label powers of ten on logarithmic axes, or 1, 2 and 5 as plain numbers if an axis spans fewer than two decades.

    The labels that Matplotlib puts between powers (3 x 10^0, 4 x 10^0) overlap. Axes without minor ticks keep their labels.
    """
    for axes in drawing.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            if axis.get_scale() != "log" or isinstance(axis.get_minor_locator(), NullLocator):
                continue
            axis.set_minor_formatter(NullFormatter())
            if max(limits) / min(limits) < 100:
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")


@contextmanager
def styled(file: Path | None) -> Iterator[None]:
    """Context in which the settings of a style file (`.mplstyle`) stand above those of all figures; ValueError if one cannot be read."""
    token = _own_style.set(_read_style(file) if file else None)
    try:
        yield
    finally:
        _own_style.reset(token)


_own_style: ContextVar[dict[str, Any] | None] = ContextVar("own_style", default=None)


def _read_style(file: Path) -> dict[str, Any]:
    log, said = logging.getLogger("matplotlib"), BufferingHandler(MOST_RECORDS)
    log.addHandler(said)
    before, log.propagate = log.propagate, False
    try:
        found: Any = mpl.rc_params_from_file(file, use_default_template=False)
    except (OSError, ValueError, KeyError, UnicodeError) as error:
        raise ValueError(f"{file}: not a style file of Matplotlib that can be read: {error}") from error
    finally:
        log.propagate = before
        log.removeHandler(said)
    if said.buffer:
        # Matplotlib warns of a line that it does not understand, and leaves it out.
        raise ValueError(f"{file}: not a style file of Matplotlib: {said.buffer[0].getMessage()}")
    return dict(found)


def rc() -> Any:
    """Settings of Matplotlib for all figures."""
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
        # Text has the same width at every resolution.
        "text.hinting": "no_hinting",
        # LaTeX would read and write files.
        "text.usetex": False,
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
        "svg.hashsalt": "initbench",
        **(_own_style.get() or {}),
    }


def is_logarithmic(values: np.ndarray) -> bool:
    """Whether positive values span two decades or more."""
    values = values[np.isfinite(values) & (values > 0)]
    return len(values) > 0 and bool(values.max() / values.min() >= 100)
