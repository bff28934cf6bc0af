"""Sequence tasks read number by number, and what a guess costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.losses.definition import Loss
from bench.tasks import task

KEY = jax.random.key(1)


@pytest.mark.parametrize("length", [2, 7, 10])
def test_adding_marks_one_value_in_each_half(length: int) -> None:
    data = task["adding"].target(length=length, n=200, n_test=50).sample(KEY, jnp.float32)
    steps = np.asarray(data.x).reshape(200, length, 2)
    marked = steps[:, :, 1] == 1
    assert set(np.unique(steps[:, :, 1])) <= {0, 1}
    assert (marked[:, : length // 2].sum(1) == 1).all() and (marked[:, length // 2 :].sum(1) == 1).all()
    assert marked.any(axis=0).all()
    np.testing.assert_allclose(data.y[:, 0], [example[where, 0].sum() for example, where in zip(steps, marked, strict=True)], rtol=1e-6)
    assert data.test_x is not None and len(data.test_x) == 50


def test_the_best_constant_of_adding_has_an_mse_of_one_sixth() -> None:
    data = task["adding"].target(n=20_000).sample(KEY, jnp.float32)
    assert float(Loss.of("mse")(jnp.ones((20_000, 1)), data.y)) == pytest.approx(1 / 6, abs=0.005)


def test_the_first_symbol_is_the_label() -> None:
    made = task["first_symbol"].target(length=5, symbols=3, n=300, n_test=0)
    data = made.sample(KEY, jnp.float32)
    steps = np.asarray(data.x).reshape(300, 5, 3)
    assert (steps.sum(axis=2) == 1).all() and set(np.unique(steps)) == {0, 1}
    np.testing.assert_array_equal(steps[:, 0].argmax(axis=1), data.y)
    assert np.abs(steps.mean(axis=0) - 1 / 3).max() < 0.12
    assert float(Loss.of("cross_entropy")(jnp.zeros((300, 3)), data.y)) == pytest.approx(np.log(3), rel=1e-5)
    assert data.test_x is None
