"""The loss surface of the smallest tanh network with two equal units: its saddle at zero, and the line on which the units are equal."""

from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.palette import COLORS, FIXED, ZERO
from analysis.figures.style import NOTE_SIZE, TWO_COLUMNS, rc
from analysis.words import number_words

HEIGHT = 3.4
BIAS = 0.5
TEACHER = np.array([3.0, -3.0])
INPUTS = np.linspace(-1, 1, 21)
"""Symmetric around 0, as the targets are: equal units, which make one step, can then do no better than both weights zero."""
RATE, STEPS = 0.5, 2000
REACH, POINTS = 4.5, 181
"""Largest weight that is shown, and the number of points of the grid along either weight."""
Weights = Float[np.ndarray, "*any 2"]


def network(weights: Weights) -> Float[np.ndarray, "*any example"]:
    """f(x) = tanh(w1 x + b) + tanh(w2 x + b) for the inputs; the bias b and the outgoing weights 1 are not trained."""
    return np.tanh(weights[..., None] * INPUTS + BIAS).sum(axis=-2)


def loss(weights: Weights) -> Float[np.ndarray, "*any"]:
    """Mean squared error against the same network with the teacher's weights."""
    return np.asarray(np.mean((network(weights) - network(TEACHER)) ** 2, axis=-1))


def gradient(weights: Weights) -> Weights:
    """Gradient of the loss in both weights."""
    error = (network(weights) - network(TEACHER))[..., None, :]
    slope = 1 - np.tanh(weights[..., None] * INPUTS + BIAS) ** 2
    return 2 * np.mean(error * slope * INPUTS, axis=-1)


def curvatures_at_zero() -> tuple[float, float]:
    """Eigenvalues of the loss's Hessian at zero: along the line of equal units, and across it."""
    error, value = network(np.zeros(2)) - network(TEACHER), np.tanh(BIAS)
    slope = 1 - value**2
    # Each unit has the same second derivative, -2 tanh(b) (1 - tanh(b)^2) x^2, and both share their slopes.
    own, shared = np.mean(-4 * error * value * slope * INPUTS**2), np.mean(2 * (slope * INPUTS) ** 2)
    return float(own + 2 * shared), float(own)


EQUAL, OPPOSITE = "#000000", "#7F7F7F"
OPTIMUM: dict[str, Any] = {"marker": "*", "color": "#E69F00", "mec": "black", "mew": 0.5, "ms": 12, "ls": "none"}
"""How the lines of equal and of opposite units, and the points of least loss, are drawn."""


class Descent(NamedTuple):
    """A path of gradient descent."""

    name: str
    path: Float[np.ndarray, "step 2"]
    color: str
    mark: str


def descents() -> list[Descent]:
    """The paths of gradient descent from zero, from equal weights and from unequal ones."""
    kinds = (
        ("from zero", (0.0, 0.0), ZERO),
        ("from equal weights", (3.2, 3.2), (COLORS[0], "s")),
        ("from equal weights", (-2.4, -2.4), (COLORS[0], "s")),
        ("from unequal weights", (3.9, 3.1), FIXED["Glorot"]),
        ("from unequal weights", (-3.2, -2.2), FIXED["Glorot"]),
    )
    return [Descent(name, descent(np.array(start)), *look) for name, start, look in kinds]


def descent(weights: Float[np.ndarray, "2"]) -> Float[np.ndarray, "step 2"]:
    """The weights after each step of gradient descent, the start included."""
    found = [weights]
    for _ in range(STEPS):
        found.append(found[-1] - RATE * gradient(found[-1]))
    return np.array(found)


def saddle() -> Figure:
    """Draw the loss over both weights with paths of gradient descent (left), and along two lines through zero (right)."""
    with mpl.rc_context(rc()):
        drawing, (left, right) = plt.subplots(1, 2, figsize=(TWO_COLUMNS, HEIGHT), layout="constrained", width_ratios=(1.3, 1))
        _draw_surface(drawing, left)
        _draw_cuts(right)
        drawing.legend(handles=_key(), loc="outside upper center", ncols=4, frameon=False, fontsize=7.5)
    return drawing


def _key() -> list[Line2D]:
    looks = {one.name: (one.color, one.mark) for one in descents()}
    return [
        Line2D([], [], color=EQUAL, lw=1, ls="--", label="units equal, w2 = w1"),
        Line2D([], [], color=OPPOSITE, lw=1.5, ls="-.", label="units opposite, w2 = -w1"),
        *(Line2D([], [], color=color, marker=mark, ms=4, lw=1.5, label=name) for name, (color, mark) in looks.items()),
        Line2D([], [], color="0.4", marker="o", mfc="white", ms=5.5, ls="none", label="start of a path"),
        Line2D([], [], label="least loss, 0", **OPTIMUM),
    ]


def _draw_surface(drawing: Figure, axis: Axes) -> None:
    line = np.linspace(-REACH, REACH, POINTS)
    height = loss(np.stack(np.meshgrid(line, line), axis=-1))
    shades = axis.contourf(line, line, height, levels=14, cmap="Greys", alpha=0.55)
    axis.contour(line, line, height, levels=14, colors="0.6", linewidths=0.4)
    bar = drawing.colorbar(shades, ax=axis, aspect=25, pad=0.02)
    bar.ax.set_title("loss")
    bar.outline.set_visible(False)
    axis.plot(line, line, color=EQUAL, lw=1, ls="--")
    axis.plot(line, -line, color=OPPOSITE, lw=1.2, ls="-.")
    axis.plot(*np.array([TEACHER, TEACHER[::-1]]).T, zorder=3, **OPTIMUM)
    for one in descents():
        above = 1 if one.name == "from zero" else 0
        axis.plot(*one.path.T, color=one.color, lw=1.5, zorder=4)
        axis.plot(*one.path[0], one.mark, color=one.color, ms=6.5, mfc="white", mew=1, ls="none", zorder=5 + above)
        axis.plot(*one.path[-1], one.mark, color=one.color, ms=3.5, ls="none", zorder=7 + above)
    axis.text(0.55, -0.05, "saddle\nat zero", fontsize=NOTE_SIZE + 0.5, va="center")
    axis.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="weight w1 of unit 1", ylabel="weight w2 of unit 2", aspect="equal")
    sns.despine(ax=axis)


def _draw_cuts(axis: Axes) -> None:
    line = np.linspace(-REACH, REACH, POINTS)
    for side, color, dashes in ((line, EQUAL, "--"), (-line, OPPOSITE, "-.")):
        axis.plot(line, loss(np.stack([line, side], axis=-1)), color=color, ls=dashes, lw=1.3)
    axis.plot(TEACHER, loss(np.stack([TEACHER, -TEACHER], axis=-1)), zorder=3, **OPTIMUM)
    axis.plot(0, loss(np.zeros(2)), ZERO[1], color=ZERO[0], ms=4.5)
    axis.annotate("saddle\nat zero", (0, loss(np.zeros(2))), (0, -9), textcoords="offset points", ha="center", va="top", fontsize=NOTE_SIZE)
    axis.set(xlabel="weight w1 of unit 1", ylabel="training loss", ylim=(-0.15, None))
    sns.despine(ax=axis)


def title() -> str:
    """Say how the loss bends at zero, along the line of equal units and across it."""
    along, across = curvatures_at_zero()
    kind = "a saddle" if along > 0 > across else "no saddle"
    return (
        f"Zero is {kind} of the loss: its curvature is {number_words(round(along, 2))} along the line of equal units, "
        f"{number_words(round(across, 2))} across it"
    )
