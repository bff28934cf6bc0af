"""Initializations of networks whose hidden layers follow one another."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key
from pydantic import PositiveFloat

from bench.initializers.scaling import fans, orthogonal
from bench.schemes import scheme
from bench.schemes.drawing import Params, Path, check_layered, key_of, replaced

Examples = Float[Array, "example input"]


@scheme
def siren(params: Params, network: Any, x: Examples, key: Key[Array, ""], omega: PositiveFloat = 30.0) -> Params:
    """A network of sines whose hidden layers keep their pre-activations at a scale of 1, with frequencies up to omega in the first.

    Meant for activation = "sine" and inputs that spread over -1 to 1. The authors' code computes sin(omega (W x + b)) with weights divided
    by omega; here the factor is part of the weights and biases of the hidden layers. It is the same function at the start, but the same
    steps of these layers need a learning rate that is omega^2 times as large for gradient descent, and omega times for Adam. The output
    layer keeps the division, as in the authors' code. Biases are those of the initializer.

    Formula: W ~ U(-a, a), a = sqrt(6 / fan_in); the first layer: a = omega / fan_in; the output layer: a = sqrt(6 / fan_in) / omega.
    Source: Sitzmann et al., 2020, arXiv 2006.09661.
    Law: the variances are 2 / fan_in, omega^2 / (3 fan_in^2) and 2 / (omega^2 fan_in); the pre-activations of wide hidden layers have the
    variance 1 in the second one and v' = 1 - exp(-2 v) from layer to layer.
    Limit: `he_uniform` in the layers between the first and the last.
    """
    check_layered("siren", network)
    first, last = network.weight_paths[0], network.weight_paths[-1]

    def draw(path: Path, leaf: Array) -> Array:
        fan_in = fans(leaf.shape)[0]
        limit = omega / fan_in if path == first else math.sqrt(6 / fan_in) / (omega if path == last else 1)
        return limit * jax.random.uniform(key_of(key, path), leaf.shape, leaf.dtype, -1.0, 1.0)

    return replaced(params, network.weight_paths, draw)


@scheme
def looks_linear(params: Params, network: Any, x: Examples, key: Key[Array, ""]) -> Params:
    """A ReLU network that is a linear map of orthogonal layers at the start: each unit has a mirror image, and layers take differences.

    Needs fully connected hidden layers of even width with activation = "relu", and biases that are 0.

    Formula: W = [Q, -Q] in the first, [[Q, -Q], [-Q, Q]] in further, [Q; -Q] in the last layer, Q random orthogonal.
    Source: Balduzzi et al., 2017, arXiv 1702.08591, after the concatenated ReLU of Shang et al., 2016, arXiv 1603.05201.
    Law: the outputs are x Q_1 Q_2 ... Q_L for every x.
    Limit: for one hidden layer with as many pairs of units as inputs the outputs are x Q, Q random orthogonal.
    """
    check_layered("looks_linear", network)
    activation = getattr(network.built, "activation", None)
    if activation != "relu":
        raise ValueError(f"looks_linear: activation = '{activation}': it needs 'relu'")
    shapes = dict(zip(network.weight_paths, (leaf.shape for leaf in network.weights(params)), strict=True))
    first, last = network.weight_paths[0], network.weight_paths[-1]
    for path, shape in shapes.items():
        if len(shape) != 2 or path != last and shape[1] % 2:
            raise ValueError(f"looks_linear: a hidden layer of shape {shape}; it needs fully connected ones of even width")

    def draw(path: Path, leaf: Array) -> Array:
        rows, columns = leaf.shape
        half = orthogonal(key_of(key, path), (rows if path == first else rows // 2, columns if path == last else columns // 2), leaf.dtype)
        wide = half if path == last else jnp.concatenate([half, -half], axis=1)
        return wide if path == first else jnp.concatenate([wide, -wide])

    return replaced(params, network.weight_paths, draw)


@scheme
def nguyen_widrow(params: Params, network: Any, x: Examples, key: Key[Array, ""]) -> Params:
    """The units of a hidden layer divide the range of its inputs, -1 to 1, among themselves.

    The paper has a single hidden layer; here each one is drawn so. The output layer and its biases are those of the initializer.

    Formula: b = 0.7 H^(1/n) for n inputs and H units; the weights of a unit ~ U(-1, 1), scaled to the length b; its bias ~ U(-b, b).
    Source: Nguyen and Widrow, 1990.
    Law: the weights of every unit have the length b, and biases the variance b^2 / 3.
    Limit: for one input every weight is +-0.7 H; for many inputs the length is 0.7.
    """
    check_layered("nguyen_widrow", network)
    hidden = network.weight_paths[:-1]
    sizes = {path[:-1]: fans(leaf.shape) for path, leaf in zip(hidden, network.weights(params), strict=False)}
    biases = [path for path in network.bias_paths if path[:-1] in sizes]

    def draw(path: Path, leaf: Array) -> Array:
        fan_in = sizes[path[:-1]][0]
        length = 0.7 * leaf.shape[-1] ** (1 / fan_in)
        drawn = jax.random.uniform(key_of(key, path), leaf.shape, leaf.dtype, -1.0, 1.0)
        if path in biases:
            return length * drawn
        return length * drawn / jnp.sqrt(jnp.sum(drawn**2, axis=tuple(range(leaf.ndim - 1)), keepdims=True))

    return replaced(params, [*hidden, *biases], draw)
