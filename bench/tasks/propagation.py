"""Tasks for looking at what flows through a network: one input of known length, and the absolute value on an interval."""

from typing import Annotated

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field, PositiveInt

from bench.tasks import task
from bench.tasks.definition import Data, Task, split


@task
def absolute_value(points: Annotated[int, Field(ge=2)] = 33) -> Task:
    """y = |x| at evenly spaced points from 1 down to -1 (Lu et al., 2020).

    Without biases a network of rectifiers is positively homogeneous, so the first point and the last stand for the whole line.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        x = jnp.linspace(1, -1, points, dtype=dtype)[:, None]
        return split(x, jnp.abs(x), points)

    return Task(1, 1, sample, "mse", "regression", seeded=False)


@task
def unit_input(d: PositiveInt = 64) -> Task:
    """One example of `d` ones, whose mean square is 1; the loss is the output itself.

    The gradient that flows back then starts at 1 in every network, independently of its weights, as theories of propagation assume.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        return split(jnp.ones((1, d), dtype), jnp.zeros((1, 1), dtype), 1)

    return Task(d, 1, sample, "output", "regression", seeded=False)
