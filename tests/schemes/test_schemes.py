"""Schemes keep what they promise on networks and data of several kinds."""

import json
from functools import cache
from typing import Any

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
from bench.startup import HASTY
from bench.tasks.definition import Data

X = jax.random.normal(jax.random.key(2), (50, 5)) * jnp.array([1.0, 2.0, 0.1, 5.0, 1.0])
Y = jnp.arange(50) % 7 % 3
DATA = Data(X, Y, None, None, jnp.zeros(()))
KEY = jax.random.key(7)
MODELS = (
    {"name": "mlp", "widths": [6, 4], "activation": "relu"},
    {"name": "resmlp", "gated": True},
    {"name": "transformer", "features": 1, "width": 64, "mlp_width": 128, "blocks": 3},
    {"name": "lstm", "features": 1},
)
"""Models of which each scheme fits one."""


def network(name: str = "mlp", **options: Any) -> Network:
    """A network of five inputs and three outputs."""
    return _network(json.dumps({"name": name, **options}))


@cache
def _network(model: str) -> Network:
    return Network(ModelSpec.model_validate(json.loads(model)), 5, 3)


def drawn(net: Network, scheme: str | dict | None, initializer: str = "orthogonal", seed: int = 3, data: Data = DATA) -> dict:
    return _start(net, json.dumps({"name": initializer, "scheme": scheme}))(parameter_keys(net, seed), data)


@cache
def _start(net: Network, initializer: str) -> Any:
    spec = InitializerSpec.model_validate(json.loads(initializer))

    def start(keys: jax.Array, data: Data) -> dict:
        return initial_parameters(net, spec, keys, jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), data)

    return jax.jit(start, compiler_options=HASTY)


@pytest.mark.parametrize("name", scheme)
def test_a_scheme_keeps_shapes_and_dtypes_repeats_and_says_where_it_does_not_fit(name: str) -> None:
    fitting: list[Network] = []
    for options in MODELS:
        net = network(**options)
        try:
            first = drawn(net, name, "zeros")
        except ValueError as error:
            assert str(error).startswith(f"{name}: ")
            continue
        if fitting:
            continue
        fitting.append(net)
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), first) == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), net.shapes)
        jax.tree.map(np.testing.assert_array_equal, first, drawn(net, name, "zeros"))
        other = drawn(net, name, "zeros", seed=4)
        differs = any(bool(jnp.any(a != b)) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True))
        assert differs == scheme[name].takes("key") == InitializerSpec.model_validate({"name": "zeros", "scheme": name}).random
    assert fitting


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
    params = initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), DATA)
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
