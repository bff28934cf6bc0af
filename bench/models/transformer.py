"""A transformer encoder."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Forward, Hidden, activate
from bench.models.mlp import Depth

Normalization = Literal["layer", "none"]
Gating = Literal["none", "scalar", "adaptive"]
Tokens = Float[Array, "token width"]


class Embedding(nnx.Module):
    """A linear map of each token, plus a learned vector for its position."""

    def __init__(self, features: int, tokens: int, width: int, rngs: nnx.Rngs) -> None:
        self.tokens = nnx.Linear(features, width, rngs=rngs)
        self.positions = nnx.Param(jnp.zeros((tokens, width)))

    def __call__(self, x: Float[Array, "token feature"]) -> Tokens:
        return self.tokens(x) + self.positions[...]


class Branch(nnx.Module):
    """The parts of a residual branch before and after its function: a normalization and a gate."""

    def __init__(self, width: int, normalization: Normalization, gated: Gating, rngs: nnx.Rngs) -> None:
        affine = gated != "adaptive"
        # Not the fast variance, E x^2 - (E x)^2, which has the rounding errors of the squares.
        options: Any = {"use_scale": affine, "use_bias": affine, "use_fast_variance": False}
        self.norm = nnx.LayerNorm(width, **options, rngs=rngs) if normalization == "layer" else None
        self.gate = nnx.Param(jnp.ones(())) if gated == "scalar" else None

    def entered(self, x: Tokens, modulation: Float[Array, " three_widths"] | None) -> tuple[Tokens, Any]:
        """Return the input of the branch's function, and the gate by which its output is multiplied."""
        if self.norm is not None:
            x = self.norm(x)
        if modulation is not None:
            shift, scale, gate = jnp.split(modulation, 3)
            return x * (1 + scale) + shift, gate
        return x, 1 if self.gate is None else self.gate[...]


class Attention(Branch):
    """Softmax attention of every token to all tokens, divided among heads of equal widths (Vaswani et al., 2017)."""

    def __init__(self, width: int, heads: int, normalization: Normalization, gated: Gating, rngs: nnx.Rngs) -> None:
        super().__init__(width, normalization, gated, rngs)
        self.query, self.key, self.value, self.out = (nnx.Linear(width, width, rngs=rngs) for _ in range(4))
        self.n_heads = heads

    def __call__(self, x: Tokens) -> Tokens:
        query, key, value = (layer(x).reshape(len(x), self.n_heads, -1) for layer in (self.query, self.key, self.value))
        scores = jnp.einsum("qhd,khd->hqk", query, key) / query.shape[-1] ** 0.5
        return self.out(jnp.einsum("hqk,khd->qhd", jax.nn.softmax(scores), value).reshape(x.shape))

    def heads(self) -> Float[Array, "head feature"]:
        """Return one row per head: its columns of query, key and value with their biases, and its rows of the map that leads out."""
        n = self.n_heads
        parts = [self.out.kernel[...].reshape(n, -1)]
        layers: list[Any] = [self.query, self.key, self.value]
        for layer in layers:
            parts += [layer.kernel[...].T.reshape(n, -1), layer.bias[...].reshape(n, -1)]
        return jnp.concatenate(parts, axis=1)


class TokenMLP(Branch):
    """A network of one hidden layer with gelu that is applied to each token."""

    def __init__(self, width: int, hidden: int, normalization: Normalization, gated: Gating, rngs: nnx.Rngs) -> None:
        super().__init__(width, normalization, gated, rngs)
        self.first: Any = nnx.Linear(width, hidden, rngs=rngs)
        self.second = nnx.Linear(hidden, width, rngs=rngs)

    def units(self) -> Float[Array, "hidden feature"]:
        """Return each hidden unit's incoming weights, bias and outgoing weights."""
        return jnp.concatenate([self.first.kernel[...].T, self.first.bias[...][:, None], self.second.kernel[...]], axis=1)


class Block(nnx.Module):
    """The map x + gate * attention(x'), and then the same with the MLP; x' is x normalized, and modulated if gating is adaptive."""

    def __init__(self, width: int, heads: int, mlp_width: int, normalization: Normalization, gated: Gating, rngs: nnx.Rngs) -> None:
        self.attention = Attention(width, heads, normalization, gated, rngs)
        self.mlp = TokenMLP(width, mlp_width, normalization, gated, rngs)
        self.modulation = nnx.Linear(width, 6 * width, rngs=rngs) if gated == "adaptive" else None

    def __call__(self, x: Tokens, condition: Float[Array, " width"], shifts: Array | None) -> tuple[Tokens, Hidden]:
        modulations: list[Any] = [None, None]
        if self.modulation is not None:
            modulations = jnp.split(self.modulation(jax.nn.silu(condition)), 2)
        entered, gate = self.attention.entered(x, modulations[0])
        x = x + gate * self.attention(entered)
        entered, gate = self.mlp.entered(x, modulations[1])
        before = self.mlp.first(entered)
        hidden = activate("gelu", before if shifts is None else before + shifts)
        return x + gate * self.mlp.second(hidden.activation), hidden


@model
class Transformer(nnx.Module):
    """A pre-norm transformer encoder; the output layer reads the mean over the tokens.

    The input has `features` numbers per token, one token after another. Each of the `blocks` adds softmax attention and an MLP to the
    stream; `gated` says how these branches are modified:

    - "none": not at all.
    - "scalar": each is multiplied by one number, built as 1. With `layers = { "*.gate" = "zeros" }` (ReZero; Bachlechner et al., 2021) each
      block is the identity.
    - "adaptive": shift, scale and gate of each branch are linear in silu of a conditioning vector (adaLN; Peebles and Xie, 2023), here the
      mean embedded token, and the normalization has no parameters. With `layers = { "*.modulation" = "zeros" }` (adaLN-Zero) each block is
      the identity.

    Parameters: `embedding.tokens`, `embedding.positions` (token, width; a weight, so drawn like one), in each block `attention.query`,
    `.key`, `.value` and `.out`, `mlp.first` and `mlp.second`, `norm` and `gate` of `attention` and `mlp`, `modulation`; and `output`.
    So `*.out` and `*.second` name the last layers of all branches, `*.gate` all gates, `blocks.0.mlp` one branch.

    A hidden layer is the MLP of a block at one token, block after block. ValueError if the number of inputs is no multiple of
    `features`, or the width none of `heads`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: PositiveInt = 8,
        width: PositiveInt = 16,
        heads: PositiveInt = 2,
        blocks: Depth = 1,
        mlp_width: PositiveInt = 32,
        normalization: Normalization = "layer",
        gated: Gating = "none",
        *,
        rngs: nnx.Rngs,
    ) -> None:
        if inputs % features:
            raise ValueError(f"model.features = {features}: the task's {inputs} inputs are no multiple of it")
        if width % heads:
            raise ValueError(f"model.heads = {heads}: model.width = {width} is no multiple of it")
        self.features, self.tokens = features, inputs // features
        self.embedding = Embedding(features, self.tokens, width, rngs)
        self.blocks = nnx.List([Block(width, heads, mlp_width, normalization, gated, rngs) for _ in range(blocks)])
        self.output = nnx.Linear(width, outputs, rngs=rngs)

    def trace(self, x: Float[Array, " input"], forward: Forward = PLAIN) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the outputs for one example, and the MLP's hidden layer of each block at each token."""
        stream = self.embedding(x.reshape(self.tokens, self.features))
        condition = jnp.mean(stream, axis=0)
        hidden: list[Hidden] = []
        for block in self.blocks:
            shifts = None if forward.shifts is None else jnp.stack(forward.shifts[len(hidden) : len(hidden) + self.tokens])
            stream, found = block(stream, condition, shifts)
            hidden += [jax.tree.map(lambda leaf, t=t: leaf[t], found) for t in range(self.tokens)]
        return self.output(jnp.mean(stream, axis=0)), hidden

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return the hidden units of each block's MLP."""
        return [block.mlp.units() for block in self.blocks]

    def heads(self) -> list[Float[Array, "head feature"]]:
        """Return one row per head of each block's attention."""
        return [block.attention.heads() for block in self.blocks]
