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
    """Exclusive or of two bits in {0, 1}: four examples, the smallest problem that needs hidden units.

    Formula: y = x_1 + x_2 modulo 2 for the four x in {0, 1}^2.
    Source: Minsky and Papert, 1969.
    Law: no linear function has less loss than the constant 1/2: ln 2, or an mse of 1/4.
    Limit: `parity` with bits = 2.
    """
    return parity(bits=2, loss=loss)


@task
def parity(bits: Annotated[int, Field(ge=1, le=20)] = 3, loss: BooleanLoss = "cross_entropy") -> Task:
    """Parity of `bits` bits in {0, 1}: 2^bits examples.

    Formula: y = x_1 + ... + x_bits modulo 2 for all x in {0, 1}^bits.
    Source: Minsky and Papert, 1969.
    Law: y is uncorrelated with every function of fewer bits; the best constant, 1/2, has the loss ln 2, or an mse of 1/4.
    Limit: y = x for bits = 1.
    """
    table = np.array(list(product((0, 1), repeat=bits)))
    odd = table.sum(axis=1, keepdims=True) % 2

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        return split(jnp.asarray(table, dtype), jnp.asarray(odd, dtype), len(table))

    return Task(bits, 1, sample, loss, "classification", seeded=False)
