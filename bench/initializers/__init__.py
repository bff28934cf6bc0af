"""Initializers: JAX's protocol `(key, shape, dtype) -> Array`, options as further keyword arguments.

`shape` is `(fan_in, fan_out)` for a dense layer; for more axes all but the last count as fan-in. An initializer that ignores its key is
registered with `random=False`; of a user's own that is measured as well, see `draws`. A user's own may also be a function of options that
returns such an initializer, in the manner of `jax.nn.initializers`: it is one if it takes neither key nor shape.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.registry import Entry, PieceError, Registry, import_submodules

initializer = Registry(
    "initializer",
    supplied=("self", "key", "shape", "dtype", "out_sharding"),
    needs=("key", "shape", "dtype"),
    contract="an initializer is called as (key, shape, dtype) and returns an array of that shape and dtype, or it is called with its "
    "options alone and returns such a function",
    factories=True,
)

import_submodules(sys.modules[__name__])

AS_ASKED = "pass shape and dtype on, as jax.random.normal(key, shape, dtype) does, or end with .reshape(shape).astype(dtype)"
KEPT_FINITE = "keep zero out of divisions and logarithms, as with jnp.maximum(x, 1e-6)"
"""Advice where an array has another shape or dtype than it was asked for, and where its numbers are not finite."""
SHAPE = (4, 4)
"""Shape of the two draws that tell whether a user's own initializer is random."""


def drawn(entry: Entry, options: dict[str, Any], seed: int, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Return an initializer's array for the key of a seed; `PieceError` if it is no finite array of this shape and dtype."""
    value = entry.bind(options)(jax.random.key(seed, impl="threefry2x32"), shape, jnp.dtype(dtype))
    got = (tuple(getattr(value, "shape", ())), str(getattr(value, "dtype", type(value).__name__)))
    if got != (shape, dtype):
        raise entry.fault(
            f"it returns a{'n' * got[1].startswith('int')} {got[1]} of shape {got[0]} when asked for a {dtype} of shape {shape}",
            fix=AS_ASKED,
        )
    array = np.asarray(value)
    if not np.all(np.isfinite(array)):
        what = f"it returns numbers that are not finite, {array[~np.isfinite(array)][0]} among them, for shape {shape}"
        raise entry.fault(what, fix=KEPT_FINITE)
    return array


def draws(name: str, options: dict[str, Any]) -> bool:
    """Whether two keys give different weights: as its trait `random` says, and as a user's own initializer does with two keys.

    One that cannot draw 4 x 4 weights is what its trait says. ValueError if the trait and the two draws disagree.
    """
    entry = initializer[name]
    declared = entry.traits.get("random")
    if not entry.own:
        return declared is not False
    case = (entry.target, repr(options))
    if case not in _measured:
        try:
            first, second = (drawn(entry, options, seed, SHAPE) for seed in (0, 1))
        except PieceError:
            return declared is not False
        _measured[case] = not np.array_equal(first, second)
    if declared is not None and declared != _measured[case]:
        what = "two keys give different weights" if _measured[case] else "two keys give the same weights"
        raise entry.fault(f"it is registered with random={declared}, but {what}", fix=f"write @initializer(random={not declared})")
    return _measured[case]


_measured: dict[Any, bool] = {}
