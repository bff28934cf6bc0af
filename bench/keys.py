"""Random keys, folded along names and ids, so that the draws of a lane (one training run) depend on its seeds alone.

No cell, position or count enters a key, so every initializer of a comparison meets the same data and the same base draws.
"""

import zlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

KeyScalar = Key[Array, ""]
Seed = UInt32[Array, ""] | np.integer | int


def root() -> KeyScalar:
    """Return the key from which all others are folded; it is of JAX's kind `threefry2x32`, whatever the user's default is."""
    return jax.random.key(0, impl="threefry2x32")


def named(key: KeyScalar, name: str) -> KeyScalar:
    """Return the key of a purpose or a parameter, by its name."""
    return jax.random.fold_in(key, _number(name))


def _number(name: str) -> int:
    return zlib.crc32(name.encode())


def data_key(data_seed: Seed) -> KeyScalar:
    """Return the key from which a data set is drawn."""
    return jax.random.fold_in(named(root(), "data"), data_seed)


def weight_keys(init_seed: Seed, names: Sequence[str]) -> Key[Array, " name"]:
    """Return the keys of the initial values of parameters with these dotted paths; all at once, which leaves less to compile."""
    key = named(jax.random.fold_in(named(root(), "init"), init_seed), "weights")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.asarray([_number(name) for name in names], jnp.uint32))


def order_key(init_seed: Seed, data_seed: Seed, epoch: Int[Array, ""]) -> KeyScalar:
    """Return the key of the order of the examples in one epoch."""
    key = named(jax.random.fold_in(named(root(), "init"), init_seed), "order")
    return jax.random.fold_in(jax.random.fold_in(key, data_seed), epoch)


def noise_key(init_seed: Seed, data_seed: Seed, step: Int[Array, ""]) -> KeyScalar:
    """Return the key of the noise of one training step."""
    key = named(jax.random.fold_in(named(root(), "init"), init_seed), "noise")
    return jax.random.fold_in(jax.random.fold_in(key, data_seed), step)


def shuffled(key: KeyScalar, n: int) -> Int[Array, " n"]:
    """Return a random order of `range(n)`.

    It sorts random words whose last bits are the places: one array of plain integers, which XLA sorts faster on a CPU than pairs. Two words
    agree in all other bits with probability 2^(b - 32), where b is the number of bits of n - 1, and then keep the order of their places:
    the probability that one place comes before another differs from 1/2 by half of that, at most 2^-21 up to 2^12 entries. For larger n it
    is JAX's own permutation, which sorts by words of all bits more than once.
    """
    if n > 1 << 12:
        return jax.random.permutation(key, n)
    bits = max(n - 1, 1).bit_length()
    words = jax.random.bits(key, (n,), jnp.uint32) >> bits << bits | jnp.arange(n, dtype=jnp.uint32)
    return (jnp.sort(words) & jnp.uint32((1 << bits) - 1)).astype(jnp.int32)
