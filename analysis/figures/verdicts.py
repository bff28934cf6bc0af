"""The verdict matrix: one mark per condition of a claim, by the values of its axes."""

import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.escape import math_text, plain_text
from analysis.figures.style import NOTE_SIZE, ONE_COLUMN, TWO_COLUMNS, rc

CELL, LETTER, BOLD, LINE, GAP, MARGIN = 0.165, 0.054, 0.072, 0.135, 0.2, 0.06
"""Sizes in inches: a cell, the width of a letter and of one of the title, a line, the space between panels and around them."""
KEY_LINE = 1.2
"""Height of a line of the key, in lines."""
LEAST_TITLE = 1.5
"""Width in inches that the title of a panel may have if the panel itself is narrower."""
LONGEST = 44
"""Number of letters of a label that are shown."""
MARK = 40
"""Area of a mark in square points."""
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "supported": ("holds", {"marker": "s", "facecolors": "#0072B2", "edgecolors": "#0072B2"}),
    "refuted": ("fails", {"marker": "s", "facecolors": "white", "edgecolors": "#D55E00"}),
    "undecided": ("undecided: the runs leave it open", {"marker": "$?$", "facecolors": "0.35", "edgecolors": "none"}),
    "withheld": ("withheld: a control was not met", {"marker": "_", "color": "0.35"}),
}
"""Names and looks of the verdicts; a full square and an empty one differ in gray as well."""
NOTHING: dict[str, Any] = {"marker": "s", "s": MARK, "facecolors": "none", "edgecolors": "0.8", "linewidths": 0.5}
EXCEPTION: dict[str, Any] = {
    "marker": "o",
    "s": 2.9 * MARK,
    "facecolors": "none",
    "edgecolors": "black",
    "linewidths": 0.9,
    "clip_on": False,
}


def verdict_matrix(table: pd.DataFrame, title: str) -> Figure:
    """One panel per value of `panel`, with the values of `row` and `column` in the order in which they come.

    Further columns: `across` (what the columns of the panel are), `verdict`, and `exception` (whether the rule says otherwise).
    """
    panels = [_Panel(str(name), part) for name, part in table.groupby("panel", sort=False)]
    width = ONE_COLUMN if len(panels) == 1 and panels[0].width + 2 * MARGIN <= ONE_COLUMN else TWO_COLUMNS
    lines = textwrap.wrap(plain_text(title), int((width - 2 * MARGIN) / BOLD))
    key = _key(table, width)
    top = MARGIN + LINE * (len(lines) + 1.2 + KEY_LINE * len(key))
    places = []
    left, height = MARGIN, 0.0
    for panel in panels:
        if left > MARGIN and left + panel.width > width:
            left, top, height = MARGIN, top + height + GAP, 0.0
        places.append((panel, left, top))
        left, height = left + panel.width + GAP, max(height, panel.height)
    with mpl.rc_context(rc()):
        drawing = plt.figure(figsize=(width, top + height + MARGIN))
        axes = drawing.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(top + height + MARGIN, 0), aspect="equal", anchor="N")
        axes.set_axis_off()
        for number, line in enumerate(lines):
            axes.text(MARGIN, MARGIN + number * LINE, line.replace("$", r"\$"), va="top", fontsize=8, fontweight="bold")
        _draw_key(axes, key, MARGIN + LINE * (len(lines) + 1))
        for panel, x, y in places:
            panel.draw(axes, x, y)
    return drawing


@dataclass(frozen=True)
class _Panel:
    """A grid of marks with labels above and at the left of it."""

    name: str
    table: pd.DataFrame

    @cached_property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(self.table["row"]))

    @cached_property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(self.table["column"]))

    @cached_property
    def across(self) -> str:
        return str(self.table["across"].iloc[0])

    @cached_property
    def labels(self) -> float:
        """Width of the labels of the rows."""
        return LETTER * max(len(_short(text)) for text in [*self.rows, f"{self.across} →"]) + 0.08

    @cached_property
    def width(self) -> float:
        return max(self.labels + CELL * len(self.columns) + 0.05, LEAST_TITLE)

    @cached_property
    def title(self) -> list[str]:
        return textwrap.wrap(self.name, max(int(self.width / LETTER), 1))

    @cached_property
    def above(self) -> float:
        """Height of the title and of the labels of the columns."""
        return LINE * len(self.title) + LETTER * max(len(_short(text)) for text in self.columns) + 0.1

    @property
    def height(self) -> float:
        return self.above + CELL * len(self.rows)

    def draw(self, axes: Axes, left: float, top: float) -> None:
        """Draw the panel with its upper left corner at these inches."""
        for number, line in enumerate(self.title):
            axes.text(left, top + number * LINE, math_text(line), va="top", fontsize=NOTE_SIZE, fontstyle="italic")
        x0, y0 = left + self.labels + CELL / 2, top + self.above + CELL / 2
        heading = f"{_short(self.across)} →" if self.across else ""
        axes.text(x0 - CELL / 2 - 0.05, y0 - CELL / 2 - 0.04, heading, ha="right", fontsize=NOTE_SIZE, color="0.35")
        for number, row in enumerate(self.rows):
            axes.text(x0 - CELL / 2 - 0.05, y0 + number * CELL, _short(row), ha="right", va="center_baseline", fontsize=NOTE_SIZE)
        for number, column in enumerate(self.columns):
            text = _short(column)
            axes.text(x0 + number * CELL, y0 - CELL / 2 - 0.04, text, ha="center", va="bottom", rotation=90, fontsize=NOTE_SIZE)
        known = set(zip(self.table["row"], self.table["column"], strict=True))
        blank = [(c, r) for r, row in enumerate(self.rows) for c, column in enumerate(self.columns) if (row, column) not in known]
        axes.scatter([x0 + CELL * c for c, _ in blank], [y0 + CELL * r for _, r in blank], **NOTHING)
        x = x0 + CELL * self.table["column"].map(self.columns.index)
        y = y0 + CELL * self.table["row"].map(self.rows.index)
        for verdict, (_, look) in LOOKS.items():
            chosen = self.table["verdict"] == verdict
            axes.scatter(x[chosen], y[chosen], s=MARK, linewidths=1.1, **look)
        axes.scatter(x[self.table["exception"]], y[self.table["exception"]], **EXCEPTION)


def _short(text: str) -> str:
    """A label, shortened if it is too long for a panel."""
    return math_text(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


_Entry = tuple[str, dict[str, Any]]
"""A name of the key and the look of its mark."""


def _key(table: pd.DataFrame, width: float) -> list[list[_Entry]]:
    """The lines of the key: each mark with its name and the number of conditions that have it, as far as they fit into the width."""
    counts = table["verdict"].value_counts()
    entries = [
        (f"{name} ({counts[verdict]})", {"s": MARK, "linewidths": 1.1, **look})
        for verdict, (name, look) in LOOKS.items()
        if verdict in counts
    ]
    places = table.groupby("panel")[["row", "column"]].nunique().prod(axis=1).sum()
    if table.groupby(["panel", "row", "column"]).ngroups < places:
        entries.append(("not asked", NOTHING))
    if table["exception"].any():
        entries.append((f"exception to the rule ({table['exception'].sum()})", EXCEPTION))
    lines: list[list[_Entry]] = [[]]
    for entry in entries:
        if lines[-1] and MARGIN + sum(_key_width(text) for text, _ in [*lines[-1], entry]) > width:
            lines.append([])
        lines[-1].append(entry)
    return lines


def _key_width(text: str) -> float:
    return 0.3 + LETTER * len(text)


def _draw_key(axes: Axes, lines: list[list[_Entry]], top: float) -> None:
    for number, entries in enumerate(lines):
        left, height = MARGIN + CELL / 2, top + number * KEY_LINE * LINE
        for text, look in entries:
            axes.scatter([left], [height], **look)
            axes.text(left + 0.13, height, text, va="center_baseline", fontsize=NOTE_SIZE)
            left += _key_width(text)
