"""Gates of recurrent networks that start with the time scales of the data."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key
from pydantic import PositiveFloat

from bench.schemes import scheme
from bench.schemes.drawing import Params, Path, key_of, replaced


@scheme
def chrono(
    params: Params, network: Any, x: Float[Array, "example input"], key: Key[Array, ""], longest: PositiveFloat | None = None
) -> Params:
    """Units forget at times that are spread evenly from 2 to `longest` steps, by default all time steps of the model.

    For an `lstm` the biases of forget and input gates, for a `gru` that of the update gate. Here that gate keeps the state where it is 1;
    the paper's lets in what is new, so that its bias has the opposite sign. All other parameters are those of the initializer. ValueError
    for other models, without biases, and if `longest` is not above 2.

    Formula: b_forget = ln u, u ~ U(1, longest - 1); b_input = -b_forget.
    Source: Tallec and Ollivier, 2018, arXiv 1804.11188.
    Law: the time 1 / (1 - sigmoid(b_forget)) = 1 + u is uniform from 2 to `longest`.
    Limit: gates of 1/2 as `longest` falls to 2.
    """
    cell: Path = ("cell",)
    keeping = next((path for gate in ("forget", "update") if (path := (*cell, gate, "bias")) in network.paths), None)
    if keeping is None:
        raise ValueError(f"chrono: model '{network.entry.name}' has no forget or update gate with a bias; it needs lstm or gru")
    steps = longest or network.built.time_steps
    if steps <= 2:
        raise ValueError(f"chrono: longest = {steps}: a number of time steps above 2")
    entering = (*cell, "input", "bias")

    def draw(path: Path, leaf: Array) -> Array:
        kept = jnp.log(jax.random.uniform(key_of(key, keeping), leaf.shape, leaf.dtype, 1.0, steps - 1))
        return -kept if path == entering else kept

    return replaced(params, [keeping, entering], draw)
