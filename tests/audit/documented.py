"""Five models that Flax's documentation describes, with its layers and sizes, as nobody here would have written them for an audit."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


class MLP(nnx.Module):
    """Two layers with a batch normalization, dropout and GELU between (README of Flax, "Example of an MLP")."""

    def __init__(self, din: int = 8, dmid: int = 32, dout: int = 4, *, rngs: nnx.Rngs) -> None:
        self.enter = nnx.Linear(din, dmid, rngs=rngs)
        self.norm = nnx.BatchNorm(dmid, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.leave = nnx.Linear(dmid, dout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = self.drop(self.norm(self.enter(x)))
        return self.leave(nnx.gelu(hidden))


class CNN(nnx.Module):
    """Two convolutions with pooling and two layers for batches of 28 x 28 images (README of Flax, "Example of a CNN")."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.convolutions = nnx.List([nnx.Conv(a, b, kernel_size=(3, 3), rngs=rngs) for a, b in ((1, 32), (32, 64))])
        self.pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.hidden = nnx.Linear(3136, 256, rngs=rngs)
        self.head = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for convolution in self.convolutions:
            x = self.pool(nnx.relu(convolution(x)))
        return self.head(nnx.relu(self.hidden(x.reshape(len(x), -1))))


class AutoEncoder(nnx.Module):
    """A linear encoder from 2 numbers to 10, and a linear decoder back (README of Flax, "Example of an autoencoder")."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.encoder, self.decoder = nnx.Linear(2, 10, rngs=rngs), nnx.Linear(10, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.decoder(self.encoder(x))


class Classifier(nnx.Module):
    """An LSTM over batches of sequences, whose last state is classified (reference of `flax.nnx.RNN` and `flax.nnx.LSTMCell`)."""

    def __init__(self, features: int = 6, hidden: int = 12, classes: int = 3, *, rngs: nnx.Rngs) -> None:
        self.lstm = nnx.RNN(nnx.LSTMCell(features, hidden, rngs=rngs))
        self.head = nnx.Linear(hidden, classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.lstm(x)[:, -1])


class MiniGPT(nnx.Module):
    """One block of a small GPT with learned positions, whose norms stand behind the sums (Flax's example "Train a miniGPT")."""

    def __init__(self, vocabulary: int = 11, length: int = 6, width: int = 16, heads: int = 2, *, rngs: nnx.Rngs) -> None:
        self.tokens = nnx.Embed(vocabulary, width, rngs=rngs)
        self.positions = nnx.Embed(length, width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.wide, self.narrow = nnx.Linear(width, 4 * width, rngs=rngs), nnx.Linear(4 * width, width, rngs=rngs)
        self.head = nnx.Linear(width, vocabulary, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.tokens(x) + self.positions(jnp.arange(x.shape[-1]))
        x = self.norms[0](x + self.attention(x, mask=nnx.make_causal_mask(jnp.ones(x.shape[:-1]))))
        return self.head(self.norms[1](x + self.narrow(nnx.relu(self.wide(x)))))
