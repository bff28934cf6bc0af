"""Models of a user's own from equinox."""

from typing import Literal

import equinox
import jax
import jax.numpy as jnp


class Net(equinox.Module):
    """Layers in a list with a function between, a convolution, and dropout."""

    layers: list
    image: equinox.nn.Conv1d
    drop: equinox.nn.Dropout
    mask: jax.Array

    def __init__(self, inputs: int, outputs: int, width: int = 4, *, key: jax.Array) -> None:
        first, second, third = jax.random.split(key, 3)
        self.image = equinox.nn.Conv1d(1, 3, 3, padding=1, key=first)
        self.layers = [equinox.nn.Linear(3 * inputs, width, key=second), jax.nn.tanh, equinox.nn.Linear(width, outputs, key=third)]
        self.drop = equinox.nn.Dropout(0.3)
        self.mask = jnp.arange(width) > 0

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        first, act, last = self.layers
        return last(self.drop(act(first(self.image(x[None]).ravel())), key=key) * self.mask)


def mlp(inputs: int, outputs: int, key: jax.Array) -> equinox.Module:
    return equinox.nn.MLP(inputs, outputs, 4, 1, key=key)


class Normed(equinox.Module):
    """A hidden layer with batch normalization, whose averages are a state."""

    hidden: equinox.nn.Linear
    norm: equinox.nn.BatchNorm
    head: equinox.nn.Linear

    def __init__(self, inputs: int, outputs: int, mode: Literal["ema", "batch"] = "batch", *, key: jax.Array) -> None:
        first, second = jax.random.split(key)
        self.hidden = equinox.nn.Linear(inputs, 3, key=first)
        self.norm = equinox.nn.BatchNorm(3, "batch", momentum=0.9, mode=mode)
        self.head = equinox.nn.Linear(3, outputs, key=second)

    def __call__(self, x: jax.Array, state: equinox.nn.State) -> tuple[jax.Array, equinox.nn.State]:
        x, state = self.norm(self.hidden(x), state)
        return self.head(jax.nn.tanh(x)), state


def with_state(inputs: int, outputs: int, key: jax.Array) -> tuple[equinox.Module, equinox.nn.State]:
    return equinox.nn.make_with_state(Normed)(inputs, outputs, key=key)


class Keyless(equinox.Module):
    """Dropout that is given no key."""

    head: equinox.nn.Linear
    drop: equinox.nn.Dropout

    def __init__(self, inputs: int, outputs: int, *, key: jax.Array) -> None:
        self.head, self.drop = equinox.nn.Linear(inputs, outputs, key=key), equinox.nn.Dropout(0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.drop(x))
