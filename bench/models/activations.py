"""Activation functions by name, and the range of the bounded ones."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
from jaxtyping import Array, Float

Activation = Literal["identity", "tanh", "sigmoid", "softplus", "relu", "leaky_relu", "gelu", "silu"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "tanh": jax.numpy.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    # jax.nn.relu has gradient 0 at 0; jnp.maximum(x, 0) would have 0.5.
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
}

BOUNDS: dict[str, tuple[float, float]] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}

ZERO_AT_ZERO = frozenset(name for name in ACTIVATIONS if name not in ("sigmoid", "softplus"))


class Hidden(NamedTuple):
    """What one hidden layer did with one example."""

    pre_activation: Float[Array, " hidden"]
    activation: Float[Array, " hidden"]
    squashed: Float[Array, " hidden"] | None
    """The activation moved to (-1, 1); None where the activation function is unbounded."""


def activate(name: str, pre_activation: Float[Array, " hidden"]) -> Hidden:
    """Apply a named activation function and keep what the probes look at."""
    value = ACTIVATIONS[name](pre_activation)
    squashed = None
    if name in BOUNDS:
        low, high = BOUNDS[name]
        squashed = (2 * value - low - high) / (high - low)
    return Hidden(pre_activation, value, squashed)
