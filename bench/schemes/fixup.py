"""Residual networks without normalization."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.schemes import scheme


@scheme
def fixup(params: dict[Any, Any], network: Any, x: Float[Array, "example input"]) -> dict[Any, Any]:
    """The output layer and the last layer of each residual branch 0, the branch's other weights scaled down.

    The scale is L^(-1/(2m-2)) for L blocks with m layers in the branch of each; a layer that is 0 has no bias either. These are the
    first two rules of the paper, meant for weights of `he_normal` and for models without normalization. Of its third rule, the
    scalar multiplier of a branch is the `gate` of a model with `gated = true`, which starts at 1 as it should; the scalar biases in
    front of each layer and activation function, which start at 0, are not there: a layer has a bias of its own per unit.
    Needs a model of `blocks` whose layers are called `first` and `second`.

    Formula: W L^(-1/(2 m - 2)) for the layers of a branch but the last, which is 0; the output layer is 0.
    Source: Zhang et al., 2019, arXiv 1901.09321.
    Law: every block is the identity, and the outputs are 0.
    Limit: the initializer's weights in the layers that are not 0 for a single block.
    """
    inner = [path for path in network.weight_paths if path[0] == "blocks"]
    if not inner or any(path[2] not in ("first", "second") for path in inner):
        raise ValueError("fixup: it needs a model with residual blocks, such as resmlp or rescnn")
    blocks = len({path[1] for path in inner})
    layers = len(inner) // blocks
    scale = blocks ** (-1 / (2 * layers - 2))

    def changed(path: Any, leaf: Array) -> Array:
        keys = tuple(entry.key for entry in path)
        if keys[0] == "output" or keys[0] == "blocks" and keys[2] == "second":
            return jnp.zeros_like(leaf)
        return scale * leaf if keys in inner else leaf

    return jax.tree_util.tree_map_with_path(changed, params)
