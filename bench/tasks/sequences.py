"""Tasks for recurrent networks: what counts stands somewhere in a sequence. The inputs stand one time step after another."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field, NonNegativeInt, PositiveInt

from bench.tasks import task
from bench.tasks.definition import Data, Task, split

AtLeastTwo = Annotated[int, Field(ge=2)]


@task
def adding(length: AtLeastTwo = 10, n: PositiveInt = 256, n_test: NonNegativeInt = 256) -> Task:
    """The sum of two marked values in a sequence of `length` (Hochreiter and Schmidhuber, 1997; as in Le et al., 2015).

    A time step has two numbers: a value from U(0, 1), and a marker that is 1 at one place in the first half and one in the second, else 0.
    The best constant, 1, has an mse of 1/6.

    Formula: y = v_i + v_j, v_t ~ U(0, 1), i marked in the first and j in the second half.
    Source: Hochreiter and Schmidhuber, 1997; Le et al., 2015, arXiv 1504.00941.
    Law: y has the mean 1 and the variance 1/6.
    Limit: the sum of both values for length = 2.
    """
    half = length // 2

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_value, key_first, key_second = (jax.random.fold_in(key, i) for i in range(3))
        values = jax.random.uniform(key_value, (n + n_test, length), dtype)
        first = jax.random.randint(key_first, (n + n_test, 1), 0, half)
        second = jax.random.randint(key_second, (n + n_test, 1), half, length)
        step = jnp.arange(length)
        marker = ((step == first) | (step == second)).astype(dtype)
        x = jnp.stack([values, marker], axis=2).reshape(n + n_test, 2 * length)
        return split(x, jnp.sum(values * marker, axis=1, keepdims=True), n)

    return Task(2 * length, 1, sample, "mse", "regression")


@task
def first_symbol(length: AtLeastTwo = 10, symbols: AtLeastTwo = 8, n: PositiveInt = 256, n_test: NonNegativeInt = 256) -> Task:
    """Name the first symbol of a random sequence at its end, `length` - 1 steps later: the copy task as a classification.

    The copy task (Hochreiter and Schmidhuber, 1997) has several symbols repeated; here it is one, and random symbols come in between.
    A time step has `symbols` numbers, of which one is 1. Guessing has the loss ln(symbols).

    Formula: y = s_1 of a sequence s_1, ..., s_length, each uniform over the symbols.
    Source: Hochreiter and Schmidhuber, 1997, for the copy task.
    Law: every later symbol is independent of y; guessing has the loss ln(symbols).
    Limit: the copy of a single symbol in the copy task.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        drawn = jax.random.randint(key, (n + n_test, length), 0, symbols)
        x = jax.nn.one_hot(drawn, symbols, dtype=dtype).reshape(n + n_test, length * symbols)
        return split(x, drawn[:, 0], n)

    return Task(length * symbols, symbols, sample, "cross_entropy", "classification")
