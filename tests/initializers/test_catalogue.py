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


WIDE, SQUARE, TWO, ONE = (20, 60), (30, 30), (2, 50), (1, 50)
STANDARD = stats.truncnorm(-2, 2).std()
LIMITS: dict[str, tuple[dict[str, Any], tuple[int, ...], str, dict[str, Any]]] = {
    "constant": ({"value": 0.0}, WIDE, "zeros", {}),
    "constant_noise": ({"eps": 0.0}, WIDE, "constant", {}),
    "delta_orthogonal": ({}, WIDE, "orthogonal", {}),
    "flax_default": ({}, WIDE, "variance_scaling", {"distribution": "truncated_normal"}),
    "glorot_normal": ({}, SQUARE, "lecun_normal", {}),
    "glorot_standard": ({}, WIDE, "uniform", {"limit": 20**-0.5}),
    "glorot_uniform": ({}, SQUARE, "lecun_uniform", {}),
    "he_normal": ({}, TWO, "normal", {"stddev": 1.0}),
    "he_uniform": ({}, TWO, "uniform", {"limit": 3**0.5}),
    "identity": ({}, SQUARE, "idinit", {}),
    "idinit": ({}, SQUARE, "identity", {}),
    "keras_default": ({}, WIDE, "glorot_uniform", {}),
    "lecun_normal": ({}, ONE, "normal", {"stddev": 1.0}),
    "lecun_uniform": ({}, ONE, "uniform", {"limit": 3**0.5}),
    "listed": ({"values": ()}, WIDE, "zeros", {}),
    "normal": ({"stddev": 20**-0.5}, WIDE, "lecun_normal", {}),
    "pytorch_default": ({}, WIDE, "glorot_standard", {}),
    "small_init": ({}, (30, 120), "glorot_normal", {}),
    "sparse": ({"connections": 20}, WIDE, "normal", {}),
    "truncated_normal": ({"stddev": 1 / (STANDARD * 20**0.5)}, WIDE, "flax_default", {}),
    "uniform": ({"limit": (3 / 20) ** 0.5}, WIDE, "lecun_uniform", {}),
    "variance_scaling": ({"scale": 2.0}, WIDE, "he_normal", {}),
    "zero_hadamard": ({}, (60, 20), "identity", {}),
    "zeros": ({}, WIDE, "constant", {"value": 0.0}),
}
"""Of an initializer: options, the shape of a layer, and the other initializer and its options that it is in this case."""


@pytest.mark.parametrize("name", LIMITS)
def test_an_initializer_is_the_simpler_one_that_it_names(name: str) -> None:
    options, shape, simpler, theirs = LIMITS[name]
    assert f"`{simpler}`" in facts(initializer[name].target)["limit"] or simpler.split("_")[0] in "he lecun glorot"
    np.testing.assert_allclose(draw(name, shape, **options), draw(simpler, shape, **theirs), rtol=2e-6)
    if name not in ("delta_orthogonal", "glorot_standard", "keras_default", "listed", "pytorch_default", "zeros", "flax_default"):
        assert not np.allclose(draw(name, (17, 23)), draw(simpler, (17, 23)))


def test_every_limit_is_looked_at() -> None:
    """Those that are no other initializer have tests of their own."""
    assert set(initializer) == LIMITS.keys() | {"distinct", "orthogonal", "spectral"}
    np.testing.assert_allclose(draw("distinct", ONE)[0], 3**0.5 * (2 * (np.arange(1, 51) * 2**0.5 % 1) - 1), rtol=1e-5)
    assert np.linalg.norm(draw("orthogonal", (40, 1), scale=3.0)) == pytest.approx(3, rel=1e-5)


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


def test_idinit_repeats_the_identity() -> None:
    np.testing.assert_array_equal(draw("idinit", (2, 5)), [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]])
    np.testing.assert_array_equal(draw("idinit", (5, 2)), draw("idinit", (2, 5)).T)
    np.testing.assert_allclose(np.linalg.svd(draw("idinit", (30, 10), scale=2.0), compute_uv=False), 2 * np.sqrt(3), rtol=1e-6)
