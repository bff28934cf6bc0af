"""Whitened linear regression whose solution has chosen singular values: the task of exact deep linear dynamics."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field, PositiveInt

from bench.linalg import orthonormal
from bench.tasks import task
from bench.tasks.definition import Data, Task, split
from bench.tasks.synthetic import Scales


@task
def modes(
    strengths: Scales = (4.0, 2.0, 1.0, 0.5),
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.2,
    n: PositiveInt = 16,
) -> Task:
    """y = A x with whitened inputs (X^T X / n = 1) and a symmetric A = V diag(s) V^T, V a random rotation (Saxe et al., 2014).

    The singular values s are the `strengths`, each times a random factor from U(1 - jitter, 1 + jitter). Loss 0 can be reached.

    Formula: y = A x, X^T X / n = 1, A = V diag(s) V^T, s = strengths times U(1 - jitter, 1 + jitter).
    Source: Saxe et al., 2014, arXiv 1312.6120.
    Law: X^T Y / n has the singular values s.
    Limit: s = strengths for jitter = 0.
    """
    d = len(strengths)
    if n < d:
        raise ValueError(f"n = {n}: whitened inputs need at least as many examples as there are strengths, {d}")

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_x, key_v, key_s = (jax.random.fold_in(key, i) for i in range(3))
        x = jnp.sqrt(jnp.asarray(n, dtype)) * orthonormal(jax.random.normal(key_x, (n, d), dtype))
        v = orthonormal(jax.random.normal(key_v, (d, d), dtype))
        s = jnp.asarray(strengths, dtype) * jax.random.uniform(key_s, (d,), dtype, 1 - jitter, 1 + jitter)
        return split(x, x @ (v * s) @ v.T, n)

    return Task(d, d, sample, "mse", "regression")
