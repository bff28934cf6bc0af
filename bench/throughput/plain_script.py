"""A script in plain JAX, as a user would write it, that starts, trains and measures many networks and saves a row for each.

`python plain_script.py WORKLOAD SEEDS STEPS FILE` imports nothing of this package, so that its process costs what JAX costs. It computes
the solved share as well, and does not stop training runs that are solved.
"""

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd

THRESHOLD = 0.05
"""Training loss below which a network has solved XOR."""


def xor() -> tuple[Any, Any]:
    """Return the four examples of XOR."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return x, x.sum(axis=1, keepdims=True) % 2


def digits() -> tuple[Any, Any]:
    """Return three quarters of scikit-learn's digits, standardized."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.data))[: round(0.75 * len(bunch.data))]
    x, y = bunch.data[order].astype(np.float32), bunch.target[order]
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), y


def mlp(key: Any, initializer: Any) -> dict[str, Any]:
    """Return the parameters of a network of two inputs, four tanh units and one output."""
    first, second = jax.random.split(key)
    return {
        "w": initializer(first, (2, 4), jnp.float32),
        "b": jnp.zeros(4),
        "v": initializer(second, (4, 1), jnp.float32),
        "c": jnp.zeros(1),
    }


def mlp_outputs(params: dict[str, Any], x: Any) -> Any:
    """Return its outputs (example, 1)."""
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"] + params["c"]


def cnn(key: Any, initializer: Any) -> dict[str, Any]:
    """Return the parameters of a network of two convolutions with 8 and 16 channels and a linear layer."""
    keys = jax.random.split(key, 3)
    return {
        "k0": initializer(keys[0], (3, 3, 1, 8), jnp.float32),
        "b0": jnp.zeros(8),
        "k1": initializer(keys[1], (3, 3, 8, 16), jnp.float32),
        "b1": jnp.zeros(16),
        "w": initializer(keys[2], (64, 10), jnp.float32),
        "c": jnp.zeros(10),
    }


def cnn_outputs(params: dict[str, Any], x: Any) -> Any:
    """Return its outputs (example, class), with means over 2 x 2 positions after each convolution."""
    image = x.reshape(len(x), 8, 8, 1)
    for number in range(2):
        image = jax.lax.conv_general_dilated(image, params[f"k{number}"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        image = jax.nn.relu(image + params[f"b{number}"])
        side = image.shape[1] // 2
        image = image.reshape(len(x), side, 2, side, 2, -1).mean(axis=(2, 4))
    return image.reshape(len(x), -1) @ params["w"] + params["c"]


def logistic(outputs: Any, y: Any) -> Any:
    """Return the loss of one output."""
    return optax.sigmoid_binary_cross_entropy(outputs, y).mean()


def classes(outputs: Any, y: Any) -> Any:
    """Return the loss of several classes."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()


def train(seed: Any, start: Any, outputs: Any, criterion: Any, optimizer: Any, x: Any, y: Any, steps: int, batch: int) -> dict[str, Any]:
    """Train one network, and return the numbers of its row."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        return criterion(outputs(params, x), y)

    def update(carried: Any, index: Any) -> Any:
        params, state, solved_at, step = carried
        examples = (x, y) if index is None else (x[index], y[index])
        value, slope = jax.value_and_grad(loss)(params, *examples)
        change, state = optimizer.update(slope, state, params)
        solved_at = jnp.where((solved_at < 0) & (value < THRESHOLD), step, solved_at)
        return (optax.apply_updates(params, change), state, solved_at, step + 1), None

    def epoch(carried: Any, number: Any) -> Any:
        order = jax.random.permutation(jax.random.fold_in(jax.random.key(seed), number), len(x))[: len(x) // batch * batch]
        return jax.lax.scan(update, carried, order.reshape(-1, batch))

    params = start(jax.random.key(seed))
    carried = params, optimizer.init(params), jnp.int32(-1), jnp.int32(0)
    if batch:
        carried, _ = jax.lax.scan(epoch, carried, jnp.arange(steps // (len(x) // batch)))
    else:
        carried, _ = jax.lax.scan(update, carried, length=steps)
    return {"loss_initial": loss(params, x, y), "loss_final": loss(carried[0], x, y), "steps_to_solve": carried[2]}


def main(workload: str, seeds: int, steps: int, file: str) -> None:
    """Train all networks of a workload, one compilation for each of its settings, and save their rows."""
    law = jax.nn.initializers
    glorot = law.glorot_normal()
    settings: list[tuple[Any, float]] = [(glorot, 0.5)]
    if workload == "grid":
        every = [
            law.zeros, law.normal(1.0), lambda key, shape, dtype: law.uniform(2.0)(key, shape, dtype) - 1, law.lecun_normal(),
            law.lecun_uniform(), glorot, law.glorot_uniform(), law.he_normal(), law.he_uniform(), law.orthogonal(),
        ]  # fmt: skip
        settings = [(initializer, rate) for initializer in every for rate in (0.03, 0.1, 0.3, 0.5, 1.0)]
    is_cnn = workload == "digits-cnn"
    x, y = digits() if is_cnn else xor()
    frames = []
    for initializer, rate in settings:
        one = partial(
            train,
            start=partial(cnn if is_cnn else mlp, initializer=initializer),
            outputs=cnn_outputs if is_cnn else mlp_outputs,
            criterion=classes if is_cnn else logistic,
            optimizer=optax.adam(0.003) if is_cnn else optax.sgd(rate),
            x=jnp.asarray(x),
            y=jnp.asarray(y),
            steps=steps,
            batch=64 if is_cnn else 0,
        )
        found = jax.jit(jax.vmap(one))(jnp.arange(seeds, dtype=jnp.uint32))
        frames.append(pd.DataFrame({name: np.asarray(values) for name, values in found.items()}).assign(seed=range(seeds), rate=rate))
    pd.concat(frames, ignore_index=True).to_parquet(file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
