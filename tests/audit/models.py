"""Small models whose starts are known."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

ZEROS = nnx.initializers.zeros
WIDTH = 12


class Chain(nnx.Module):
    """Layers one after another; those whose numbers are in `zero` start at zero."""

    def __init__(self, rngs: nnx.Rngs, zero: Sequence[int] = (), depth: int = 4, bias: float = 0.0) -> None:
        sizes = [8, *[WIDTH] * (depth - 1), 3]
        laws: list[Any] = [{"kernel_init": ZEROS} if number in zero else {} for number in range(depth)]
        start = nnx.initializers.constant(bias)
        self.layers = nnx.List(
            [nnx.Linear(a, b, bias_init=start, rngs=rngs, **law) for a, b, law in zip(sizes, sizes[1:], laws, strict=False)]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


class Residual(nnx.Module):
    """Layers x + tanh(x) W, of which those in `zero` start at zero, between two others."""

    def __init__(self, rngs: nnx.Rngs, zero: Sequence[int] = (1, 2), depth: int = 4) -> None:
        self.first = nnx.Linear(8, WIDTH, rngs=rngs)
        laws: list[Any] = [{"kernel_init": ZEROS} if number in zero else {} for number in range(depth)]
        self.blocks = nnx.List([nnx.Linear(WIDTH, WIDTH, use_bias=False, rngs=rngs, **law) for law in laws])
        self.last = nnx.Linear(WIDTH, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(jnp.tanh(x))
        return self.last(x)


class Adapter(nnx.Module):
    """A layer with a base and a product of low rank, of which one factor or both start at zero."""

    frozen = ("base",)

    def __init__(self, rngs: nnx.Rngs, both: bool = True) -> None:
        self.base = nnx.Linear(8, 3, rngs=rngs)
        law: dict[str, Any] = {"kernel_init": ZEROS} if both else {}
        self.down = nnx.Linear(8, 2, use_bias=False, rngs=rngs, **law)
        self.up = nnx.Linear(2, 3, use_bias=False, kernel_init=ZEROS, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.base(x) + self.up(self.down(x))


class Block(nnx.Module):
    """A block of a transformer without biases, whose branches end with weights of this scale."""

    def __init__(self, scale: float, rngs: nnx.Rngs) -> None:
        closing = nnx.initializers.variance_scaling(scale**2, "fan_in", "normal")
        self.before = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, WIDTH, decode=False, out_kernel_init=closing, rngs=rngs)
        self.between = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.first = nnx.Linear(WIDTH, 2 * WIDTH, rngs=rngs)
        self.second = nnx.Linear(2 * WIDTH, WIDTH, kernel_init=closing, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.before(x))
        return x + self.second(nnx.gelu(self.first(self.between(x))))


class Transformer(nnx.Module):
    """A transformer of `depth` blocks; with `scaled` their branches are scaled down by the square root of their number."""

    def __init__(self, rngs: nnx.Rngs, scaled: bool = False, depth: int = 4) -> None:
        self.embedding = nnx.Embed(7, WIDTH, rngs=rngs)
        scale = (2 * depth) ** -0.5 if scaled else 1.0
        self.blocks = nnx.List([Block(scale, rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.head = nnx.Linear(WIDTH, 7, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Read(nnx.Module):
    """A table of symbols that is also the output layer."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.table, self.layer = nnx.Embed(7, WIDTH, rngs=rngs), nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.table.attend(self.layer(jnp.mean(self.table(x), axis=-2)))


class Normalizing(nnx.Module):
    """Three layers with LeCun's weights, as Flax draws them, and SELU."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(8, 8, rngs=rngs) for _ in range(3)])

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers[:-1]:
            x = nnx.selu(layer(x))
        return self.layers[-1](x)
