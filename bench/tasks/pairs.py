"""Targets that have nothing to do with the inputs: what is left is whether training is stable."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import PositiveInt

from bench.linalg import orthonormal
from bench.tasks import task
from bench.tasks.definition import Data, Task, split


@task
def gaussian_pairs(n: PositiveInt = 272, d: PositiveInt = 16, whitened: bool = False) -> Task:
    """x ~ N(0, 1) in `d` dimensions and y ~ N(0, 1), independent of each other (Sohl-Dickstein, 2024).

    `whitened`: the inputs are turned into orthonormal columns times sqrt(n), so that X^T X / n is the identity.

    Formula: x ~ N(0, 1) in d dimensions, y ~ N(0, 1), independent.
    Source: Sohl-Dickstein, 2024, arXiv 2402.06184.
    Law: the best linear function has an mse of 1 - d / n in the mean; X^T X / n = 1 if `whitened`.
    Limit: a linear function fits all targets for d = n.
    """
    if whitened and n < d:
        raise ValueError(f"n = {n}: whitened inputs need at least d = {d} examples")

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        x = jax.random.normal(jax.random.fold_in(key, 0), (n, d), dtype)
        if whitened:
            x = jnp.sqrt(jnp.asarray(n, dtype)) * orthonormal(x)
        return split(x, jax.random.normal(jax.random.fold_in(key, 1), (n, 1), dtype), n)

    return Task(d, 1, sample, "mse", "regression")
