"""Kinds of ends of training runs, stacked over a setting."""

import numpy as np
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec

LOOKS: dict[str, tuple[str, str, str]] = {
    "solved": ("solved", "#F0F0F0", ""),
    "late": ("solves it later", "#56B4E9", ""),
    "saddle": ("saddle", "#E69F00", "//"),
    "plateau": ("plateau to infinity", "#D55E00", "..."),
    "minimum": ("minimum", "#000000", ""),
    "unknown": ("unknown", "#FFFFFF", "xx"),
    "diverged": ("diverged", "#7F7F7F", "\\\\"),
}
"""Words, color and hatch of each kind of end, from the bottom up."""


@figure_kind(x="axis", panel="axis?", rates=("end_minimum",))
def ends(run: Run, figure: FigureSpec) -> Figure:
    """Shares of training runs by where they end, stacked, by the values of `x`: needs `ends = true`."""
    assert figure.x is not None
    rows = chosen(run, figure, run.reading("end", *figure.where))
    across = list(rows[figure.x].cat.categories)
    shown = [kind for kind in LOOKS if (rows["end"] == kind).any()]
    drawing, each = panels(rows, figure)
    for axis, part in each:
        counts = np.array([[((part[figure.x] == value) & (part["end"] == kind)).sum() for value in across] for kind in shown])
        shares = counts / np.maximum(counts.sum(axis=0), 1)
        for kind, share, below in zip(shown, shares, np.cumsum(shares, axis=0) - shares, strict=True):
            words, color, hatch = LOOKS[kind]
            axis.bar(range(len(across)), share, 0.75, below, color=color, hatch=hatch, edgecolor="0.25", lw=0.5, label=words)
        axis.set_xticks(range(len(across)), [value_label(value) for value in across])
        axis.set_ylim(0, 1)
    return finish(drawing, label(figure.x), "share of runs", count_note(rows))
