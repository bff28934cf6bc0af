"""Keys: folded along names and ids, so that a lane's draws depend on its seeds alone.

Every initializer of a comparison meets the same data and the same base draws; no cell, position or count enters.
"""

import zlib

import jax
from jaxtyping import Array, Int, Key, UInt32

KeyScalar = Key[Array, ""]
Seed = UInt32[Array, ""] | int


def named(key: KeyScalar, name: str) -> KeyScalar:
    """The key of a purpose or a parameter, by its name."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def data_key(data_seed: Seed) -> KeyScalar:
    """Key of everything about a data set."""
    return jax.random.fold_in(named(jax.random.key(0), "data"), data_seed)


def weight_key(init_seed: Seed, path: str) -> KeyScalar:
    """Key of the initial values of one parameter, by its path in the model."""
    return named(named(jax.random.fold_in(named(jax.random.key(0), "init"), init_seed), "weights"), path)


def order_key(init_seed: Seed, data_seed: Seed, epoch: Int[Array, ""]) -> KeyScalar:
    """Key of the order of the examples in one epoch."""
    key = named(jax.random.fold_in(named(jax.random.key(0), "init"), init_seed), "order")
    return jax.random.fold_in(jax.random.fold_in(key, data_seed), epoch)
