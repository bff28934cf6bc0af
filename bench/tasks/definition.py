"""The parts of every task: sampled data, a loss, a metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, Real

from bench.linalg import orthonormal
from bench.losses import Targets
from bench.losses.definition import KINDS, Kind, Loss

LEAST_SQUARES = ("mse", "rss")
"""Losses whose minimum over affine maps is that of least squares."""


Examples = Real[Array | np.ndarray, "example input"]
"""Examples of a data set, numbers or integer symbols: an array of NumPy where the data are part of a program."""


class Data(NamedTuple):
    """The data of one data seed; a task without a test part has None in its place."""

    x: Examples
    y: Targets
    """Targets: (example, output) values or probabilities, or (example,) integer classes."""
    test_x: Real[Array | np.ndarray, "test input"] | None
    test_y: Targets | None
    floor: Float[Array | np.ndarray, ""]
    """The number from which the reported loss is counted: 0, or the least loss that any parameters reach."""


@dataclass(frozen=True, init=False)
class Task:
    """A learning problem."""

    inputs: int
    outputs: int
    sample: Callable[[Key[Array, ""], DTypeLike], Data]
    """The data of one data seed, as a pure function of a key and a dtype."""
    loss: Loss
    kind: Kind
    seeded: bool
    """Whether the data depend on the key."""
    resamples: bool
    """Whether every data seed draws from one fixed data set."""

    # A user may give values of any type: the others are refused here in one line.
    def __init__(
        self,
        inputs: int | Any,
        outputs: int | Any,
        sample: Callable[[Key[Array, ""], DTypeLike], Data],
        loss: str | Loss,
        kind: Kind | Any,
        seeded: bool = True,
        resamples: bool = False,
    ) -> None:
        """Look the loss up by its name; ValueError if a value is not allowed."""
        for name, value in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} = {value!r}: a whole number, at least 1")
        if kind not in KINDS:
            raise ValueError(f"kind = {kind!r}: allowed: {', '.join(KINDS)}")
        found = loss if isinstance(loss, Loss) else Loss.of(loss)
        if kind not in found.kinds:
            raise ValueError(f"loss = '{found.name}': a loss of {' or '.join(found.kinds)}s; a regression has mse or rss")
        values = {"inputs": inputs, "outputs": outputs, "sample": sample, "loss": found, "kind": kind}
        # The fields of a frozen dataclass are set past its own guard.
        self.__dict__.update(values, seeded=seeded, resamples=resamples)

    @property
    def classes(self) -> bool:
        """Whether the targets are integer classes, one for each output."""
        return self.kind == "classification" and self.outputs > 1

    @property
    def probabilities(self) -> bool:
        """Whether the targets are probabilities: a single output has a loss that is for classifications alone."""
        return not self.classes and self.loss.kinds == ("classification",)

    def metric(self, outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, ""]:
        """Return the accuracy of a classification or R^2 of a regression; NaN if the outputs are no predictions."""
        return self.loss.metric(self.kind, outputs, targets)


def split(x: Array, y: Array, n_train: int, floor: Array | None = None) -> Data:
    """Return data with the first `n_train` examples for training and the rest (if any) for testing."""
    floor = jnp.zeros((), x.dtype) if floor is None else floor
    test_x, test_y = (x[n_train:], y[n_train:]) if len(x) > n_train else (None, None)
    return Data(x[:n_train], y[:n_train], test_x, test_y, floor)


def least_squares_floor(x: Float[Array, "example input"], y: Float[Array, "example output"], loss: str) -> Float[Array, ""]:
    """Return the least loss, `mse` or `rss`, of an affine map on these examples."""
    design = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    # A basis, not the normal equations: the residual then carries no squared condition number. Zero rows keep it tall.
    missing = max(design.shape[1] - len(design), 0)
    basis = orthonormal(jnp.pad(design, ((0, missing), (0, 0))))[: len(design)]
    return Loss.of(loss)(basis @ (basis.T @ y), y)


def check_floor(loss: str, excess: bool) -> None:
    """Check that the minimum of a loss is known, if the loss is to be counted from it; ValueError if it is not."""
    if excess and loss not in LEAST_SQUARES:
        raise ValueError(f"excess = true: the minimum is known for {' and '.join(LEAST_SQUARES)}, not for '{loss}'")
