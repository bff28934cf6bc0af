"""The law and the limiting case that the docstring of each task states, exactly or over many draws."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from bench.registry import importing
from bench.tasks import task
from bench.tasks.arrays import parts_of
from bench.tasks.definition import Data
from bench.tasks.openml import _supply

MANY = 40_000
"""Examples, of which a mean is within 5 standard errors of what is expected."""


def drawn(name: str, **options: Any) -> Data:
    with importing():
        made = task[name].target(**options)
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, made.sample(jnp.asarray(0) if made.by_seed else jax.random.key(0), jnp.dtype("float64")))


def drawn_often(name: str, times: int, **options: Any) -> Data:
    """The data of many data seeds, along a first axis."""
    keys = jax.vmap(jax.random.key)(jnp.arange(times))
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda key: task[name].target(**options).sample(key, jnp.float32)))(keys))


def mean_is(values: Any, expected: float) -> bool:
    """Whether the mean of independent values is within 5 standard errors of what is expected."""
    values = np.asarray(values, float).ravel()
    return bool(abs(values.mean() - expected) <= 5 * values.std() / np.sqrt(len(values)) + 1e-12)


def least_mse(data: Data) -> float:
    """The least mean squared error of a linear function with a constant."""
    x = np.column_stack([data.x, np.ones(len(data.x))])
    return float(np.mean((data.y - x @ np.linalg.lstsq(x, data.y, rcond=None)[0]) ** 2))


def standardized(x: Any) -> None:
    """Every column has mean 0 and variance 1, or is 0."""
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    varied = x.std(axis=0) > 0
    np.testing.assert_allclose(x.std(axis=0)[varied], 1, rtol=1e-6)
    assert not np.any(x[:, ~varied])


def test_law_of_parity() -> None:
    data = drawn("parity", bits=4)
    np.testing.assert_array_equal(data.y[:, 0], data.x.sum(axis=1) % 2)
    signs = 1 - 2 * data.x
    for left_out in range(4):
        assert not np.any(np.delete(signs, left_out, axis=1).prod(axis=1) @ (data.y - 0.5))
    assert least_mse(data) == pytest.approx(1 / 4) == np.var(data.y)
    one = drawn("parity", bits=1)
    np.testing.assert_array_equal(one.x, one.y)


def test_law_of_xor() -> None:
    data = drawn("xor")
    assert least_mse(data) == pytest.approx(1 / 4)
    assert float(task["xor"].target().loss(jnp.zeros((4, 1)), jnp.asarray(data.y))) == pytest.approx(np.log(2), rel=1e-6)
    jax.tree.map(np.testing.assert_array_equal, data, drawn("parity", bits=2))


def test_law_of_ring() -> None:
    for modes in (3, 8):
        x = drawn("ring", modes=modes, radius=2.0, stddev=0.3, n=modes * 5000, n_test=0).x[:, :2]
        for k in range(2):
            assert mean_is(x[:, k], 0) and mean_is(x[:, k] ** 2, 2 + 0.09)
    one = drawn("ring", modes=1, radius=2.0, n=5000).x
    assert mean_is(one[:, 0], 2) and mean_is(one[:, 1], 0) and np.std(one[:, :2]) < 1.5


def test_law_of_gaussian() -> None:
    x = drawn("gaussian", mean=3.0, stddev=0.5, n=MANY).x
    assert mean_is(x[:, 0], 3) and mean_is((x[:, 0] - 3) ** 2, 0.25) and mean_is(x[:, 1], 0) and mean_is(x[:, 1] ** 2, 1)


def test_law_of_modes() -> None:
    for jitter in (0.0, 0.2):
        data = drawn("modes", jitter=jitter)
        values = np.linalg.svd(data.x.T @ data.y / 16, compute_uv=False)
        low, high = (np.sort(np.array([4, 2, 1, 0.5]) * (1 + side * jitter))[::-1] for side in (-1, 1))
        assert np.all(values > low - 1e-9) and np.all(values < high + 1e-9)


def test_law_of_moons() -> None:
    for noise in (0.0, 0.2):
        data = drawn("moons", n=MANY, noise=noise)
        centers = np.where(data.y == 0, [0.0, 0.0], [1.0, 0.5])
        squares = np.sum((data.x - centers) ** 2, axis=1)
        assert mean_is(squares, 1 + 2 * noise**2)
        assert noise > 0 or np.allclose(squares, 1)


def test_law_of_spirals() -> None:
    data = drawn("spirals", n=MANY, radius=2.0, noise=0.1)
    assert mean_is(np.sum(data.x**2, axis=1), 4 / 3 + 0.02)
    lines = drawn("spirals", n=200, turns=1e-9, noise=0.0)
    np.testing.assert_array_equal(lines.x[:, 0] > 0, lines.y[:, 0] == 0)
    np.testing.assert_allclose(lines.x[:, 1], 0, atol=1e-8)


def test_law_of_absolute_value() -> None:
    data = drawn("absolute_value", points=20_001)
    np.testing.assert_array_equal(data.y, np.abs(data.x))
    assert least_mse(data) == pytest.approx(1 / 12, rel=1e-3) == np.var(data.y)
    np.testing.assert_array_equal(drawn("absolute_value", points=2).y, 1)


def test_law_of_unit_input() -> None:
    data = drawn("unit_input", d=7)
    assert np.mean(data.x**2) == 1
    slope = jax.grad(lambda outputs: task["unit_input"].target().loss(outputs, jnp.zeros((1, 1))))(jnp.full((1, 1), 3.0))
    np.testing.assert_array_equal(slope, 1)
    np.testing.assert_array_equal(data.x, drawn("worked_example", x=(1.0,) * 7).x)


def test_law_of_worked_example() -> None:
    made = task["worked_example"].target(x=(2.0, 3.0))
    assert float(made.loss(jnp.full((1, 1), 6.0), jnp.zeros((1, 1)))) == 6


def test_law_of_diabetes() -> None:
    data = drawn("diabetes")
    standardized(np.column_stack([data.x, data.y]))
    assert np.mean(data.y**2) == pytest.approx(1) and len(data.x) == 442 - round(442 / 4)


def test_law_of_breast_cancer() -> None:
    data = drawn("breast_cancer")
    standardized(data.x)
    assert data.test_y is not None and np.sum(data.y) + np.sum(data.test_y) == 357 and len(data.y) + len(data.test_y) == 569


def test_law_of_wine() -> None:
    data = drawn("wine")
    standardized(data.x)
    assert data.test_y is not None
    assert np.bincount(np.concatenate([data.y, data.test_y])).tolist() == [59, 71, 48]


def test_law_of_digits() -> None:
    data = drawn("digits")
    standardized(data.x)
    assert data.test_y is not None
    counts = np.bincount(np.concatenate([data.y, data.test_y]))
    assert len(counts) == 10 and counts.min() == 174 and counts.max() == 183


def test_law_of_adding() -> None:
    data = drawn("adding", n=MANY)
    assert mean_is(data.y, 1) and mean_is((data.y - 1) ** 2, 1 / 6)
    two = drawn("adding", length=2)
    np.testing.assert_allclose(two.y[:, 0], two.x[:, 0] + two.x[:, 2], rtol=1e-12)


def test_law_of_first_symbol() -> None:
    data = drawn("first_symbol", length=3, symbols=4, n=MANY)
    steps = data.x.reshape(MANY, 3, 4)
    for later in (1, 2):
        both = np.einsum("na,nb->ab", steps[:, 0], steps[:, later])
        assert np.all(np.abs(both - MANY / 16) < 5 * np.sqrt(MANY / 16))
    np.testing.assert_array_equal(steps[:, 0].argmax(axis=1), data.y)


def test_law_of_regression() -> None:
    y = drawn_often("regression", MANY, n=1, n_test=0, column_scales=(2.0, 1.0), noise=0.5).y
    assert mean_is(y**2, 5.25) and not mean_is(y**2, 4.75)
    assert least_mse(drawn("regression", noise=0.0)) < 1e-20
    assert least_mse(drawn("regression", noise=0.1)) > 1e-3


def test_law_of_classification() -> None:
    data = drawn("classification", n=2000, margin=0.3)
    x, s = data.x, 2 * data.y[:, 0] - 1
    angles = np.linspace(0, 2 * np.pi, 10_001)
    margins = np.min((s[:, None] * x) @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    assert 0.3 - 1e-3 < margins.max() < 0.35
    flipped = drawn("classification", n=2000, margin=0.3, flip=0.1)
    assert np.sum(flipped.y != data.y) == 200


def test_law_of_blobs() -> None:
    data = drawn("blobs", n=MANY, d=3, spread=0.2)
    assert mean_is(np.sum(data.x**2, axis=1), 1 + 3 * 0.04)
    assert len(np.unique(np.round(drawn("blobs", spread=1e-12, n=500).x, 6), axis=0)) == 4


def test_law_of_teacher_neuron() -> None:
    assert least_mse(drawn("teacher_neuron", activation="identity")) < 1e-20 < least_mse(drawn("teacher_neuron"))
    data = drawn("teacher_neuron")
    logits = np.log(data.y / (1 - data.y))
    assert least_mse(data._replace(y=logits)) < 1e-18


def test_law_of_student_teacher() -> None:
    z = np.random.default_rng(0).normal(size=(MANY, 5))
    for k in (1, 5):
        half = np.maximum(z[:, :k], 0).sum(axis=1) ** 2 / 2
        data = drawn("student_teacher", k=k)
        assert float(-data.floor) == pytest.approx(k / 4 + k * (k - 1) / (4 * np.pi)) and mean_is(half, float(-data.floor))


def test_law_of_gaussian_pairs() -> None:
    data = drawn_often("gaussian_pairs", 500, n=40, d=10)
    left = [np.mean((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2) for x, y in zip(data.x, data.y, strict=True)]
    assert mean_is(left, 1 - 10 / 40) and not mean_is(left, 1)
    whole = drawn("gaussian_pairs", n=10, d=10, whitened=True)
    np.testing.assert_allclose(whole.x.T @ whole.x / 10, np.eye(10), atol=1e-9)
    np.testing.assert_allclose(whole.x @ np.linalg.solve(whole.x, whole.y), whole.y, atol=1e-9)


def test_law_of_mnist1d() -> None:
    data = drawn("mnist1d")
    assert data.test_x is not None and data.test_y is not None
    together = np.concatenate([data.x, data.test_x])
    assert abs(together.mean()) < 1e-9 and together.std() == pytest.approx(1)
    assert np.bincount(np.concatenate([data.y, data.test_y])).tolist() == [500] * 10


def test_law_of_sklearn() -> None:
    standardized(drawn("sklearn", loader="load_digits").x)
    plain = drawn("sklearn", loader="load_wine", standardize=False, test_fraction=0.0)
    np.testing.assert_array_equal(np.sort(plain.x, axis=0), np.sort(load_wine().data, axis=0))


def test_law_of_openml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the examples come from arrays in place of what would be fetched."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 255, (70, 5)), rng.integers(0, 3, 70)
    monkeypatch.setattr("bench.tasks.openml._fetched", lambda data_id, name: parts_of((x, y)))
    _supply.cache_clear()
    data, plain = (drawn("openml", data="mnist_784", kind="classification", standardize=how) for how in ("together", False))
    _supply.cache_clear()
    assert len(data.x) == 60 and data.x.mean() == pytest.approx(0, abs=1e-6) and data.x.std() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(plain.x, x[:60], rtol=1e-6)


def test_law_of_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.uniform(5, 9, 50), "b": 4.0, "y": np.arange(50) % 2})
    frame.to_csv(tmp_path / "own.csv", index=False)
    data, plain = (drawn("file", path=str(tmp_path / "own.csv"), target="y", standardize=how) for how in (True, False))
    standardized(data.x)
    np.testing.assert_allclose(plain.x, frame[["a", "b"]], rtol=1e-6)


def test_every_task_has_a_law() -> None:
    assert {f"test_law_of_{name}" for name in task} <= set(globals())
