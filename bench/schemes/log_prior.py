"""Outputs that start at the frequencies of the classes."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.losses import Targets
from bench.schemes import scheme
from bench.schemes.drawing import Params, replaced


@scheme(classes=True)
def log_prior(params: Params, network: Any, x: Float[Array, "example input"], y: Targets) -> Params:
    """The bias of the output layer is the log odds of the classes among the training examples.

    The paper has single outputs and a prior of .01 for each; here the prior is measured, and a softmax has one as well. A class without
    examples counts as half of one. Needs a classification, and a model whose output layer has a bias.

    Formula: b_k = ln p_k - mean_j ln p_j for classes of frequencies p_k; b = ln(p / (1 - p)) for a single output.
    Source: Lin et al., 2017, arXiv 1708.02002.
    Law: with output weights of 0 the loss is the entropy of the labels.
    Limit: a bias of 0 for classes of equal frequency.
    """
    beside = {path[:-1] for path in network.output_paths}
    biases = [path for path in network.bias_paths if path[:-1] in beside]
    if len(biases) != 1 or network.players:
        raise ValueError(f"log_prior: model '{network.entry.name}' has no output layer with one bias")
    n = len(y)

    def start(path: Any, leaf: Array) -> Array:
        if y.ndim == 2:
            p = jnp.clip(jnp.mean(y, axis=0), 0.5 / n, 1 - 0.5 / n)
            return jnp.log(p / (1 - p)).astype(leaf.dtype)
        counts = jnp.sum(y[:, None] == jnp.arange(len(leaf)), axis=0)
        logs = jnp.log(jnp.maximum(counts, 0.5).astype(leaf.dtype) / n)
        return logs - jnp.mean(logs)

    return replaced(params, biases, start)
