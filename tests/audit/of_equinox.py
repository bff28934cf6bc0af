"""Small models of equinox, whose layers keep their units in front of the places and examples."""

import equinox
import jax
import jax.numpy as jnp

DEAD, CHANNELS, SIDE = 4, 6, 6


def equal(outputs: int, *, key: jax.Array) -> equinox.Module:
    """Two hidden layers all of whose numbers are equal."""
    made = equinox.nn.MLP(5, outputs, 8, 2, key=key)
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.1) if equinox.is_array(leaf) else leaf, made)


class Images(equinox.Module):
    """A convolution of images of two planes, of whose channels a bias closes some, and an output layer."""

    convolution: equinox.nn.Conv2d
    head: equinox.nn.Linear

    def __init__(self, outputs: int, *, key: jax.Array) -> None:
        first, second = jax.random.split(key)
        drawn = equinox.nn.Conv2d(2, CHANNELS, 3, key=first)
        self.convolution = equinox.tree_at(lambda layer: layer.bias, drawn, jnp.zeros((CHANNELS, 1, 1)).at[:DEAD].set(-100.0))
        self.head = equinox.nn.Linear(CHANNELS * (SIDE - 2) ** 2, outputs, key=second)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(jax.nn.relu(self.convolution(x)).ravel())
