"""Schemes keep what they promise on networks and data of several kinds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.initializers.fixed import listed
from bench.initializers.structured import identity, sparse, zero_hadamard
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.schemes import scheme
from bench.spec import InitializerSpec, ModelSpec

X = jax.random.normal(jax.random.key(2), (50, 5)) * jnp.array([1.0, 2.0, 0.1, 5.0, 1.0])
KEY = jax.random.key(7)


def network(name: str = "mlp", **options: object) -> Network:
    return Network(ModelSpec.model_validate({"name": name, **options}), 5, 3)


def drawn(net: Network, scheme_name: str | None, initializer: str = "orthogonal") -> dict:
    spec = InitializerSpec.model_validate({"name": initializer, "scheme": scheme_name})
    return initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), X)


@pytest.mark.parametrize("name", scheme)
def test_a_scheme_keeps_shapes_and_dtypes_and_repeats(name: str) -> None:
    net = network("resmlp") if name == "fixup" else network(widths=[6, 4])
    first = drawn(net, name)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), first) == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), net.shapes)
    jax.tree.map(np.testing.assert_array_equal, first, drawn(net, name))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_lsuv_gives_each_layer_unit_variance(activation: str) -> None:
    net = network(widths=[6, 9, 4], activation=activation)
    outputs, hidden = net.trace(drawn(net, "lsuv"), X)
    for layer in [*(h.pre_activation for h in hidden), outputs]:
        assert float(jnp.var(layer)) == pytest.approx(1, abs=1e-4)
    _, before = net.trace(drawn(net, None), X)
    assert float(jnp.var(before[0].pre_activation)) > 2


def test_lsuv_changes_scales_alone_and_leaves_a_layer_without_spread() -> None:
    net = network(widths=[6, 4])
    for scaled, plain in zip(net.weights(drawn(net, "lsuv")), net.weights(drawn(net, None)), strict=True):
        ratio = np.asarray(scaled / plain)
        np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-5)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(drawn(net, "lsuv", "zeros")))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("widths", [[6], [5, 4]])
def test_antisymmetric_pairs_cancel(activation: str, widths: list[int]) -> None:
    net = network(widths=widths, activation=activation)
    params = drawn(net, "antisymmetric", "normal")
    outputs, hidden = net.trace(params, X)
    assert float(jnp.max(jnp.abs(outputs))) < 1e-5
    assert all(np.all(np.asarray(weights) != 0) for weights in net.weights(params))
    units = np.asarray(hidden[-1].activation)
    half = widths[-1] // 2
    np.testing.assert_array_equal(units[:, :half], units[:, half:])
    assert float(jnp.max(jnp.abs(net.trace(drawn(net, None, "normal"), X)[0]))) > 0.1


def test_antisymmetric_without_an_output_bias_of_its_own() -> None:
    net = network(widths=[6])
    spec = InitializerSpec.model_validate({"name": "pytorch_default", "scheme": "antisymmetric"})
    params = initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), X)
    assert np.any(params["layers"][0]["bias"]) and not np.any(params["layers"][1]["bias"])


def test_a_scheme_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="even number"):
        drawn(network(widths=[5]), "antisymmetric")
    with pytest.raises(ValueError, match="follow one another"):
        drawn(network("linear"), "antisymmetric")
    with pytest.raises(ValueError, match="follow one another"):
        drawn(Network(ModelSpec.model_validate({"name": "resmlp"}), 4, 2), "antisymmetric")


@pytest.mark.parametrize(("fan_in", "fan_out"), [(4, 8), (5, 12), (1, 7), (6, 6), (9, 4)])
def test_zero_hadamard_has_orthonormal_rows_where_the_width_is_a_power_of_two(fan_in: int, fan_out: int) -> None:
    weights = np.asarray(zero_hadamard(KEY, (fan_in, fan_out), jnp.float32))
    if fan_out <= fan_in:
        np.testing.assert_array_equal(weights, np.eye(fan_in, fan_out))
    else:
        np.testing.assert_allclose(np.abs(weights), 2 ** (-np.ceil(np.log2(fan_out)) / 2), rtol=1e-6)
    if fan_out == 8:
        np.testing.assert_allclose(weights @ weights.T, np.eye(fan_in), atol=1e-6)


def test_identity_copies_as_many_inputs_as_there_are() -> None:
    np.testing.assert_array_equal(identity(KEY, (3, 5), jnp.float32), np.eye(3, 5))
    assert identity(KEY, (2, 2, 3, 4), jnp.float32).shape == (2, 2, 3, 4)


@pytest.mark.parametrize("fan_in", [3, 15, 40])
def test_sparse_units_have_their_number_of_connections(fan_in: int) -> None:
    weights = np.asarray(sparse(KEY, (fan_in, 30), jnp.float32))
    assert (np.count_nonzero(weights, axis=0) == min(fan_in, 15)).all()
    # Which inputs are connected differs from unit to unit.
    assert fan_in <= 15 or len({column.tobytes() for column in (weights != 0).T}) > 25


def test_listed_weights_stand_row_after_row() -> None:
    np.testing.assert_array_equal(listed(KEY, (2, 3), jnp.float32, (1, 2, 3, 4, 5, 6)), [[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match=r"4 values for a weight layer of shape \(2, 3\)"):
        listed(KEY, (2, 3), jnp.float32, (1, 2, 3, 4))
