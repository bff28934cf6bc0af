"""The NumPy oracle of the laws against finite differences, and against the networks that it has to be independent of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.laws.oracle import ACTIVATIONS, ZERO_AT_ZERO, cross_entropy, forward, function_of, gain, gradients, trained
from bench.models import activations

POINTS = np.linspace(-4, 4, 17)
STEP = 1e-5


def test_every_activation_function_is_in_the_table() -> None:
    assert ACTIVATIONS.keys() == activations.ACTIVATIONS.keys()
    assert ZERO_AT_ZERO == activations.ZERO_AT_ZERO


@pytest.mark.parametrize("name", [*ACTIVATIONS, "leaky_relu(0.2)"])
def test_activations_slopes_and_gains_are_those_of_the_models(name: str) -> None:
    theirs, ours = activations.activation_function(name), function_of(name)
    with jax.enable_x64(True):
        points = jnp.asarray(POINTS)
        np.testing.assert_allclose(ours.value(POINTS), theirs(points), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(ours.slope(POINTS), jax.vmap(jax.grad(theirs))(points), rtol=1e-12, atol=1e-15)
    assert activations.second_moment_gain(name) == pytest.approx(gain(name), rel=1e-8)


def test_gains_are_those_that_can_be_worked_out_by_hand() -> None:
    exact = {"identity": 1, "relu": np.sqrt(2), "leaky_relu(0.2)": np.sqrt(2 / 1.04), "relu_squared": np.sqrt(2 / 3)}
    exact |= {"sine": (np.exp(-1) * np.sinh(1)) ** -0.5, "selu": 1}
    for name, expected in exact.items():
        assert activations.second_moment_gain(name) == pytest.approx(expected, rel=1e-9)
    published = {"tanh": 1.5925, "gelu": 1.5335, "silu": 1.6765, "elu": 1.2452, "softplus": 1.0419, "sigmoid": 1.8462, "sine": 1.5209}
    for name, expected in published.items():
        assert activations.second_moment_gain(name) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", [name for name, activation in ACTIVATIONS.items() if activation.curvature])
def test_curvatures_are_the_slopes_of_slopes(name: str) -> None:
    _, slope, curvature = ACTIVATIONS[name]
    assert curvature is not None
    np.testing.assert_allclose(curvature(POINTS), (slope(POINTS + STEP) - slope(POINTS - STEP)) / (2 * STEP), atol=1e-9)


@pytest.mark.parametrize("classes", [True, False])
def test_gradients_are_finite_differences(classes: bool) -> None:
    """Two lanes at a time, of networks with two hidden layers."""
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(2, *sizes)), rng.normal(size=(2, sizes[1]))) for sizes in ((3, 4), (4, 5), (5, 2))]
    x = rng.normal(size=(2, 6, 3))
    y = rng.integers(0, 2, (2, 6)) if classes else rng.random((2, 6, 2))

    def loss() -> np.ndarray | np.floating:
        return cross_entropy(forward(layers, "tanh", x).sums[-1], y)[0]

    passed = forward(layers, "tanh", x)
    found = gradients(layers, "tanh", passed, cross_entropy(passed.sums[-1], y)[1])
    for pair, slopes in zip(layers, found, strict=True):
        for leaf, slope in zip(pair, slopes, strict=True):
            place = (slice(None), *(size // 2 for size in leaf.shape[1:]))
            before = leaf[place].copy()
            leaf[place] = before + STEP
            above = loss()
            leaf[place] = before - STEP
            below = loss()
            leaf[place] = before
            np.testing.assert_allclose(slope[place], (above - below) / (2 * STEP), rtol=1e-6, atol=1e-10)


def test_a_step_of_momentum_is_worked_out_by_hand() -> None:
    """One weight w from 0 on one example x = 1 of probability 1: slopes are sigmoid(w) - 1."""
    layers = trained([(np.zeros((1, 1)), np.zeros(1))], "identity", np.ones((1, 1)), np.ones((1, 1)), 2, 0.5, 0.9)
    first = 0.25
    second = first + 0.5 * (0.9 * 0.5 + 1 - 1 / (1 + np.exp(-2 * first)))
    assert [float(leaf.item()) for leaf in layers[0]] == pytest.approx([second, second])
