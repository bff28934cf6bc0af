"""Probes on hand-made cases, and unchanged under the groups that they claim to ignore."""

import jax.numpy as jnp
import numpy as np
import pytest

from bench.probes.activity import dead_fraction, saturated_fraction
from bench.probes.magnitude import grad_share, hessian_min, hidden_grad_max, weight_norm
from bench.probes.symmetry import (
    distinct_units,
    distinct_units_coarse,
    distinct_units_exact,
    effective_rank,
    participation_ratio,
    stable_rank,
    tie_spread,
    unit_cosine_max,
    unit_cosine_mean,
    unit_cosine_undefined,
)
from tests.conftest import Rows, experiment

RNG = np.random.default_rng(0)
RANDOM = jnp.asarray(RNG.normal(size=(6, 4)))


@pytest.mark.parametrize(
    ("units", "count"),
    [
        (jnp.zeros((5, 3)), 1),
        (jnp.ones((5, 3)), 1),
        (RANDOM, 6),
        (jnp.repeat(RANDOM[:2], 3, axis=0), 2),
        (jnp.arange(6.0)[:, None] * 1e-7 + 1, 1),
        (jnp.eye(4), 4),
    ],
)
def test_distinct_units(units: jnp.ndarray, count: int) -> None:
    assert int(distinct_units(units)) == count


def test_distinct_units_are_linked_in_chains() -> None:
    chain = jnp.arange(10.0)[:, None] * 0.009 + 1
    assert int(distinct_units(chain, tolerance=0.01)) == 1
    assert int(distinct_units(chain.at[5:].add(0.1), tolerance=0.01)) == 2


def test_tie_spread_is_the_distance_to_the_mean_unit() -> None:
    assert float(tie_spread(jnp.full((4, 3), 0.7))) < 1e-7
    assert float(tie_spread(jnp.array([[0.0, 1.0], [2.0, 1.0]]))) == 1


@pytest.mark.parametrize(
    ("matrix", "rank"),
    [(jnp.zeros((3, 4)), 0), (jnp.ones((3, 4)), 1), (jnp.eye(5), 5), (jnp.diag(jnp.array([3.0, 3.0, 0.0])), 2)],
)
def test_effective_rank(matrix: jnp.ndarray, rank: float) -> None:
    assert float(effective_rank(matrix)) == pytest.approx(rank, abs=1e-5)


def test_effective_rank_takes_singular_values_not_their_squares() -> None:
    p = np.array([0.75, 0.25])
    assert float(effective_rank(jnp.diag(jnp.array([3.0, 1.0])))) == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-5)


def test_symmetry_probes_ignore_the_order_of_the_units() -> None:
    order = RNG.permutation(6)
    assert int(distinct_units(RANDOM[order])) == int(distinct_units(RANDOM))
    assert float(tie_spread(RANDOM[order])) == pytest.approx(float(tie_spread(RANDOM)), rel=1e-6)
    assert float(effective_rank(RANDOM[order].T)) == pytest.approx(float(effective_rank(RANDOM.T)), rel=1e-5)


def test_effective_rank_ignores_rotation_and_scale() -> None:
    rotation, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    assert float(effective_rank(3 * RANDOM @ rotation)) == pytest.approx(float(effective_rank(RANDOM)), rel=1e-4)


def test_dead_units_have_no_positive_pre_activation() -> None:
    pre_activation = jnp.array([[-1.0, 0.0, 1.0, -2.0], [-3.0, 0.0, -1.0, 0.1]])
    assert float(dead_fraction(pre_activation)) == 0.5


def test_saturated_units_are_saturated_on_95_percent_of_the_examples() -> None:
    saturation = jnp.stack([jnp.r_[jnp.ones(95), jnp.zeros(5)], jnp.r_[-jnp.ones(94), jnp.zeros(6)]], axis=1)
    assert float(saturated_fraction(saturation)) == 0.5


def test_gradient_shares_add_up_and_vanish_with_the_gradient() -> None:
    gradients = [jnp.array([[3.0, 4.0]]), jnp.array([[0.0], [15.0]])]
    np.testing.assert_allclose(grad_share(gradients), [0.25, 0.75])
    assert not np.any(grad_share([jnp.zeros((2, 2)), jnp.zeros((2, 1))]))
    assert float(hidden_grad_max(gradients[:1])) == 4


def test_weight_norm_and_smallest_eigenvalue() -> None:
    assert float(weight_norm([jnp.array([[3.0]]), jnp.array([[4.0]])])) == 5
    assert float(hessian_min(jnp.array([-1.0, 2.0, 5.0]))) == -1


def test_what_counts_as_the_same_unit_depends_on_the_tolerance() -> None:
    units = jnp.array([[1.0, 0.0], [1.0, 1e-7], [1.0, 5e-3], [0.0, 1.0]])
    assert [int(count(units)) for count in (distinct_units_exact, distinct_units, distinct_units_coarse)] == [4, 3, 2]


def test_cosines_of_units() -> None:
    units = jnp.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    assert float(unit_cosine_mean(units)) == pytest.approx(1 / 3)
    assert float(unit_cosine_max(units)) == pytest.approx(1)
    assert int(unit_cosine_undefined(units)) == 0
    rotation, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    assert float(unit_cosine_mean(5 * RANDOM[RNG.permutation(6)] @ rotation)) == pytest.approx(float(unit_cosine_mean(RANDOM)), abs=1e-6)
    assert float(unit_cosine_mean(jnp.ones((4, 3)))) == pytest.approx(1)
    with_zero = units.at[0].set(0)
    assert np.isnan(unit_cosine_mean(with_zero)) and int(unit_cosine_undefined(with_zero)) == 2
    assert np.isnan(unit_cosine_max(units[:1]))


@pytest.mark.parametrize(
    ("matrix", "rank"),
    [(jnp.zeros((3, 4)), 0), (jnp.ones((3, 4)), 1), (jnp.eye(5), 5), (jnp.diag(jnp.array([2.0, 1.0, 1.0])), 1.5)],
)
def test_stable_rank(matrix: jnp.ndarray, rank: float) -> None:
    assert float(stable_rank(matrix)) == pytest.approx(rank, rel=1e-6)


def test_participation_ratio_counts_directions() -> None:
    signs = jnp.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    assert float(participation_ratio(signs)) == pytest.approx(2)
    assert float(participation_ratio(signs[:, [0, 0, 0]])) == pytest.approx(1)
    assert float(participation_ratio(jnp.ones((4, 3)))) == 0


def test_one_layer_that_breaks_is_counted_where_the_most_symmetric_one_hides_it(rows: Rows) -> None:
    broken = {"name": "constant", "value": 0.3, "layers": {"layers.3.kernel": "he_normal"}}
    network = {"name": "mlp", "widths": [4, 4, 4], "activation": "tanh"}
    found = rows(
        experiment(
            model=network,
            initializer=broken,
            training={"steps": 1},
            probes=["distinct_units", "untied_layers", "dead_fraction"],
            seeds={"init": 3},
            track=[],
        )
    )
    assert (found["distinct_units_initial"] == 1).all()
    assert (found["untied_layers_initial"] == 1).all()
