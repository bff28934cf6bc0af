"""Starts with and without ties, the last bit of a tie, and the figures about both."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from analysis.figures.growth import local_rates
from analysis.figures.trend import setting
from analysis.laws.dropping import mean_apart, zeroed_apart
from analysis.laws.symmetry import _stays_equal
from analysis.rows.load import load
from bench import run
from bench.initializers.ties import constant_noise, distinct, primes
from bench.probes.ties import tie_range
from tests.conftest import experiment

KEY = jax.random.key(0)


def test_the_firstprimes() -> None:
    assert list(primes(8)) == [2, 3, 5, 7, 11, 13, 17, 19]
    assert [primes(n)[-1] for n in (1, 6, 100, 1000)] == [2, 13, 541, 7919]


def test_distinct_weights_are_points_of_richtmyer_s_sequence() -> None:
    weights = np.asarray(distinct(KEY, (2, 3), jnp.float32))
    expected = np.sqrt(3 / 2) * (2 * (np.outer(np.sqrt([2, 3]), [1, 2, 3]) % 1) - 1)
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 16), (16, 8), (300, 200)])
def test_distinct_weights_have_no_ties_and_a_usual_scale(shape: tuple[int, int]) -> None:
    weights = np.asarray(distinct(KEY, shape, jnp.float32), float)
    gaps = np.abs(weights[:, :, None] - weights[:, None, :]).max(axis=0)[~np.eye(shape[1], dtype=bool)]
    assert gaps.min() > 1e-2 / np.sqrt(shape[0])
    assert np.mean(weights**2) * shape[0] == pytest.approx(1, abs=0.25)
    assert np.linalg.matrix_rank(weights, tol=1e-3) == min(shape)


def test_noise_on_a_constant_has_its_size_and_none_is_the_constant() -> None:
    with jax.enable_x64(True):
        assert np.all(np.asarray(constant_noise(KEY, (9, 5), jnp.float64, eps=0.0)) == 0.5)
        noise = np.asarray(constant_noise(KEY, (200, 200), jnp.float64, value=0.3, eps=1e-12)) - 0.3
    assert np.std(noise) == pytest.approx(1e-12, rel=0.02)


def test_tie_range_is_zero_only_for_a_tie_to_the_last_bit() -> None:
    units = np.full((5, 3), 0.1, np.float32)
    assert float(tie_range(jnp.asarray(units))) == 0
    units[2, 1] = np.nextafter(units[2, 1], 1)
    assert float(tie_range(jnp.asarray(units))) == units[2, 1] - units[0, 1] > 0
    assert float(tie_range(jnp.asarray([[0.0, 1.0], [2.0, 1.0], [-1.0, 1.0]]))) == 3


def test_local_rates_are_those_of_an_exponential_until_it_breaks() -> None:
    steps = np.array([0, 1, 2, 4, 8, 16])
    points = pd.DataFrame(
        [("a", lane, lane, step, size * np.exp(0.5 * step)) for lane, size in enumerate((1e-6, 1e-5)) for step in steps],
        columns=["cell", "data_seed", "init_seed", "step", "spread"],
    )
    rates = local_rates(points, "spread")
    np.testing.assert_allclose(rates.iloc[:4], 0.5)
    # 1e-6 e^8 is below the breaking spread, 1e-5 e^8 is not.
    assert list(rates.iloc[4].notna()) == [True, False]


def test_a_setting_is_found_among_options_and_beside_them() -> None:
    [cell] = experiment(initializer={"name": "constant_noise", "eps": 1e-4, "gain": 2.0}, model={"name": "mlp", "widths": [7]}).cells
    assert setting(cell, "initializer.eps") == 1e-4
    assert setting(cell, "initializer.gain") == 2
    assert setting(cell, "model.widths") == 7
    assert np.isnan(setting(cell, "task.eps"))


def test_dropped_units_are_zeroed_weights_and_only_with_their_own_mask() -> None:
    rng = np.random.default_rng(0)
    unit, v, c, kept = rng.normal(size=(6, 4)), rng.normal(size=(4, 3)), rng.normal(size=3), rng.random((6, 4)) > 0.3
    outputs = (unit * kept / 0.7) @ v + c
    assert zeroed_apart(outputs, kept, unit, v, c, 0.3) < 1e-12
    assert zeroed_apart(outputs, ~kept, unit, v, c, 0.3) > 0.1
    assert mean_apart(unit, v, c, 0.3) < 1e-12


@pytest.mark.parametrize("eps", [0.0, 1e-6])
def test_units_that_start_apart_do_not_end_as_one(eps: float, tmp_path: Path) -> None:
    start = {"name": "constant_noise", "eps": eps}
    [cell] = (wanted := experiment(task="blobs", initializer=start, training={"steps": 30}, seeds={"init": 3, "data": "paired"})).cells
    found = load(run(wanted, tmp_path))
    np.testing.assert_array_equal(_stays_equal(found, cell, found.lanes), eps == 0)
