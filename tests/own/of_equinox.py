"""Models of a user's own from equinox."""

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
    norm: equinox.nn.BatchNorm

    def __init__(self) -> None:
        self.norm = equinox.nn.BatchNorm(2, "batch", mode="batch")

    def __call__(self, x: jax.Array) -> jax.Array:
        return x
