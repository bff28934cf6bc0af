"""The parts of every task: sampled data, a loss, a metric."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, Real
from pydantic import Field

from bench.losses import Targets
from bench.losses.definition import KINDS, Kind, Loss
from bench.piece_names import Named

Positives = Annotated[float, Field(gt=0, lt=1)] | None
"""The share of the second of two classes; None: as the data have it."""
Examples = Real[Array | np.ndarray, "example input"]
"""Examples of a data set, numbers or integer symbols: an array of NumPy where the data are part of a program."""


class Data(NamedTuple):
    """The data of one data seed; a task without a test part has None in its place.

    >>> import initbench as ib
    >>> import numpy as np
    >>> x = np.eye(4, dtype=np.float32)
    >>> ib.Data(x, x[:, :1], test_x=None, test_y=None, floor=np.zeros((), x.dtype)).y.shape
    (4, 1)
    """

    x: Examples
    y: Targets
    """Targets: (example, output) values or probabilities, or (example,) integer classes."""
    test_x: Real[Array | np.ndarray, "test input"] | None
    test_y: Targets | None
    floor: Float[Array | np.ndarray, ""]
    """The number from which the reported loss is counted: 0, or the least loss that any parameters reach."""


@dataclass(frozen=True, init=False)
class Task:
    """A learning problem.

    >>> import initbench as ib
    >>> import jax
    >>> import jax.numpy as jnp
    >>> def noise(key, dtype):
    ...     x = jax.random.normal(key, (16, 2), dtype)
    ...     return ib.Data(x, x[:, :1], None, None, floor=jnp.zeros((), dtype))
    >>> ib.Task(inputs=2, outputs=1, sample=noise, loss="mse", kind="regression").classes
    False
    """

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
    by_seed: bool
    """Whether `sample` is called with the data seed itself, a traced number, in place of a key."""
    class_names: tuple[str, ...]
    """The labels of the classes as the data have them, in the order of the classes; empty if the classes are plain numbers."""
    digest: Callable[[], str] | None
    """Computes the SHA-256 of data that come from outside of the package; None for other data."""

    # A user may give values of any type: the others are refused here in one line.
    def __init__(
        self,
        inputs: int | Any,
        outputs: int | Any,
        sample: Callable[[Key[Array, ""], DTypeLike], Data],
        loss: Named | Loss,
        kind: Kind | Any,
        seeded: bool = True,
        resamples: bool = False,
        by_seed: bool = False,
        class_names: tuple[str, ...] = (),
        digest: Callable[[], str] | None = None,
    ) -> None:
        """Look the loss up, by its name or with its options; ValueError if a value is not allowed."""
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
        self.__dict__.update(values, seeded=seeded, resamples=resamples, by_seed=by_seed, class_names=class_names, digest=digest)

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


def digest_of(arrays: Iterable[Any]) -> str:
    """Return the SHA-256 of arrays: their dtypes, shapes and bytes; None has no part in it."""
    found = hashlib.sha256()
    for array in arrays:
        if array is not None:
            found.update(f"{array.dtype.str}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()


def second_class(n: int, n_test: int, share: float) -> np.ndarray:
    """Return labels (example,) of training and test examples of which this share, rounded, is 1; ValueError if that leaves out a class."""
    counts = [(size, round(share * size)) for size in (n, n_test) if size]
    for size, count in counts:
        if not 0 < count < size:
            raise ValueError(f"positives = {share:g}: of {size:,} examples that is {'none' if count == 0 else 'all'}")
    return np.concatenate([np.arange(size) < count for size, count in counts]).astype(np.int32)


def split(x: Array, y: Array, n_train: int, floor: Array | None = None) -> Data:
    """Return data with the first `n_train` examples for training and the rest (if any) for testing."""
    floor = jnp.zeros((), x.dtype) if floor is None else floor
    test_x, test_y = (x[n_train:], y[n_train:]) if len(x) > n_train else (None, None)
    return Data(x[:n_train], y[:n_train], test_x, test_y, floor)
