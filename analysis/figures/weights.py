"""Paths of the hidden weights of a small network in training from four starts, as a figure that can be shown at any of its steps."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.escape import math_text
from analysis.figures.four_starts import SAME, Start
from analysis.figures.style import LABEL_SIZE, NOTE_SIZE, TWO_COLUMNS, rc

HEIGHT = 2.4
FRAMES = 40
"""Number of points of the paths at which the figure can be shown, the start and the end included."""
GRAY = "0.45"
"""The color of a mark in a key where its color differs from panel to panel."""


class Weights:
    """The figure, one panel per start: each hidden unit is a mark at its two incoming weights, with its path until then."""

    def __init__(self, starts: Sequence[Start]) -> None:
        self.starts = starts
        with mpl.rc_context(rc()):
            self.drawing, axes = plt.subplots(
                1, len(starts), figsize=(TWO_COLUMNS, HEIGHT), sharex=True, sharey=True, squeeze=False, layout="constrained"
            )
            self._panels = [_Panel(axis, start) for axis, start in zip(axes.flat, starts, strict=True)]
            _hold(axes.flat[0], np.concatenate([start.hidden_weights.reshape(-1, 2) for start in starts]))
            self.drawing.supxlabel("weight of input 1", fontsize=LABEL_SIZE)
            self.drawing.supylabel("weight of input 2", fontsize=LABEL_SIZE)
            self._step = self.drawing.text(0.99, 0.012, "", ha="right", va="bottom", fontsize=LABEL_SIZE, fontweight="bold")
            _add_key(self.drawing, len(starts[0].hidden_weights[0]))
        self.show(FRAMES - 1)

    def show(self, frame: int) -> None:
        """Show the hidden units as they are in one of the `FRAMES`."""
        steps = self.starts[0].path.steps
        point = round(frame / (FRAMES - 1) * (len(steps) - 1))
        for panel in self._panels:
            panel.show(point)
        self._step.set_text(f"step {steps[point]:,}")


class _Panel:
    """The panel of one start."""

    def __init__(self, axis: Axes, start: Start) -> None:
        self._weights, self._difference = start.hidden_weights, start.difference
        self._lines = [axis.plot([], [], color=start.color, lw=0.8, alpha=0.7)[0] for _ in self._weights[0]]
        axis.plot(*self._weights[0].T, start.mark, color=start.color, ms=5.5, mfc="white", mew=0.9, ls="none")
        [self._units] = axis.plot([], [], start.mark, color=start.color, ms=4.5, mec="white", mew=0.4, ls="none", zorder=3)
        self._note = axis.text(0.5, 0.985, "", transform=axis.transAxes, ha="center", va="top", fontsize=NOTE_SIZE)
        axis.set_title(math_text(start.name))
        axis.axhline(0, color="0.88", lw=0.6, zorder=0)
        axis.axvline(0, color="0.88", lw=0.6, zorder=0)
        sns.despine(ax=axis)

    def show(self, point: int) -> None:
        """Show the paths up to one of their points."""
        for unit, line in enumerate(self._lines):
            line.set_data(*self._weights[: point + 1, unit].T)
        self._units.set_data(*self._weights[point].T)
        difference = self._difference[point]
        self._note.set_text("all units equal" if difference <= SAME else f"units differ by up to {difference:.2g}")


def _hold(axis: Axes, points: np.ndarray) -> None:
    """Fix the limits of panels that share their axes: all points at all steps are inside, with room for a note above them."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.08 * (high - low)
    axis.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + 3 * room[1]))


def _add_key(drawing: Figure, units: int) -> None:
    key = {
        f"{units} hidden units at the start": Line2D([], [], color=GRAY, marker="o", ms=5.5, mfc="white", ls="none"),
        "their paths in training": Line2D([], [], color=GRAY, lw=0.9),
        "at the step shown": Line2D([], [], color=GRAY, marker="o", ms=4.5, ls="none"),
    }
    drawing.legend(key.values(), key.keys(), loc="outside upper center", ncols=3, frameon=False, fontsize=8)


def title(starts: Sequence[Start]) -> str:
    """Say from which starts the hidden units have stayed equal up to rounding, and from which they have come apart."""
    equal = [start.name for start in starts if start.difference.max() <= SAME]
    apart = [start.name for start in starts if start.difference.max() > SAME]
    parts = [f"{what} from {' and '.join(names)}" for what, names in (("stay equal", equal), ("come apart", apart)) if names]
    return f"Hidden units {', and '.join(parts)}"
