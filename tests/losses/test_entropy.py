"""The binary cross-entropy against higher precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.hardware import precision
from bench.losses.definition import Loss

LOGITS = np.concatenate([np.linspace(-80, 80, 4001), np.logspace(-20, 1.9, 2001), -np.logspace(-20, 1.9, 2001)])


def binary(outputs: jax.Array) -> jax.Array:
    return Loss.of("cross_entropy").each(outputs[:, None], jnp.zeros((len(outputs), 1), outputs.dtype))


@pytest.mark.parametrize(("dtype", "exact"), [("float32", np.float64), ("float64", np.longdouble)])
def test_binary_cross_entropy_is_exact_to_a_few_last_bits(dtype: str, exact: type) -> None:
    logits = LOGITS.astype(dtype)
    wide: np.ndarray = logits.astype(exact)
    expected = np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))
    with precision(dtype):
        found = np.asarray(jax.jit(binary)(jnp.asarray(logits)))
    assert found.dtype == dtype
    # Small losses too are exact relative to themselves; the exponential brings in an error of its own.
    assert np.max(np.abs(found - expected) / np.spacing(expected.astype(dtype))) < 4


def test_its_slope_is_the_sigmoid() -> None:
    logits = jnp.asarray(LOGITS, jnp.float32)
    slope = jax.grad(lambda z: jnp.sum(binary(z)))(logits)
    np.testing.assert_allclose(slope, 1 / (1 + np.exp(-np.asarray(logits, np.float64))), rtol=2e-6)
    # At 0 the second derivative is 1/4, not that of a kink.
    assert jax.grad(jax.grad(lambda z: binary(z[None])[0]))(jnp.zeros(())) == 0.25
