"""Probes of zero weights on hand-made networks."""

import jax.numpy as jnp
import pytest

from bench.probes.zeros import moving_layers, other_grad_share, varying_zero_share, zero_layers, zero_share, zeroed_grad_share

WEIGHTS = [jnp.array([[1.0, 0.0], [0.0, 2.0]]), jnp.zeros((2, 2)), jnp.array([[0.0], [3.0]])]
GRADIENTS = [jnp.array([[3.0, 0.0], [0.0, 0.0]]), jnp.array([[0.0, 4.0], [3.0, 0.0]]), jnp.array([[0.0], [2.0]])]


def test_zeros_are_counted_exactly() -> None:
    assert float(zero_share(WEIGHTS)) == pytest.approx(7 / 10)
    assert float(zero_share([jnp.array([[1e-30, -0.0]])])) == 0.5
    assert int(zero_layers(WEIGHTS)) == 1
    assert int(zero_layers([jnp.zeros((2, 3)), jnp.zeros((3, 1))])) == 2


def test_weights_of_inputs_that_never_vary_do_not_count() -> None:
    # The second of two inputs is the same in all examples: one of its weights is 0.
    assert float(varying_zero_share(WEIGHTS, jnp.array([[0.0, 5.0], [1.0, 5.0]]))) == pytest.approx(6 / 8)
    assert float(varying_zero_share(WEIGHTS, jnp.array([[0.0, 5.0], [1.0, 6.0]]))) == pytest.approx(7 / 10)


def test_layers_with_a_gradient_are_counted() -> None:
    assert int(moving_layers(GRADIENTS)) == 3
    assert int(moving_layers([GRADIENTS[0], jnp.zeros((2, 2)), jnp.full((2, 1), -0.0)])) == 1


def test_the_gradient_is_divided_between_zero_layers_and_the_others() -> None:
    assert float(zeroed_grad_share(WEIGHTS, GRADIENTS)) == pytest.approx(5 / 10)
    assert float(other_grad_share(WEIGHTS, GRADIENTS)) == pytest.approx(5 / 10)
    still = [jnp.zeros_like(layer) for layer in GRADIENTS]
    assert float(zeroed_grad_share(WEIGHTS, still)) == float(other_grad_share(WEIGHTS, still)) == 0


def test_the_shares_ignore_the_size_of_the_gradient_and_the_order_of_units() -> None:
    scaled = [7 * layer for layer in GRADIENTS]
    assert float(zeroed_grad_share(WEIGHTS, scaled)) == pytest.approx(float(zeroed_grad_share(WEIGHTS, GRADIENTS)))
    turned = [WEIGHTS[0][:, ::-1], WEIGHTS[1][::-1], WEIGHTS[2]]
    moved = [GRADIENTS[0][:, ::-1], GRADIENTS[1][::-1], GRADIENTS[2]]
    assert float(other_grad_share(turned, moved)) == pytest.approx(float(other_grad_share(WEIGHTS, GRADIENTS)))
