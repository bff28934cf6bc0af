"""The pictures of the four starts show what gradient descent does from them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import contourpy
import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import expit

from analysis.figures import boundaries, saddle, weights
from analysis.figures.four_starts import POINTS, SAME, Start, four_starts, shown_steps
from analysis.figures.numbers import numbers_of


@cache
def starts() -> dict[str, Start]:
    return {start.name: start for start in four_starts()}


def nudged(start: Start, unit: int, change: float) -> Start:
    """The start with one bias moved in its last frame."""
    layers = start.path.params["layers"]
    bias = layers[0]["bias"].copy()
    bias[-1, unit] += change
    params = {"layers": {**layers, 0: {**layers[0], "bias": bias}}}
    return replace(start, path=start.path._replace(params=params))


def test_equal_units_stay_equal_in_every_frame_and_others_come_apart() -> None:
    found = starts()
    zero, constant, noise, random = (found[name] for name in ("zero", "constant 0.5", "constant + 1e-2", "random (Glorot)"))
    assert not zero.difference.any() and not zero.hidden_weights.any()
    assert constant.difference.max() <= SAME
    # The one point moves.
    assert np.abs(constant.hidden_weights[-1] - 0.5).max() > 0.5
    assert 0 < noise.difference[0] < 0.1 < 1 < noise.difference[-1]
    assert random.difference.min() > 1
    # Negative control: one bias of one unit.
    assert nudged(constant, 3, 1e-6).difference[-1] > 9e-7
    assert weights.title([zero, constant, noise, random]) == (
        "Hidden units stay equal from zero and constant 0.5, and come apart from constant + 1e-2 and random (Glorot)"
    )
    assert "constant 0.5" in weights.title([nudged(constant, 3, 1e-6)]).partition("come apart")[2]


def test_the_runs_are_gradient_descent() -> None:
    """The random start, trained again in plain NumPy."""
    start = starts()["random (Glorot)"]
    data, settings = start.path.data, start.cell.settings
    x, y, rate = np.asarray(data.x), np.asarray(data.y), settings.optimizer.rate
    layers = start.path.params["layers"]
    w, b, v, c = (np.array(layers[place][name][0]) for place in (0, 1) for name in ("kernel", "bias"))
    last = int(np.flatnonzero(start.path.steps <= 300)[-1])
    for _ in range(start.path.steps[last]):
        hidden = np.tanh(x @ w + b)
        error = (expit(hidden @ v + c) - y) / len(x)
        back = (error @ v.T) * (1 - hidden**2)
        w, b, v, c = w - rate * x.T @ back, b - rate * back.sum(0), v - rate * hidden.T @ error, c - rate * error.sum(0)
    np.testing.assert_allclose(start.hidden_weights[last], w.T, rtol=1e-9, atol=1e-12)
    # Negative control.
    assert np.abs(start.hidden_weights[last - 1] - w.T).max() > 1e-3


def test_a_path_begins_at_the_start_and_ends_with_the_budget() -> None:
    for budget in (1, 100, 4000, 100_000):
        steps = shown_steps(budget)
        assert steps[0] == 0 and steps[-1] == budget and steps == sorted(set(steps)) and len(steps) <= POINTS + 1


def bend(start: Start) -> float | None:
    """Largest distance of the decision boundary from a straight line; None if there is no boundary."""
    first, second, odds = boundaries.plane(start)
    lines: Any = contourpy.contour_generator(first, second, odds).lines(0)
    if not lines:
        return None
    points = np.concatenate(lines)
    return float(np.abs((points - points.mean(axis=0)) @ np.linalg.svd(points - points.mean(axis=0))[2][1]).max())


def test_equal_units_draw_one_straight_line_at_most() -> None:
    found = starts()
    assert bend(found["zero"]) is None
    constant, random = bend(found["constant 0.5"]), bend(found["random (Glorot)"])
    assert constant is not None and constant < 0.01
    assert random is not None and random > 0.3
    noise = bend(found["constant + 1e-2"])
    assert noise is not None and noise > 0.3


def test_the_panels_show_these_numbers() -> None:
    moving = weights.Weights(four_starts())
    for frame, point in ((0, 0), (weights.FRAMES - 1, -1)):
        moving.show(frame)
        for axis, start in zip(moving.drawing.axes, four_starts(), strict=True):
            [units] = [line for line in axis.lines if line.get_zorder() == 3]
            np.testing.assert_array_equal(np.array(units.get_data()).T, start.hidden_weights[point])
            # Nothing lies outside of the panel, at any step.
            low, high = np.array([axis.get_xlim(), axis.get_ylim()]).T
            assert ((low < start.hidden_weights) & (start.hidden_weights < high)).all()
    plt.close(moving.drawing)
    drawing = boundaries.boundaries(four_starts())
    notes = ["\n".join(text.get_text() for text in axis.texts) for axis in drawing.axes]
    assert ["no boundary" in note for note in notes] == [True, False, False, False]
    shown = numbers_of(drawing)
    assert len(shown) >= 4 * 128
    plt.close(drawing)


# The loss surface -----------------------------------------------------------------------------------------------------------------


def exactly(function: Callable[[jax.Array], jax.Array], at: np.ndarray) -> np.ndarray:
    """A derivative of the plotted loss in float64, by JAX."""
    with jax.enable_x64(True):
        return np.asarray(function(jax.numpy.asarray(at)))


def plotted(weights: jax.Array) -> jax.Array:
    """The loss, written down once more."""
    x = np.linspace(-1, 1, 21)

    def outputs(w: jax.Array | np.ndarray) -> jax.Array:
        return jax.numpy.tanh(w[0] * x + 0.5) + jax.numpy.tanh(w[1] * x + 0.5)

    return jax.numpy.mean((outputs(weights) - outputs(np.array([3.0, -3.0]))) ** 2)


def test_zero_is_a_saddle_of_the_plotted_loss() -> None:
    zero, elsewhere = np.zeros(2), np.array([0.7, -1.9])
    assert np.abs(saddle.gradient(zero)).max() < 1e-15 and np.abs(exactly(jax.grad(plotted), zero)).max() < 1e-15
    along, across = saddle.curvatures_at_zero()
    hessian = exactly(jax.hessian(plotted), zero)
    np.testing.assert_allclose(hessian @ [1, 1], [along, along], rtol=1e-12)
    np.testing.assert_allclose(hessian @ [1, -1], [across, -across], rtol=1e-12)
    assert along > 0.1 and across < -0.1
    assert saddle.title().startswith("Zero is a saddle")
    # Negative control: no other point is one.
    np.testing.assert_allclose(saddle.gradient(elsewhere), exactly(jax.grad(plotted), elsewhere), rtol=1e-12)
    assert np.abs(saddle.gradient(elsewhere)).max() > 0.01


def test_zero_is_no_saddle_if_the_teacher_s_units_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saddle, "TEACHER", np.array([3.0, 3.0]))
    assert np.abs(saddle.gradient(np.zeros(2))).max() > 0.1


def test_equal_weights_stay_on_their_line_and_unequal_ones_find_an_optimum() -> None:
    for one in saddle.descents():
        assert (np.diff(saddle.loss(one.path)) <= 1e-15).all()
        is_equal = (one.path[:, 0] == one.path[:, 1]).all()
        assert is_equal == (one.name != "from unequal weights")
        last = saddle.loss(one.path[-1])
        if is_equal:
            assert np.abs(one.path[-1]).max() < 1e-6 and last > 0.1
        else:
            assert last < 1e-6 and np.abs(np.sort(one.path[-1]) - [-3, 3]).max() < 0.01
