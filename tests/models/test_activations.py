"""The law and the limiting case that the docstring of each activation function states."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.models.activations import ACTIVATIONS, activation_function

X = np.linspace(-12, 12, 240_001)
DENSITY = np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)
LARGE = 1e4
"""A factor for which a smooth kink is as good as a sharp one."""
Function = Callable[[np.ndarray], np.ndarray]


def values(name: str) -> Function:
    def called(x: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(activation_function(name)(jnp.asarray(x, "float64")))

    return called


def mean(f: np.ndarray) -> float:
    """The expectation over N(0, 1) of values at `X`."""
    return float(np.trapezoid(f * DENSITY, X))


def odd(f: Function) -> bool:
    return np.allclose(f(-X), -f(X), atol=1e-12)


def splits(f: Function) -> bool:
    """Whether f(x) - f(-x) = x."""
    return np.allclose(f(X) - f(-X), X, atol=1e-9)


def same(f: Function, name: str, x: np.ndarray, within: float = 1e-9) -> bool:
    return np.allclose(f(x), values(name)(x), rtol=within, atol=1e-12)


def kink(f: Function) -> bool:
    """Whether it is a ReLU for large numbers."""
    return np.allclose(f(LARGE * X) / LARGE, np.maximum(X, 0), atol=1e-3)


SMALL = np.linspace(-1e-5, 1e-5, 101)
CHECKS: dict[str, Callable[[Function], list[Any]]] = {
    "identity": lambda f: [np.isclose(mean(f(X) ** 2), 1), same(f, "leaky_relu(1)", X)],
    "tanh": lambda f: [odd(f), bool(np.all(np.abs(f(X)) < 1)), same(f, "identity", SMALL)],
    "sigmoid": lambda f: [np.allclose(f(X) + f(-X), 1), np.allclose(f(SMALL), 0.5 + SMALL / 4, atol=1e-12)],
    "softplus": lambda f: [splits(f), kink(f)],
    "relu": lambda f: [np.isclose(mean(f(X) ** 2), 1 / 2), same(f, "leaky_relu(0)", X)],
    "leaky_relu": lambda f: [
        np.isclose(mean(f(X) ** 2), (1 + 0.01**2) / 2),
        np.isclose(mean(values("leaky_relu(0.3)")(X) ** 2), (1 + 0.3**2) / 2),
    ],
    "gelu": lambda f: [splits(f), kink(f)],
    "silu": lambda f: [splits(f), kink(f)],
    "sine": lambda f: [np.isclose(mean(f(X) ** 2), (1 - np.exp(-2)) / 2), same(f, "identity", SMALL)],
    "elu": lambda f: [
        bool(np.all(f(X) > -1)),
        np.allclose(np.gradient(f(X), X)[1:100_000], 1 + f(X)[1:100_000], atol=1e-6),
        same(f, "identity", X[X > 0]),
        np.isclose(f(np.array(-50.0)), -1),
    ],
    "selu": lambda f: [
        abs(mean(f(X))) < 1e-6,
        np.isclose(mean(f(X) ** 2), 1),
        np.allclose(f(X[X > 0]), 1.0507 * X[X > 0], rtol=1e-5),
        np.isclose(f(np.array(-50.0)), -1.7581, rtol=1e-4),
    ],
    "relu_squared": lambda f: [np.isclose(mean(f(X) ** 2), 3 / 2), np.allclose(f(X[X > 0]), X[X > 0] ** 2)],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_function_has_the_law_and_the_limit_that_it_states(name: str) -> None:
    assert all(CHECKS[name](values(name)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_another_function_does_not(name: str) -> None:
    other = values(name)
    assert not all(CHECKS[name](lambda x: 1.01 * other(x) + 0.001 * x**2))
