"""Products that somebody has worked out by hand."""

from typing import Annotated

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field

from bench.registry import Extended
from bench.tasks import task
from bench.tasks.definition import Data, Task, split

Row = Annotated[tuple[Extended, ...], Field(strict=False, min_length=1)]


@task
def worked_example(x: Row = (1.0, 1.0), answer: float | None = None) -> Task:
    """One example `x`; the network's output is reported as the loss.

    `answer` is what is said to come out, left out if nothing defined does; it is no part of the data, laws hold the output against it.

    Formula: the loss is f(x).
    Source: whoever worked it out; the experiment names them.
    Law: the loss is the output of the network for x.
    Limit: `unit_input` for x = (1, ..., 1).
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        return split(jnp.asarray([x], dtype), jnp.zeros((1, 1), dtype), 1)

    return Task(len(x), 1, sample, "output", "regression", seeded=False)
