"""Layer-sequential unit variance."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.schemes import scheme


@scheme
def lsuv(params: dict[Any, Any], network: Any, x: Float[Array, "example input"]) -> dict[Any, Any]:
    """Each layer's weights over the standard deviation of its pre-activations on the data, from the first layer to the last.

    Meant for orthogonal weights and zero biases, where one division per layer is exact and the iteration of Mishkin and Matas
    (2016) ends at once. A layer without spread stays as it is. Needs one weight layer per hidden layer, and one for the output.

    Formula: W / std(W h) of each layer, h the activations that the data have before it.
    Source: Mishkin and Matas, 2016, arXiv 1511.06422.
    Law: the pre-activations of every layer have variance 1 on the training examples.
    Limit: weights that already have the law stay as they are.
    """
    if not network.is_layered:
        raise ValueError("lsuv: it needs a model whose hidden layers follow one another")
    layers = len(network.weight_paths)
    for layer in range(layers):
        outputs, hidden = network.trace(params, x)
        spread = jnp.std(outputs if layer == layers - 1 else hidden[layer].pre_activation)
        scale = jnp.where(spread > 0, spread, 1)
        name = ".".join(map(str, network.weight_paths[layer]))
        params = network.on_weights(lambda path, leaf, name=name, scale=scale: leaf / scale if path == name else leaf, params)
    return params
