"""Boolean functions on their full truth table: the data are the same for every data seed."""

from itertools import product
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field

from bench.losses.definition import OwnLoss
from bench.tasks import task
from bench.tasks.definition import Data, Task, split

BooleanLoss = Literal["cross_entropy", "mse"] | OwnLoss


@task
def xor(loss: BooleanLoss = "cross_entropy") -> Task:
    """Exclusive or of two bits in {0, 1}: four examples, the smallest problem that needs hidden units."""
    return parity(bits=2, loss=loss)


@task
def parity(bits: Annotated[int, Field(ge=1, le=20)] = 3, loss: BooleanLoss = "cross_entropy") -> Task:
    """Parity of `bits` bits in {0, 1}: 2^bits examples."""
    table = np.array(list(product((0, 1), repeat=bits)))
    odd = table.sum(axis=1, keepdims=True) % 2

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        return split(jnp.asarray(table, dtype), jnp.asarray(odd, dtype), len(table))

    return Task(bits, 1, sample, loss, "classification", seeded=False)
