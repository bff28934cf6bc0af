"""Models of a user's own from flax.linen and from `jax.example_libraries.stax`, and plain functions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen
from jax.example_libraries import stax


class Dense(linen.Module):
    """A network as users of flax.linen write it, with batch normalization and dropout."""

    features: int = 5
    outputs: int = 1

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = linen.Dense(self.features)(x)
        x = linen.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = linen.Dropout(0.2, deterministic=not train)(linen.relu(x))
        return linen.DenseGeneral((self.outputs,))(x)


class WholeBatch(Dense):
    whole_batch = True


built = Dense(features=3, outputs=2)


class Pair(NamedTuple):
    init: object
    apply: object


def _init(key: jax.Array, x: jax.Array) -> dict[str, jax.Array]:
    return {"w": jax.random.normal(key, (x.size, 2)), "bias": jnp.zeros(2)}


def _apply(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    return x @ params["w"] + params["bias"]


plain = Pair(_init, _apply)
twin = (_init, _apply)


def stacked(outputs: int, features: int = 4) -> tuple[object, object]:
    """A pair of stax, whose `init` takes the shape of the input."""
    return stax.serial(stax.Dense(features), stax.Tanh, stax.Dense(outputs))
