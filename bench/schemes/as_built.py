"""The start that a model's own code gives it."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from bench.schemes import scheme
from bench.schemes.drawing import Params


@scheme
def as_built(params: Params, network: Any, x: Float[Array, "example input"], key: Key[Array, ""]) -> Params:
    """All parameters, biases and scales among them, are those that the model builds itself, whatever the initializer.

    A model that draws without the key that it is given (`rngs`, `key`) has the same start for every seed.

    Formula: the model's own.
    Source: the model's code.
    Law: the parameters are those of the model that is built with the key of the training run.
    Limit: the initializer of the layers, where a model has left it to them.
    """
    built = network.model.built_with(key)

    def value(path: Any, leaf: Array) -> Array:
        return jnp.asarray(built[tuple(entry.key for entry in path)], leaf.dtype)

    return jax.tree_util.tree_map_with_path(value, params)
