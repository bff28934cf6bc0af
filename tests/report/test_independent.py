"""Headline rates of the committed reports, from a script of its own: plain JAX, plain NumPy, other random numbers."""

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

ROWS = Path(__file__).parents[2] / "reports" / "x11-xor-width" / "lanes.parquet"
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0.0, 1.0, 1.0, 0.0])
RUNS, STEPS = 1000, 5000
LEVEL = 1e-4
SETTINGS = {"cross-entropy": (0.5, 0.05), "MSE": (0.1, 0.01)}
"""Learning rate, and the loss below which XOR is solved."""


def plain_jax(case: str, width: int, gain: float = 1.0) -> int:
    """Return how many of 1,000 training runs find XOR."""
    rate, threshold = SETTINGS[case]

    def loss(params: tuple[jax.Array, ...]) -> jax.Array:
        w, b, v, c = params
        z = jnp.tanh(X @ w + b) @ v + c
        return jnp.mean(jnp.logaddexp(0.0, z) - Y * z) if case == "cross-entropy" else jnp.mean((z - Y) ** 2)

    def solved(key: jax.Array) -> jax.Array:
        first, second = jax.random.split(key)
        w = gain * jnp.sqrt(2 / (2 + width)) * jax.random.normal(first, (2, width))
        v = gain * jnp.sqrt(2 / (width + 1)) * jax.random.normal(second, (width,))

        def step(carry: tuple[Any, jax.Array], _: None) -> tuple[tuple[Any, jax.Array], None]:
            params, found = carry
            value, slopes = jax.value_and_grad(loss)(params)
            return (tuple(p - rate * g for p, g in zip(params, slopes, strict=True)), found | (value < threshold)), None

        start = ((w, jnp.zeros(width), v, jnp.zeros(())), jnp.array(False))
        (params, found), _ = jax.lax.scan(step, start, length=STEPS)
        return found | (loss(params) < threshold)

    return int(jnp.sum(jax.jit(jax.vmap(solved))(jax.random.split(jax.random.key(1), RUNS))))


def plain_numpy(case: str, width: int) -> int:
    """Return the same in float64, with derivatives by hand."""
    rate, threshold = SETTINGS[case]
    rng = np.random.default_rng(1)
    w, b = np.sqrt(2 / (2 + width)) * rng.normal(size=(RUNS, 2, width)), np.zeros((RUNS, 1, width))
    v, c = np.sqrt(2 / (width + 1)) * rng.normal(size=(RUNS, width, 1)), np.zeros((RUNS, 1, 1))
    found = np.zeros(RUNS, bool)
    y = Y[:, None]
    for _ in range(STEPS + 1):
        h = np.tanh(X @ w + b)
        z = h @ v + c
        values = np.logaddexp(0, z) - y * z if case == "cross-entropy" else (z - y) ** 2
        found |= values.mean(axis=(1, 2)) < threshold
        slope = (1 / (1 + np.exp(-z)) - y if case == "cross-entropy" else 2 * (z - y)) / len(X)
        back = slope @ v.swapaxes(1, 2) * (1 - h**2)
        v, c = v - rate * h.swapaxes(1, 2) @ slope, c - rate * slope.sum(axis=1, keepdims=True)
        w, b = w - rate * X.T @ back, b - rate * back.sum(axis=1, keepdims=True)
    return int(found.sum())


@cache
def committed() -> pd.DataFrame:
    return pd.read_parquet(ROWS, columns=["case", "model.widths", "outcome"])


def differs(case: str, width: int, solved: int) -> bool:
    """Whether so many solved runs of 1,000 differ from the committed rate."""
    rows = committed()
    ours = rows.loc[(rows["case"] == case) & (rows["model.widths"] == f"[{width}]"), "outcome"] == "solved"
    assert len(ours) >= RUNS
    return fisher_exact([[solved, RUNS - solved], [ours.sum(), (~ours).sum()]]).pvalue < LEVEL


@pytest.mark.parametrize(("case", "width"), [("cross-entropy", 2), ("cross-entropy", 3), ("cross-entropy", 4), ("MSE", 2), ("MSE", 3)])
def test_plain_jax_finds_the_same_rates(case: str, width: int) -> None:
    assert not differs(case, width, plain_jax(case, width))


@pytest.mark.parametrize("case", SETTINGS)
def test_plain_numpy_finds_the_same_rates(case: str) -> None:
    assert not differs(case, 2, plain_numpy(case, 2))


def test_another_start_has_another_rate() -> None:
    assert differs("cross-entropy", 2, plain_jax("cross-entropy", 2, gain=3.0))
