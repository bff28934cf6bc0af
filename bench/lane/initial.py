"""The initial parameters of a lane: keys, laws of the initializers, and what starts at zero."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from bench.initializers import initializer
from bench.initializers.scaling import fans
from bench.keys import Seed, named, shuffled, weight_keys
from bench.lane.network import Network, dotted, leaves
from bench.lane.state import Params, Path
from bench.schemes import scheme
from bench.spec import InitializerSpec, Piece
from bench.tasks.definition import Data


def parameter_keys(network: Network, init_seed: Seed) -> Key[Array, " key"]:
    """Return the keys of the initial values of each parameter, and then those of the places of its single weights that start at zero."""
    names = list(map(dotted, network.paths))
    return weight_keys(init_seed, [*names, *(f"{name}.zero_fraction" for name in names)])


def initial_parameters(
    network: Network,
    spec: InitializerSpec,
    keys: Key[Array, " key"],
    gain: Array | np.floating,
    zero_fraction: Array | np.floating,
    dtype: jnp.dtype,
    data: Data | None = None,
    first_layer_offset: Array | np.floating | float = 0.0,
    zeroed: Bool[Array, " parameter"] | None = None,
) -> Params:
    """Return the initial parameters of one lane from its `parameter_keys`.

    The numbers may be traced, so that a sweep over them needs one compilation. `data` is what a scheme looks at. `zeroed` tells which
    parameters start at zero, where that differs from the `zero_layers` of `spec`. `PieceError` if a user's own initializer or scheme breaks
    its contract.
    """
    piece = spec.scheme_piece
    draws = piece is not None and scheme[piece.name].takes("key")
    law = {path: piece for one, paths in laws(network, spec) for piece in [initializer[one.name].bind(one.options)] for path in paths}
    special = {path for name in spec.layers for path in network.matching(name)}
    drawn = _drawn(network, law, keys, dtype)

    def value(path: Path, shape: tuple[int, ...]) -> Array:
        if path in network.weight_paths or path in special:
            return drawn[path]
        if path in network.built_values:
            return jnp.asarray(network.built_values[path], dtype)
        return _bias(network, spec, keys[network.paths.index(path)], path, shape, dtype)

    def weights(path: Path, drawn: Array) -> Array:
        if path == network.weight_paths[0]:
            drawn = drawn + first_layer_offset
        if spec.zero_fraction == 0:
            return drawn
        return _with_zeros(drawn, keys[len(network.paths) + network.paths.index(path)], zero_fraction)

    def whole(values: list[Array]) -> Params:
        return jax.tree.unflatten(jax.tree.structure(network.shapes), values)

    values = [value(path, leaf.shape) for path, leaf in leaves(network.shapes)]
    if piece and draws:
        anew = jax.tree.leaves(_changed(network, piece, whole(values), data, keys))
        values = [old if path in special else new for path, old, new in zip(network.paths, values, anew, strict=True)]
    values = [
        weights(path, gain * leaf) if path in network.weight_paths else leaf for path, leaf in zip(network.paths, values, strict=True)
    ]
    zeros = zeroed_parameters(network, spec) if zeroed is None else zeroed
    kept = [jnp.where(zero, jnp.zeros_like(leaf), leaf) for zero, leaf in zip(zeros, values, strict=True)]
    params = whole(kept)
    return _changed(network, piece, params, data, keys) if piece and not draws else params


def laws(network: Network, spec: InitializerSpec) -> list[tuple[Piece, list[Path]]]:
    """Return the initializers of a spec, each with the parameters that it draws: of several that match a parameter, the last draws it."""
    pieces: list[Piece] = [spec, *spec.layers.values()]
    chosen = dict.fromkeys(network.weight_paths, 0)
    for number, name in enumerate(spec.layers, 1):
        chosen.update(dict.fromkeys(network.matching(name), number))
    return [(piece, [path for path, one in chosen.items() if one == number]) for number, piece in enumerate(pieces)]


def zeroed_parameters(network: Network, spec: InitializerSpec) -> tuple[bool, ...]:
    """Tell of each parameter whether `zero_layers` sets it to zero."""
    found = [network.matching(layer) if isinstance(layer, str) else [network.weight_paths[layer]] for layer in spec.zero_layers]
    return tuple(any(path in paths for paths in found) for path in network.paths)


def zeroed_layers(network: Network, spec: InitializerSpec) -> list[int]:
    """Return the indices of the weight layers that `zero_layers` sets to zero."""
    zeroed = dict(zip(network.paths, zeroed_parameters(network, spec), strict=True))
    return [index for index, path in enumerate(network.weight_paths) if zeroed[path]]


def _drawn(network: Network, law: dict[Path, Callable[..., Array]], keys: Key[Array, " key"], dtype: jnp.dtype) -> dict[Path, Array]:
    """Draw each of these parameters; those of one initializer and shape together, which leaves less to compile."""
    shapes = {path: network.drawn_shape(path) for path in law}
    alike: dict[Any, list[Path]] = {}
    for path in filter(law.__contains__, network.paths):
        alike.setdefault((law[path], shapes[path]), []).append(path)
    drawn: dict[Path, Array] = {}
    for (one, shape), paths in alike.items():
        chosen = keys[np.array([network.paths.index(path) for path in paths])]
        drawn.update(zip(paths, jax.vmap(lambda key, one=one, shape=shape: one(key, shape, dtype))(chosen), strict=True))
    return {path: network.formed(path, array) for path, array in drawn.items()}


def _with_zeros(drawn: Array, key: Any, zero_fraction: Array | np.floating) -> Array:
    """Return a weight layer with this fraction of its single weights, at random places, set to zero."""
    rank = shuffled(key, drawn.size)
    # Only a fraction of 1 zeroes a whole layer.
    zeros = jnp.minimum(jnp.round(zero_fraction * drawn.size), jnp.where(zero_fraction < 1, drawn.size - 1, drawn.size))
    kept = rank.reshape(drawn.shape) >= zeros
    return jnp.where(kept, drawn, jnp.zeros_like(drawn))


def _bias(network: Network, spec: InitializerSpec, key: Any, path: Path, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    bias = _bias_without_spread(network, spec.bias_law, key, path, shape, dtype)
    spread = spec.bias_stddev
    return bias + spread * jax.random.normal(named(key, "spread"), shape, dtype) if spread else bias


def _bias_without_spread(network: Network, law: str | float, key: Any, path: Path, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    if law != "uniform_fan_in":
        return jnp.full(shape, 0.0 if isinstance(law, str) else law, dtype)
    # A bias without weights of its own, as after a normalization, has no fan-in.
    beside = (other for other in network.paths if other[: len(path) - 1] == path[:-1] and other in network.weight_paths)
    kernel = next(beside, None)
    limit = 0.0 if kernel is None else fans(network.drawn_shape(kernel))[0] ** -0.5
    return jax.random.uniform(key, shape, dtype, -limit, limit)


def _changed(network: Network, piece: Piece, params: Params, data: Data | None, keys: Key[Array, " key"]) -> Params:
    """Return the parameters as a scheme changes them; `PieceError` if it returns others than it was given."""
    entry = scheme[piece.name]
    x, y = (None, None) if data is None else (data.x, data.y)
    declared: dict[str, Any] = {"y": y} if entry.takes("y") else {}
    if entry.takes("key"):
        declared["key"] = named(keys[0], "scheme")
    changed = entry.bind(piece.options)(params, network, x, **declared)
    before, after = (jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree) for tree in (params, changed))
    if before != after:
        raise entry.fault("it returns parameters of other names, shapes or dtypes than it was given")
    return changed
