"""What every task is made of: sampled data, an objective, a metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from bench.linalg import orthonormal

LossName = Literal["mse", "rss", "cross_entropy", "output", "players"]
Kind = Literal["regression", "classification"]


class Data(NamedTuple):
    """One lane's data; a task without a test part has None there."""

    x: Float[Array, "example input"]
    y: Array
    """Targets: (example, output) values or probabilities, or (example,) integer classes."""
    test_x: Float[Array, "test input"] | None
    test_y: Array | None
    floor: Float[Array, ""]
    """What the reported loss is counted from: 0, or the least loss that any parameters reach."""


@dataclass(frozen=True)
class Task:
    """A learning problem. `sample` is pure and written for one data seed; `seeded` is False if it ignores its key, and `resamples` is
    True if every data seed draws from one fixed data set."""

    inputs: int
    outputs: int
    sample: Callable[[Key[Array, ""], jnp.dtype], Data]
    loss: LossName
    kind: Kind
    seeded: bool = True
    resamples: bool = False

    def __post_init__(self) -> None:
        for name, value in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} = {value!r}: a whole number, at least 1")
        check_loss(self.loss)
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind = {self.kind!r}: allowed: {', '.join(get_args(Kind))}")
        if self.loss == "cross_entropy" and self.kind == "regression":
            raise ValueError("loss = 'cross_entropy': a loss of classifications; a regression has mse or rss")

    @property
    def classes(self) -> bool:
        """Whether the targets are integer classes, one for each output."""
        return self.kind == "classification" and self.outputs > 1


@jax.custom_jvp
def _softplus(z: Array) -> Array:
    """ln(1 + e^z) with slope sigmoid(z), also at 0; four times as fast as optax's binary cross-entropy in float64 on a CPU."""
    return jnp.where(z > 0, z, 0) + _log1p(jnp.exp(-jnp.abs(z)))


@_softplus.defjvp
def _softplus_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # One exponential for both: sigmoid(z) is 1 / (1 + e^-z), and e^z / (1 + e^z) where z is negative.
    z = primals[0]
    # Not -|z|, whose slope JAX takes to be 0 or 1 at 0: the second derivative there would not be 1/4.
    small = jnp.exp(jnp.where(z > 0, -z, z))
    return jnp.where(z > 0, z, 0) + _log1p(small), jnp.where(z > 0, 1, small) / (1 + small) * tangents[0]


def _log1p(x: Array) -> Array:
    """ln(1 + x) of x between 0 and 1, as 2 artanh(x / (2 + x)), by its series: a tenth of the time of XLA's own on a CPU."""
    ratio = x / (2 + x)
    # Terms until they are below half of the last bit; (1/3)^2 is the largest square.
    terms = 7 if x.dtype == jnp.float32 else 16
    series = jnp.full_like(x, 1 / (2 * terms - 1))
    for k in reversed(range(terms - 1)):
        series = series * ratio**2 + 1 / (2 * k + 1)
    return 2 * ratio * series


def check_loss(loss: str) -> None:
    """ValueError unless there is a loss of this name."""
    if loss not in get_args(LossName):
        raise ValueError(f"loss = {loss!r}: allowed: {', '.join(get_args(LossName))}")


def losses(loss: LossName, outputs: Float[Array, "example output"], targets: Array) -> Float[Array, " example"]:
    """Loss of each example.

    `mse` and `rss`: squared error, averaged over outputs (not halved). `cross_entropy`, in nats: binary for one output, which is
    then a logit and the target a probability; softmax over integer classes otherwise. `output`: the model's output is the loss.
    `players`: its outputs are the losses of its players, of which this is the first one's. ValueError for any other name.
    """
    check_loss(loss)
    if loss in ("output", "players"):
        return outputs[:, 0]
    if loss != "cross_entropy":
        if targets.ndim == 1:
            targets = jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
        return jnp.mean((outputs - targets) ** 2, axis=-1)
    if outputs.shape[-1] == 1:
        return _softplus(outputs[:, 0]) - targets[:, 0] * outputs[:, 0]
    # Not by indexing, whose gradient is a slow scatter; not by a product, which took four times as long as this on a CPU.
    chosen = targets[:, None] == jnp.arange(outputs.shape[-1])
    return jax.nn.logsumexp(outputs, axis=-1) - jnp.sum(jnp.where(chosen, outputs, 0), axis=-1)


def total_loss(loss: LossName, outputs: Float[Array, "example output"], targets: Array) -> Float[Array, ""]:
    """Mean over the examples (`mse`, `cross_entropy`) or sum (`rss`)."""
    each = losses(loss, outputs, targets)
    return jnp.sum(each) if loss == "rss" else jnp.mean(each)


def metric(task: Task, outputs: Float[Array, "example output"], targets: Array) -> Float[Array, ""]:
    """Accuracy of a classification, R^2 of a regression (1 - squared error over variance of the targets); NaN of an output alone."""
    if task.loss in ("output", "players"):
        return jnp.full((), jnp.nan, outputs.dtype)
    if task.kind == "regression":
        residual = jnp.sum((outputs - targets) ** 2)
        return 1 - residual / jnp.sum((targets - jnp.mean(targets, axis=0)) ** 2)
    if outputs.shape[-1] == 1:
        threshold = 0.0 if task.loss == "cross_entropy" else 0.5
        return jnp.mean((outputs > threshold) == (targets > 0.5))
    return jnp.mean(jnp.argmax(outputs, axis=-1) == targets)


def split(x: Array, y: Array, n_train: int, floor: Array | None = None) -> Data:
    """The first `n_train` examples for training, the rest (if any) for testing."""
    floor = jnp.zeros((), x.dtype) if floor is None else floor
    test_x, test_y = (x[n_train:], y[n_train:]) if len(x) > n_train else (None, None)
    return Data(x[:n_train], y[:n_train], test_x, test_y, floor)


def least_squares_floor(x: Float[Array, "example input"], y: Float[Array, "example output"], loss: LossName) -> Float[Array, ""]:
    """The least `mse` or `rss` of an affine map on these examples."""
    design = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    # A basis, not the normal equations: the residual then carries no squared condition number. Zero rows keep it tall.
    missing = max(design.shape[1] - len(design), 0)
    basis = orthonormal(jnp.pad(design, ((0, missing), (0, 0))))[: len(design)]
    return total_loss(loss, basis @ (basis.T @ y), y)
