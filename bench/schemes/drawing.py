"""Functions that all schemes which draw weights anew share: the parts of a network that they name, and the draws."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float, Key

from bench.initializers.scaling import fans
from bench.keys import named

Params = dict[Any, Any]
Path = tuple[Any, ...]
ENDS = ("second", "out")
"""Names of the layers that end a residual branch, in a model's `blocks`."""


def branch_ends(name: str, network: Any) -> list[Path]:
    """Return the paths of the weights that end the residual branches, in order; ValueError that names the scheme if there are none."""
    found = [path for path in network.weight_paths if path[0] == "blocks" and len(path) > 2 and path[-2] in ENDS]
    if not found:
        raise ValueError(
            f"{name}: model '{network.entry.name}' has no residual branches; it needs `blocks` with layers called {' or '.join(ENDS)}, "
            "such as resmlp, rescnn or transformer"
        )
    return found


def check_layered(name: str, network: Any) -> None:
    """Raise a ValueError that names the scheme if the hidden layers do not follow one another."""
    if not network.is_layered:
        raise ValueError(f"{name}: model '{network.entry.name}' has no hidden layers that follow one another; it needs one such as mlp")


def replaced(params: Params, paths: list[Path], function: Callable[[Path, Array], Array]) -> Params:
    """Return the parameters with those at `paths` replaced by a function of their path and value."""

    def changed(path: Any, leaf: Array) -> Array:
        keys = tuple(entry.key for entry in path)
        return function(keys, leaf) if keys in paths else leaf

    return jax.tree_util.tree_map_with_path(changed, params)


def key_of(key: Key[Array, ""], path: Path) -> Key[Array, ""]:
    """Return the key of one parameter, by its name."""
    return named(key, ".".join(map(str, path)))


def normal(network: Any, params: Params, key: Key[Array, ""], stddev: Callable[[Path, int, int], float]) -> Params:
    """Draw all weights from normal laws; `stddev` is a function of path, fan-in and fan-out."""

    def draw(path: Path, leaf: Float[Array, "..."]) -> Float[Array, "..."]:
        return stddev(path, *fans(leaf.shape)) * jax.random.normal(key_of(key, path), leaf.shape, leaf.dtype)

    return replaced(params, network.weight_paths, draw)


def glorot(fan_in: int, fan_out: int) -> float:
    """Return the standard deviation of Glorot's law."""
    return math.sqrt(2 / (fan_in + fan_out))
