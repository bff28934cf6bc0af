"""The trials of a task."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from bench.hardware import precision
from bench.lane.contracts import check_finite, check_labels
from bench.lane.data import data_shapes, problem, sampled
from bench.registry import PieceError
from bench.runs.trials.trial import PURE, Trial, Untried, read
from bench.spec import TaskSpec
from bench.tasks import task
from bench.tasks.definition import Data, Task

SEEDS = 3
"""Number of data sets that are checked."""


class _Tried:
    """A task with its options."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._entry, self._raw = task[name], {"name": name, **options}
        self._spec: TaskSpec | None = None

    def made(self) -> str:
        self._spec = read("task", self._raw)
        found = self._task
        return f"{found.kind}, {found.inputs} inputs, {found.outputs} outputs, loss {found.loss.name}"

    def shaped(self) -> None:
        data_shapes(self._made, "float32")

    def doubled(self) -> None:
        with precision("float64"):
            data_shapes(self._made, "float64")

    def finite(self) -> None:
        for seed in range(SEEDS):
            check_finite(self._entry, self._data(seed))

    def labeled(self) -> None:
        for seed in range(SEEDS):
            check_labels(self._entry, self._task, self._data(seed))

    def repeated(self) -> str:
        one, again, other = (jax.tree.leaves(self._data(seed)) for seed in (0, 0, 1))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, again, strict=True)):
            raise self._entry.fault("the same data seed gives two different data sets")
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
        return "all data seeds give the same data" if same else "two data seeds give different data"

    @property
    def _made(self) -> TaskSpec:
        if self._spec is None:
            raise Untried("there is no task")
        return self._spec

    @property
    def _task(self) -> Task:
        return problem(self._made)

    def _data(self, seed: int) -> Data:
        spec = self._made
        try:
            with self._entry.calling():
                found = sampled(spec, seed, "float32")
        except PieceError as error:
            raise Untried("it gives no data") from error
        if not isinstance(found, Data) or (found.test_x is None) != (found.test_y is None):
            raise Untried("it gives no data")
        return found


def of_task(name: str, options: dict[str, Any]) -> Iterator[Trial]:
    """Yield the trials of a task."""
    tried = _Tried(name, options)
    yield Trial("it describes a task", tried.made, "return (x, y), or a Task(inputs, outputs, sample, loss, kind)")
    yield Trial("its data have the shapes and dtypes of the task", tried.shaped, "return Data(x, y, None, None, floor) from its sample")
    yield Trial("the same in float64", tried.doubled, "write .astype(dtype), the dtype that sample is given")
    yield Trial("its numbers are finite", tried.finite)
    yield Trial("its classes exist, its probabilities lie in 0 to 1", tried.labeled)
    yield Trial("the same data seed gives the same data", tried.repeated, PURE)
