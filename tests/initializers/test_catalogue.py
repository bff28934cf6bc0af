"""The laws of the initializers over a million draws, against formulas and implementations that share no code with them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from analysis.laws.scales import MEAN_SQUARES, WITHOUT_CHANCE, law_of
from bench.docstrings import facts
from bench.initializers import initializer

KEY = jax.random.key(11)
SHAPE = (1250, 800)
"""A million weights."""
LAWS = [name for name in initializer if law_of(name) in MEAN_SQUARES]


def draw(name: str, shape: tuple[int, ...] = SHAPE, **options: object) -> np.ndarray:
    entry = initializer[name]
    return np.asarray(entry.bind(entry.options(**options).model_dump())(KEY, shape, jnp.float32), float)


@pytest.mark.parametrize("name", initializer)
def test_every_initializer_says_its_formula_and_its_law(name: str) -> None:
    assert {"formula", "law"} <= set(facts(initializer[name].target))


@pytest.mark.parametrize("name", LAWS)
def test_a_million_weights_have_the_mean_square_of_the_law(name: str) -> None:
    weights = draw(name)
    expected = MEAN_SQUARES[law_of(name)](initializer[name].options().model_dump(), *SHAPE)
    found = np.mean(weights**2)
    if law_of(name) in WITHOUT_CHANCE:
        assert found == pytest.approx(expected, rel=1e-5)
        return
    # A normal law's sum of squares has the most spread of those here; zeros of a sparse one have none.
    n = np.count_nonzero(weights)
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], n) / n
    assert low < found / expected < high
    assert not low < 1.1 * found / expected < high


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
def test_variance_scaling_is_jax_s(mode: Any, distribution: Any) -> None:
    shape = (3, 3, 4, 10)
    theirs = jax.nn.initializers.variance_scaling(1.7, mode, distribution)(KEY, shape, jnp.float32)
    np.testing.assert_allclose(
        draw("variance_scaling", shape, scale=1.7, mode=mode, distribution=distribution), theirs, rtol=2e-6, atol=1e-8
    )


def test_flax_default_is_what_flax_draws() -> None:
    key = nnx.Rngs(params=3).params()
    built = nnx.Linear(30, 20, rngs=nnx.Rngs(params=3))
    np.testing.assert_allclose(initializer["flax_default"].target(key, (30, 20), jnp.float32), built.kernel[...], rtol=2e-6)
    assert built.bias is not None and not np.any(built.bias[...])
    weights = draw("flax_default") * np.sqrt(SHAPE[0])
    assert 2.27 < np.abs(weights).max() <= 2.2738 and np.var(weights) == pytest.approx(1, rel=0.01)


def test_truncation_without_correction_leaves_88_percent() -> None:
    weights = draw("truncated_normal", stddev=0.5)
    assert np.std(weights) / 0.5 == pytest.approx(0.87963, rel=0.005) and np.abs(weights).max() <= 1
    assert stats.kstest(weights.ravel()[:20_000] / 0.5, stats.truncnorm(-2, 2).cdf).pvalue > 1e-6
    assert stats.kstest(weights.ravel()[:20_000] / 0.5, stats.norm.cdf).pvalue < 1e-6


def test_spectral_has_its_largest_singular_value_exactly() -> None:
    for shape in ((40, 90), (90, 40), (3, 3, 5, 20)):
        matrix = draw("spectral", shape).reshape(-1, shape[-1])
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(np.sqrt(matrix.shape[1] / matrix.shape[0]), rel=1e-5)
    square = draw("spectral", (400, 400))
    assert np.std(square) * 2 * np.sqrt(400) == pytest.approx(1, abs=0.03)


def test_small_init_is_glorot_s_law_from_d_to_four_d() -> None:
    for shape in ((30, 120), (120, 30)):
        np.testing.assert_allclose(draw("small_init", shape), draw("glorot_normal", shape), rtol=1e-6)


def test_idinit_repeats_the_identity() -> None:
    np.testing.assert_array_equal(draw("idinit", (2, 5)), [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]])
    np.testing.assert_array_equal(draw("idinit", (5, 2)), draw("idinit", (2, 5)).T)
    np.testing.assert_array_equal(draw("idinit", (4, 4)), draw("identity", (4, 4)))
    np.testing.assert_allclose(np.linalg.svd(draw("idinit", (30, 10), scale=2.0), compute_uv=False), 2 * np.sqrt(3), rtol=1e-6)
