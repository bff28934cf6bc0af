"""Starts that tell ties from randomness: almost equal weights, and weights that all differ without a draw."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat, NonNegativeFloat

from bench.initializers import initializer

KeyLike = Key[Array, ""]
Weights = Float[Array, "..."]


@initializer
def constant_noise(
    key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, value: FiniteFloat = 0.5, eps: NonNegativeFloat = 1e-3
) -> Weights:
    """All weights equal up to noise.

    Formula: W ~ N(value, eps^2).
    Source: this suite, for the question of how much noise parts equal units.
    Law: the variance around `value` is eps^2.
    Limit: `constant` for eps = 0.
    """
    return value + eps * jax.random.normal(key, shape, dtype)


@initializer(random=False)
def distinct(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Fixed weights without ties, evenly spread over U(-1, 1) sqrt(3 / fan_in).

    The incoming weights of unit j are a point of Richtmyer's low-discrepancy sequence (1951): u_ij = frac((j + 1) sqrt(p_i)) with p_i
    the i-th prime; as square roots of primes are irrational and independent over the rationals, no two units agree in any weight.

    Formula: W_ij = sqrt(3 / fan_in) (2 u_ij - 1).
    Source: Richtmyer, 1951, for the sequence.
    Law: no two units have a weight in common; the variance approaches 1 / fan_in as the layer grows.
    Limit: for one input the multiples of sqrt(2) modulo 1, spread over U(-1, 1) sqrt(3).
    """
    fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
    u = np.outer(np.sqrt(primes(fan_in)), np.arange(1, fan_out + 1)) % 1
    return jnp.asarray(math.sqrt(3 / fan_in) * (2 * u - 1), dtype).reshape(shape)


def primes(n: int) -> np.ndarray:
    """The first n primes."""
    # The n-th prime is below n (ln n + ln ln n) from n = 6 on (Rosser, 1941).
    limit = max(15, math.ceil(n * (math.log(n + 1) + math.log(math.log(n + 2)))))
    sieve = np.arange(limit) >= 2
    for i in range(2, math.isqrt(limit) + 1):
        sieve[i * i :: i] = False
    return np.flatnonzero(sieve)[:n]
