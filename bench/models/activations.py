"""Activation functions by name, and the values of a hidden layer that probes look at."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

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
"""Lower and upper bound of the activation functions that are bounded on both sides."""

ZERO_AT_ZERO = frozenset(name for name in ACTIVATIONS if name not in ("sigmoid", "softplus"))
"""Activation functions that are 0 at 0."""


class Hidden(NamedTuple):
    """The values of one hidden layer for one example."""

    pre_activation: Float[Array, " hidden *example"]
    activation: Float[Array, " hidden *example"]
    saturation: Float[Array, " hidden *example"] | None
    """The activation, moved linearly from the bounds of its function to (-1, 1); None if the function is unbounded."""


def activate(name: str, pre_activation: Float[Array, " hidden *example"]) -> Hidden:
    """Apply a named activation function, and return the values that probes look at."""
    value = ACTIVATIONS[name](pre_activation)
    saturation = None
    if name in BOUNDS:
        low, high = BOUNDS[name]
        saturation = (2 * value - low - high) / (high - low)
    return Hidden(pre_activation, value, saturation)


class Forward(NamedTuple):
    """The inputs of one pass of an example through the hidden layers, besides parameters and example; by default there are none."""

    key: Key[Array, ""] | None = None
    """Key of the units that are dropped; None: no unit is dropped."""
    shifts: list[Float[Array, " hidden *example"]] | None = None
    """Arrays that are added to each layer's pre-activations: the gradient of the loss in them is the gradient that is propagated back."""

    def hidden(self, layer: int, activation: str, pre_activation: Float[Array, " hidden *example"], dropout: float = 0.0) -> Hidden:
        """Return the values of a hidden layer; with a key, its units are dropped with probability `dropout` (see `dropped`)."""
        if self.shifts is not None:
            pre_activation = pre_activation + self.shifts[layer]
        found = activate(activation, pre_activation)
        if self.key is None or dropout == 0:
            return found
        return found._replace(activation=dropped(jax.random.fold_in(self.key, layer), found.activation, dropout))


PLAIN = Forward()


def dropped(key: Key[Array, ""], values: Float[Array, "..."], rate: float) -> Float[Array, "..."]:
    """Set each value to 0 with probability `rate`, else divide it by 1 - rate, so that its mean stays (Srivastava et al., 2014)."""
    return jnp.where(jax.random.bernoulli(key, rate, values.shape), 0, values / (1 - rate)).astype(values.dtype)
