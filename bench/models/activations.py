"""Activation functions by name, and the range of the bounded ones."""

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

ZERO_AT_ZERO = frozenset(name for name in ACTIVATIONS if name not in ("sigmoid", "softplus"))


class Hidden(NamedTuple):
    """What one hidden layer did with one example."""

    pre_activation: Float[Array, "hidden *example"]
    activation: Float[Array, "hidden *example"]
    squashed: Float[Array, "hidden *example"] | None
    """The activation moved to (-1, 1); None where the activation function is unbounded."""


def activate(name: str, pre_activation: Float[Array, "hidden *example"]) -> Hidden:
    """Apply a named activation function and keep what the probes look at."""
    value = ACTIVATIONS[name](pre_activation)
    squashed = None
    if name in BOUNDS:
        low, high = BOUNDS[name]
        squashed = (2 * value - low - high) / (high - low)
    return Hidden(pre_activation, value, squashed)


class Forward(NamedTuple):
    """How one example goes through the hidden layers, besides the parameters: as they are, unless something is given here."""

    key: Key[Array, ""] | None = None
    """Of the units that are dropped."""
    shifts: list[Float[Array, "hidden *example"]] | None = None
    """Added to each layer's pre-activations: the loss's slope along them is what is propagated back."""

    def hidden(self, layer: int, activation: str, pre_activation: Float[Array, "hidden *example"], dropout: float = 0.0) -> Hidden:
        """A hidden layer; with a key, each unit is dropped with probability `dropout` and the others divided by 1 - dropout."""
        if self.shifts is not None:
            pre_activation = pre_activation + self.shifts[layer]
        found = activate(activation, pre_activation)
        if self.key is None or dropout == 0:
            return found
        return found._replace(activation=dropped(jax.random.fold_in(self.key, layer), found.activation, dropout))


PLAIN = Forward()


def dropped(key: Key[Array, ""], values: Float[Array, "..."], rate: float) -> Float[Array, "..."]:
    """Each value is 0 with probability `rate`, and divided by 1 - rate otherwise: its mean stays (Srivastava et al., 2014)."""
    return jnp.where(jax.random.bernoulli(key, rate, values.shape), 0, values / (1 - rate)).astype(values.dtype)
