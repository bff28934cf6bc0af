"""A network that has to find another one, without data noise."""

import math

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import PositiveInt

from bench.tasks import task
from bench.tasks.definition import Data, Task


@task
def student_teacher(k: PositiveInt = 6) -> Task:
    """Find T(z) = sum_j relu(v_j.z), k orthonormal v_j in k dimensions, over all z ~ N(0, 1) (Safran and Shamir, 2018).

    For the model `student`. The loss is the population's, E (S - T)^2 / 2, and 0 at the teacher. The v_j are the coordinate axes:
    inputs and random starts have no preferred direction, so every orthonormal teacher is the same problem.

    Formula: the loss is E (S(z) - T(z))^2 / 2, z ~ N(0, 1).
    Source: Safran and Shamir, 2018, arXiv 1712.08968.
    Law: the loss is 0 for S = T, and k / 4 + k (k - 1) / (4 pi) for S = 0.
    Limit: one ReLU unit for k = 1, whose loss at S = 0 is 1/4.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        # E T^2 / 2: k squares of 1/2 each, and k (k - 1) products of orthogonal units.
        missing = k / 4 + k * (k - 1) / (4 * math.pi)
        # The student averages over the examples what the teacher adds up: hence k times as long.
        return Data(k * jnp.eye(k, dtype=dtype), jnp.zeros((k, 1), dtype), None, None, jnp.full((), -missing, dtype))

    return Task(k, 1, sample, "output", "regression", seeded=False)
