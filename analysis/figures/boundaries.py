"""Decision boundaries of a small network after training from four starts, with the data."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.escape import math_text
from analysis.figures.four_starts import Start
from analysis.figures.style import LABEL_SIZE, NOTE_SIZE, TWO_COLUMNS, rc

HEIGHT = 2.2
POINTS = 161
"""Number of points of the grid along either input."""
ROOM, TOP = 0.35, 1.1
"""Distance from the outermost examples to the edge of a panel, and to the upper one, where a note stands."""
CLASSES = (("#56B4E9", "o"), ("#8C2D04", "x"))
"""Color and mark of the examples of either class."""
DECIDED = ("#FFFFFF", "#DDDDDD")
"""Color of the region that is decided for either class."""


def plane(start: Start) -> tuple[Float[np.ndarray, "y x"], Float[np.ndarray, "y x"], Float[np.ndarray, "y x"]]:
    """Both inputs on a grid over the data of a run, and the log odds of the second class there after training."""
    x = np.asarray(start.path.data.x)
    low, high = x.min(axis=0) - ROOM, x.max(axis=0) + np.array([ROOM, TOP])
    first, second = np.meshgrid(*np.linspace(low, high, POINTS).T)
    odds = start.outputs(np.stack([first.ravel(), second.ravel()], axis=1))
    return first, second, odds.reshape(first.shape)


def boundaries(starts: Sequence[Start]) -> Figure:
    """Draw for each start the examples, the regions that are decided for either class after training, and the boundary between them."""
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(
            1, len(starts), figsize=(TWO_COLUMNS, HEIGHT), sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        for axis, start in zip(axes.flat, starts, strict=True):
            _draw(axis, start)
        drawing.supxlabel("input 1", fontsize=LABEL_SIZE)
        drawing.supylabel("input 2", fontsize=LABEL_SIZE)
        key = {
            **{f"class {name}": Line2D([], [], color=color, marker=mark, ms=4, ls="none") for name, (color, mark) in enumerate(CLASSES)},
            "decided for class 1": Patch(fc=DECIDED[1], ec="0.6", lw=0.5),
            "decision boundary": Line2D([], [], color="0.45", lw=1.8),
        }
        drawing.legend(key.values(), key.keys(), loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return drawing


def _draw(axis: Axes, start: Start) -> None:
    first, second, odds = plane(start)
    both = odds.min() < 0 < odds.max()
    axis.set_facecolor(DECIDED[int(odds.max() > 0)])
    if both:
        axis.contourf(first, second, odds, [odds.min(), 0, odds.max()], colors=DECIDED)
        axis.contour(first, second, odds, [0], colors=start.color, linewidths=1.8, zorder=2)
    x, y = np.asarray(start.path.data.x), np.asarray(start.path.data.y)[:, 0]
    for number, (color, mark) in enumerate(CLASSES):
        axis.plot(*x[y == number].T, mark, color=color, ms=2.6, mew=0.8, ls="none", zorder=3)
    told = "" if both else "no boundary\n"
    note = f"{told}{_percent(start.accuracy)} correct"
    axis.text(0.5, 0.985, note, transform=axis.transAxes, ha="center", va="top", fontsize=NOTE_SIZE)
    axis.set_title(math_text(start.name))
    axis.set(xlim=(first.min(), first.max()), ylim=(second.min(), second.max()), aspect="equal")
    sns.despine(ax=axis)


def title(starts: Sequence[Start]) -> str:
    """Say how many of the training examples are classified correctly after training from each start."""
    return f"Classified correctly after training: {', '.join(f'{_percent(start.accuracy)} from {start.name}' for start in starts)}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
