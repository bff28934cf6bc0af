"""A hash of a lane's parameters, computed on the device: it differs as soon as one bit of them differs."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32


def _mixed(word: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """MurmurHash3's finalizer (Appleby, 2011): a bijection of 32 bits in which every bit depends on every other."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def digest(params: Any) -> UInt32[Array, " 4"]:
    """Return 128 bits computed from the bytes of all parameters: four sums of words, each mixed with its place.

    The order of the parameters is the one in which JAX flattens them. The hash tells changed results from unchanged ones; it is no
    protection against forgery.
    """
    words = jnp.concatenate([jax.lax.bitcast_convert_type(leaf, jnp.uint32).reshape(-1) for leaf in jax.tree.leaves(params)])
    place = jnp.arange(words.size, dtype=jnp.uint32)
    sums = [jnp.sum(_mixed(words ^ _mixed(4 * place + jnp.uint32(k + 1))), dtype=jnp.uint32) for k in range(4)]
    return jnp.stack(sums)
