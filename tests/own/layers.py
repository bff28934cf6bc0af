"""Models of a user's own, one for every kind of layer of flax, each written for one example of 8 numbers."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from bench.tasks.definition import Data, Task


class Convolved(nnx.Module):
    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.first = nnx.Conv(1, 3, (3,), rngs=rngs)
        self.norm = nnx.GroupNorm(3, num_groups=3, rngs=rngs)
        self.up = nnx.ConvTranspose(3, 2, (3,), transpose_kernel=True, rngs=rngs)
        self.head = nnx.Linear(2 * inputs, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.up(self.norm(self.first(x[:, None])))).ravel())


class BatchNormed(nnx.Module):
    """A hidden layer with batch normalization."""

    def __init__(self, inputs: int, outputs: int, momentum: float = 0.9, width: int = 4, *, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(inputs, width, rngs=rngs)
        self.norm = nnx.BatchNorm(width, momentum=momentum, rngs=rngs)
        self.head = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.tanh(self.norm(self.hidden(x))))


class WholeBatch(BatchNormed):
    whole_batch = True


class Dropped(nnx.Module):
    """Two hidden layers with dropout."""

    def __init__(self, inputs: int, outputs: int, rate: float = 0.3, width: int = 4, *, rngs: nnx.Rngs) -> None:
        self.first, self.second = nnx.Linear(inputs, width, rngs=rngs), nnx.Linear(width, width, rngs=rngs)
        self.head = nnx.Linear(width, outputs, rngs=rngs)
        self.early, self.late = nnx.Dropout(rate, rngs=rngs), nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.late(nnx.tanh(self.second(self.early(nnx.tanh(self.first(x)))))))


class Both(Dropped):
    """Dropout and batch normalization."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(inputs, outputs, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.late(self.norm(self.second(self.early(nnx.tanh(self.first(x)))))))


class Attending(nnx.Module):
    """Attention over pairs of numbers; query, key and value have kernels of three axes."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(2, 2, qkv_features=4, decode=False, dropout_rate=0.1, rngs=rngs)
        self.norm = nnx.LayerNorm(2, rngs=rngs)
        self.mix = nnx.Einsum("ti,ij->tj", (2, 3), (3,), rngs=rngs)
        self.head = nnx.LinearGeneral((inputs // 2, 3), outputs, axis=(-2, -1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        tokens = self.norm(x.reshape(-1, 2))
        return self.head(self.mix(tokens + self.attention(tokens)))


class Recurrent(nnx.Module):
    def __init__(self, inputs: int, outputs: int, cell: str = "LSTMCell", of_any_dtype: bool = False, *, rngs: nnx.Rngs) -> None:
        given = {"param_dtype": float} if of_any_dtype else {}
        self.rnn = nnx.RNN(getattr(nnx, cell)(2, 3, rngs=rngs, **given), rngs=rngs)
        self.head = nnx.Linear(3, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.rnn(x.reshape(-1, 2))[-1])


class Symbols(nnx.Module):
    """Vectors of four symbols, which are integers."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.table = nnx.Embed(4, 3, rngs=rngs)
        self.positions = jnp.arange(inputs) / inputs
        self.head = nnx.Linear(3, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(jnp.mean(self.table(x) * self.positions[:, None], axis=0))


def sequential(inputs: int, outputs: int, rngs: nnx.Rngs, features: int = 5) -> nnx.Module:
    """A function that builds a model, with an option."""
    return nnx.Sequential(
        nnx.Linear(inputs, features, rngs=rngs), nnx.relu, nnx.Dropout(0.5, rngs=rngs), nnx.Linear(features, outputs, rngs=rngs)
    )


def without_arguments() -> nnx.Module:
    return nnx.Linear(8, 2, rngs=nnx.Rngs(0))


class Spectral(nnx.Module):
    """A layer that keeps a vector for its power iteration, and draws nothing."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.norm = nnx.SpectralNorm(nnx.Linear(inputs, outputs, rngs=rngs), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(x, update_stats=False)


def symbols(n: int = 12) -> Task:
    """Whether the first of eight symbols is 0 or 1, or 2 or 3."""

    def sample(key: jax.Array, dtype: Any) -> Data:
        x = jax.random.randint(key, (n, 8), 0, 4)
        return Data(x, (x[:, :1] > 1).astype(dtype), None, None, jnp.zeros((), dtype))

    return Task(8, 1, sample, "cross_entropy", "classification")
