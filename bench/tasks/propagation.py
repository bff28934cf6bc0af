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

    Formula: y = |x| for x = 1, ..., -1 in even steps.
    Source: Lu et al., 2020, arXiv 1903.06733.
    Law: no linear function has less mse than the best constant, which has 1/12 for many points.
    Limit: the constant 1 for points = 2.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        x = jnp.linspace(1, -1, points, dtype=dtype)[:, None]
        return split(x, jnp.abs(x), points)

    return Task(1, 1, sample, "mse", "regression", seeded=False)


@task
def unit_input(d: PositiveInt = 64) -> Task:
    """One example of `d` ones, whose mean square is 1; the loss is the output itself.

    The gradient that flows back then starts at 1 in every network, independently of its weights, as theories of propagation assume.

    Formula: x = (1, ..., 1); the loss is f(x).
    Source: this suite, for the theory of Schoenholz et al., 2017, arXiv 1611.01232.
    Law: the mean square of x and the gradient of the loss in the output are 1.
    Limit: `worked_example` with x = (1, ..., 1).
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        return split(jnp.ones((1, d), dtype), jnp.zeros((1, 1), dtype), 1)

    return Task(d, 1, sample, "output", "regression", seeded=False)
