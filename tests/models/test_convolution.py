"""Convolutional and residual models against reference layers, and the starts that are meant for them."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.engine.layouts import unrolled
from bench.initializers import initializer
from bench.initializers.scaling import orthogonal
from bench.initializers.structured import delta_orthogonal, identity, zero_hadamard
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.lane.objective import Noise
from bench.lane.state import Params
from bench.models.convolution import convolve, mean_pooled
from bench.spec import InitializerSpec, ModelSpec
from bench.tasks.definition import Data
from tests.conftest import Rows, experiment
from tests.engine.comparison import layout_of

KEY = jax.random.key(11)
SIDE = 6
X = jax.random.normal(jax.random.key(2), (20, SIDE**2))

RESIDUAL = ["resmlp", "rescnn"]


def network(name: str, **options: object) -> Network:
    return Network(ModelSpec.model_validate({"name": name, **options}), SIDE**2, 3)


def drawn(net: Network, start: str = "he_normal", **options: object) -> Params:
    """Initial parameters; biases are drawn too unless they are asked for otherwise."""
    spec = InitializerSpec.model_validate({"name": start, "bias_stddev": 0.3, **options})
    zero = jnp.zeros(())
    data = Data(X, X, None, None, zero)
    return initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), zero, jnp.dtype("float32"), data)


def lax_convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def our_convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Ours, which has the channel first and the example last, on images as `jax.lax` has them."""
    return convolve(images.transpose(3, 1, 2, 0), kernel).transpose(3, 1, 2, 0)


def convolved(layer: Any, images: jax.Array) -> jax.Array:
    return lax_convolution(images, layer["kernel"]) + layer["bias"]


def channels_first(values: jax.Array) -> jax.Array:
    """Hidden values (example, ..., channel) in the order in which a model shows them."""
    return jnp.moveaxis(values, -1, 1).reshape(len(values), -1)


def dense(layer: Any, x: jax.Array) -> jax.Array:
    return x @ layer["kernel"] + layer["bias"]


@pytest.mark.parametrize("side", [1, 2, 5])
def test_patches_give_the_values_and_gradients_of_jax_s_convolution(side: int) -> None:
    shapes = [(2, side, side, 3), (3, 3, 3, 4), (2, side, side, 4)]
    features, kernel, weights = (jax.random.normal(jax.random.fold_in(KEY, i), shape) for i, shape in enumerate(shapes))

    def ours(features: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(weights * jnp.sin(our_convolution(features, kernel)))

    def theirs(features: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(weights * jnp.sin(lax_convolution(features, kernel)))

    np.testing.assert_allclose(our_convolution(features, kernel), lax_convolution(features, kernel), rtol=1e-5, atol=1e-5)
    for a, b in zip(jax.grad(ours, (0, 1))(features, kernel), jax.grad(theirs, (0, 1))(features, kernel), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_pooling_takes_the_mean_of_neighbors() -> None:
    features = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(mean_pooled(features)[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("channels", [(4,), (2, 3), (2, 3, 4)])
def test_a_cnn_is_flax_s_convolutions_and_pooling(channels: tuple[int, ...], pool: bool) -> None:
    """A side of 6 is halved once, and 3 stays."""
    net = network("cnn", channels=channels, pool=pool, activation="tanh")
    params = drawn(net)
    outputs, hidden = net.trace(params, X)
    features = X.reshape(-1, SIDE, SIDE, 1)
    for index, (before, after) in enumerate(pairwise((1, *channels))):
        layer: Any = nnx.Conv(before, after, (3, 3), rngs=nnx.Rngs(0))
        layer.kernel[...], layer.bias[...] = (params["convolutions"][index][name] for name in ("kernel", "bias"))
        features = layer(features)
        np.testing.assert_allclose(hidden[index].pre_activation, channels_first(features), rtol=1e-4, atol=1e-4)
        features = jnp.tanh(features)
        np.testing.assert_allclose(hidden[index].activation, channels_first(features), rtol=1e-4, atol=1e-4)
        features = nnx.avg_pool(features, (2, 2), (2, 2)) if pool and index == 0 else features
    np.testing.assert_allclose(outputs, dense(params["output"], channels_first(features)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("normalization", ["none", "layer", "pre", "post"])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("name", RESIDUAL)
def test_a_residual_network_is_its_formula(name: str, gated: bool, normalization: str) -> None:
    net = network(name, blocks=3, gated=gated, normalization=normalization, activation="tanh")
    scales = {pattern: {"name": "normal", "stddev": 0.7} for pattern in ("blocks.*.gate", "blocks.*.norm*.scale") if net.matching(pattern)}
    params = drawn(net, layers=scales)
    images = name == "rescnn"
    layer = convolved if images else dense

    def norm(block: Any, which: str, x: jax.Array, where: str) -> jax.Array:
        if normalization != where:
            return x
        reference: Any = nnx.GroupNorm(8, num_groups=1, rngs=nnx.Rngs(0)) if images else nnx.LayerNorm(8, rngs=nnx.Rngs(0))
        reference.scale[...], reference.bias[...] = block[which]["scale"], block[which]["bias"]
        return reference(x)

    stream = layer(params["input"], X.reshape(-1, SIDE, SIDE, 1) if images else X)
    outputs, hidden = net.trace(params, X)
    for found, block in zip(hidden, params["blocks"].values(), strict=True):
        inner = norm(block, "norm1", layer(block["first"], norm(block, "norm1", stream, "pre")), "layer")
        np.testing.assert_allclose(found.pre_activation, channels_first(inner), rtol=1e-3, atol=1e-3)
        branch = norm(block, "norm2", layer(block["second"], jnp.tanh(inner)), "layer")
        stream = norm(block, "norm2", stream + (block["gate"] if gated else 1) * branch, "post")
    stream = stream.mean(axis=(1, 2)) if images else stream
    np.testing.assert_allclose(outputs, dense(params["output"], stream), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("cnn", "convolutions.{}"), ("rescnn", "blocks.{}.first"), ("resmlp", "blocks.{}.first")],
)
def test_the_slope_in_the_pre_activations_adds_up_to_the_bias_s(name: str, layer: str) -> None:
    net = network(name)
    params = drawn(net)

    def loss(params: Params, shifts: list[jax.Array]) -> jax.Array:
        return jnp.sum(jnp.sin(net.trace(params, X, Noise(shifts=shifts))[0]))

    silent = [jnp.zeros_like(found.pre_activation) for found in net.trace(params, X)[1]]
    by_params, by_shifts = jax.grad(loss, (0, 1))(params, silent)
    biases = dict(zip(map(".".join, (map(str, path) for path in net.paths)), jax.tree.leaves(by_params), strict=True))
    for index, slopes in enumerate(by_shifts):
        bias = biases[f"{layer.format(index)}.bias"]
        np.testing.assert_allclose(slopes.reshape(len(X), len(bias), -1).sum(axis=(0, 2)), bias, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "options"), [("cnn", {}), ("rescnn", {"normalization": "layer"}), ("resmlp", {"gated": True})])
def test_units_of_a_constant_start_are_equal_and_stay_so(name: str, options: dict[str, Any]) -> None:
    net = network(name, **options)

    def loss(params: Params) -> jax.Array:
        return jnp.mean((net.trace(params, X)[0] - X[:, :3]) ** 2)

    def step(params: Params) -> Params:
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, jax.grad(loss)(params))

    equal = step(drawn(net, "constant", value=0.1, bias_stddev=0.0))
    for units, trained in zip(net.units(equal), net.units(step(drawn(net))), strict=True):
        assert float(jnp.max(jnp.abs(units - units[0]))) < 1e-6
        assert len(np.unique(np.round(trained, 4), axis=0)) == len(trained)


def belonging(net: Network, index: int) -> tuple[list[Any], list[Any]]:
    """Paths of what a hidden layer's units have along the last axis, and of what reads them."""
    if "blocks" in net.shapes:
        own, after = [f"blocks.{index}.first", f"blocks.{index}.norm1"], f"blocks.{index}.second.kernel"
    else:
        last = index == len(net.shapes["convolutions"]) - 1
        own, after = [f"convolutions.{index}"], "output.kernel" if last else f"convolutions.{index + 1}.kernel"
    return [path for name in own for path in net.matching(name)], net.matching(after)


def permuted(net: Network, params: Params, index: int, order: np.ndarray) -> Params:
    """The units of a hidden layer in another order, with all that belongs to them."""

    def rows(name: str, leaf: jax.Array) -> jax.Array:
        if name == "output.kernel":
            return leaf.reshape(len(order), -1, leaf.shape[-1])[order].reshape(leaf.shape)
        return jnp.take(leaf, order, axis=-2)

    own, after = belonging(net, index)
    return net.on(after, rows, net.on(own, lambda name, leaf: leaf[..., order], params))


@pytest.mark.parametrize(
    ("name", "options"), [("cnn", {}), ("cnn", {"bias": False}), ("cnn1d", {}), ("rescnn", {"normalization": "layer"}), ("resmlp", {})]
)
def test_a_row_has_what_belongs_to_its_unit(name: str, options: dict[str, Any]) -> None:
    """Units may change places with their rows; the function does not see it."""
    net = network(name, **options)
    params = drawn(net)
    outputs, hidden = net.trace(params, X)
    leaves = dict(zip(net.paths, jax.tree.leaves(params), strict=True))
    for index, (units, found) in enumerate(zip(net.units(params), hidden, strict=True)):
        own, after = belonging(net, index)
        assert units.size == sum(leaves[path].size for path in [*own, *after])
        assert found.activation.shape[1] % len(units) == 0
        order = np.roll(np.arange(len(units)), 1)
        other = permuted(net, params, index, order)
        np.testing.assert_array_equal(net.units(other)[index], units[order])
        np.testing.assert_allclose(net.trace(other, X)[0], outputs, rtol=1e-3, atol=1e-3)


CLOSED: dict[str, dict[str, Any]] = {
    "last layer": {"layers": {"blocks.*.second": "zeros"}},
    "last layer, listed": {"zero_layers": ["blocks.*.second"]},
    "ReZero": {"layers": {"blocks.*.gate": "zeros"}},
    "zero-gamma": {"layers": {"blocks.*.norm2.scale": "zeros"}},
}  # fmt: skip


@pytest.mark.parametrize("start", CLOSED)
@pytest.mark.parametrize("name", RESIDUAL)
def test_blocks_that_start_closed_are_the_identity(name: str, start: str) -> None:
    net = network(name, gated=start == "ReZero", normalization="layer" if start == "zero-gamma" else "none")
    params = drawn(net, bias_stddev=0.0, **CLOSED[start])
    stream = convolved(params["input"], X.reshape(-1, SIDE, SIDE, 1)).mean(axis=(1, 2)) if name == "rescnn" else dense(params["input"], X)
    expected = dense(params["output"], stream)
    np.testing.assert_allclose(net.trace(params, X)[0], expected, rtol=1e-4, atol=1e-4)
    assert float(jnp.max(jnp.abs(net.trace(drawn(net, bias_stddev=0.0), X)[0] - expected))) > 0.1


def test_names_of_parameters_and_what_a_gate_starts_at() -> None:
    gated = network("rescnn", gated=True, normalization="layer", blocks=1)
    names = [".".join(map(str, path)) for path in gated.paths]
    parts = ["first.bias", "first.kernel", "gate", "norm1.bias", "norm1.scale", "norm2.bias", "norm2.scale", "second.bias", "second.kernel"]
    assert names == [*(f"blocks.0.{part}" for part in parts), "input.bias", "input.kernel", "output.bias", "output.kernel"]
    assert network("cnn").weight_names == ["convolutions.0.kernel", "convolutions.1.kernel", "output.kernel"]
    deep = network("resmlp", blocks=12).weight_names
    assert [deep[0], *deep[-3:]] == ["input.kernel", "blocks.11.first.kernel", "blocks.11.second.kernel", "output.kernel"]

    def gates(**layers: object) -> np.ndarray:
        return np.asarray(drawn(gated, layers=layers)["blocks"][0]["gate"])

    assert gates() == 1 and gates().shape == ()
    assert gates(**{"blocks.*.gate": "zeros"}) == 0
    assert gates(**{"blocks.*.gate": {"name": "constant", "value": 0.25}}) == 0.25


@pytest.mark.parametrize("name", ["cnn", "rescnn"])
def test_an_input_that_is_no_square_image_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"inputs = 10: .*square.* 9 or 16"):
        Network(ModelSpec.model_validate(name), 10, 2)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("name", RESIDUAL)
def test_fixup_closes_blocks_and_scales_their_first_layers(name: str, blocks: int) -> None:
    net = network(name, blocks=blocks, gated=True)
    plain, params = drawn(net), drawn(net, scheme="fixup")
    for block, before in zip(params["blocks"].values(), plain["blocks"].values(), strict=True):
        np.testing.assert_allclose(block["first"]["kernel"], before["first"]["kernel"] / np.sqrt(blocks), rtol=1e-6)
        np.testing.assert_array_equal(block["first"]["bias"], before["first"]["bias"])
        assert not any(np.any(leaf) for leaf in block["second"].values()) and block["gate"] == 1
    assert not any(np.any(leaf) for leaf in params["output"].values())
    jax.tree.map(np.testing.assert_array_equal, params["input"], plain["input"])
    assert not np.any(net.trace(params, X)[0])


@pytest.mark.parametrize("name", ["cnn", "mlp", "linear"])
def test_fixup_needs_residual_blocks(name: str) -> None:
    with pytest.raises(ValueError, match="residual blocks"):
        drawn(network(name), scheme="fixup")


def test_schemes_for_hidden_layers_hold_for_channels_too() -> None:
    net = network("cnn", activation="tanh")
    outputs, hidden = net.trace(drawn(net, "orthogonal", scheme="lsuv", bias_stddev=0.0), X)
    for layer in [*(found.pre_activation for found in hidden), outputs]:
        assert float(jnp.var(layer)) == pytest.approx(1, abs=1e-4)
    assert float(jnp.max(jnp.abs(net.trace(drawn(net, scheme="antisymmetric"), X)[0]))) < 1e-5


@pytest.mark.parametrize(("channels", "units"), [(3, 3), (3, 5)])
def test_a_delta_orthogonal_convolution_keeps_the_length_at_each_position(channels: int, units: int) -> None:
    kernel = delta_orthogonal(KEY, (3, 3, channels, units), jnp.float32)
    features = jax.random.normal(KEY, (2, SIDE, SIDE, channels))
    lengths = jnp.linalg.norm(features, axis=-1)
    np.testing.assert_allclose(jnp.linalg.norm(our_convolution(features, kernel), axis=-1), lengths, rtol=1e-5)
    plain = initializer["he_normal"].target(KEY, (3, 3, channels, units), jnp.float32)
    assert float(jnp.max(jnp.abs(jnp.linalg.norm(our_convolution(features, plain), axis=-1) / lengths - 1))) > 0.1


def test_a_delta_orthogonal_convolution_with_fewer_units_projects() -> None:
    kernel = np.asarray(delta_orthogonal(KEY, (3, 3, 5, 2), jnp.float32))
    np.testing.assert_allclose(kernel[1, 1].T @ kernel[1, 1], np.eye(2), atol=1e-5)
    assert np.count_nonzero(kernel) == kernel[1, 1].size
    np.testing.assert_array_equal(delta_orthogonal(KEY, (5, 2), jnp.float32, 3.0), orthogonal(KEY, (5, 2), jnp.float32, 3.0))


@pytest.mark.parametrize(("channels", "units"), [(2, 5), (5, 2), (4, 4)])
def test_an_identity_convolution_copies_channels(channels: int, units: int) -> None:
    features = jax.random.normal(KEY, (2, SIDE, SIDE, channels))
    copied = our_convolution(features, identity(KEY, (3, 3, channels, units), jnp.float32))
    both = min(channels, units)
    np.testing.assert_array_equal(copied[..., :both], features[..., :both])
    assert not np.any(copied[..., both:])


@pytest.mark.parametrize(("channels", "units"), [(3, 8), (6, 4)])
def test_zero_hadamard_stands_at_the_center_of_a_kernel(channels: int, units: int) -> None:
    kernel = np.array(zero_hadamard(KEY, (3, 3, channels, units), jnp.float32))
    np.testing.assert_array_equal(kernel[1, 1], zero_hadamard(KEY, (channels, units), jnp.float32))
    kernel[1, 1] = 0
    assert not np.any(kernel)


def test_an_unrolled_cnn_trains_as_the_reference_does(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    task = {"name": "parity", "bits": 4}
    wanted = experiment(task=task, model={"name": "cnn", "channels": [1]}, training={"steps": 60}, probes=["tie_spread"])
    assert layout_of(wanted) is unrolled.Unrolled
    fast = rows(wanted)
    monkeypatch.setattr(unrolled, "MAX_OPERATIONS", -1)
    slow = rows(wanted, "slow")
    assert fast["loss_final"].max() < fast["loss_initial"].max()
    np.testing.assert_allclose(fast["loss_final"], slow["loss_final"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fast["tie_spread_final"], slow["tie_spread_final"], rtol=1e-3, atol=1e-6)


def test_a_residual_cnn_can_pool_after_its_first_layer() -> None:
    plain, pooled = (network("rescnn", pool=pool) for pool in (False, True))
    params = drawn(plain, zero_layers=["*.second"], bias_stddev=0.0)
    # With closed blocks the output layer reads the mean over all positions either way.
    np.testing.assert_allclose(plain.trace(params, X)[0], pooled.trace(params, X)[0], rtol=1e-4, atol=1e-5)
    sizes = [net.trace(params, X)[1][0].activation.shape[1] for net in (plain, pooled)]
    assert sizes == [SIDE**2 * 8, SIDE**2 // 4 * 8]
    with pytest.raises(ValueError, match="even side, not 3"):
        Network(ModelSpec.model_validate({"name": "rescnn", "pool": True}), 9, 2)
