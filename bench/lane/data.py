"""The data of a lane: the task that a spec names, and its data sets."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bench.keys import data_key
from bench.lane.contracts import check_data
from bench.spec import TaskSpec
from bench.tasks import task
from bench.tasks.definition import Data, Task, digest_of
from bench.tasks.making import made

MOST_CONSTANT_BYTES = 1 << 20
"""Largest size of a data set that is part of a compiled program, which copies it and takes longer to compile the larger it is."""
MOST_FIXED_BYTES = 1 << 32
"""Largest size of a data set that is the same for every data seed."""


class Problem(NamedTuple):
    """A task with what is known about its data sets before anything is trained."""

    task: Task
    shapes: Data
    """Shapes of one data set."""
    fixed: Data | None
    """The data set that is the same for every data seed, as NumPy arrays; None if the data depend on the seed."""

    @property
    def key(self) -> str:
        """A text that is equal for tasks whose data are the same to a compiled program: inputs of equal shapes, or the same data."""
        shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype.name), self.shapes)
        of_task = self.task.loss.name, self.task.loss.options, self.task.kind, self.task.inputs, self.task.outputs, shapes
        return repr((of_task, digest_of(jax.tree.leaves(self.fixed))))


def problem(spec: TaskSpec) -> Task:
    """Return the task that a spec names; `PieceError` if a user's own function returns something else."""
    return made(spec.name, spec.options)


def examined(spec: TaskSpec, dtype: str) -> Problem:
    """Return the task that a spec names, the shapes of its data and, if they are the same for every data seed, the data.

    `PieceError` if the shapes are not as the task says, or if such data are larger than `MOST_FIXED_BYTES`.
    """
    shapes = data_shapes(spec, dtype)
    return Problem(problem(spec), shapes, _fixed_data(spec, dtype, data_bytes(shapes)))


def sampled(spec: TaskSpec, data_seed: Any, dtype: str) -> Data:
    """Return the data set of a data seed, as arrays of JAX also where the task has them from NumPy."""
    return _unchecked(spec, data_seed, dtype)


def _unchecked(spec: TaskSpec, data_seed: Any, dtype: str) -> Any:
    """Return what the task gives for a data seed, which may be no `Data`: `check_data` looks at it."""
    described = problem(spec)
    drawn_by = data_seed if described.by_seed else data_key(data_seed)
    return jax.tree.map(jnp.asarray, described.sample(drawn_by, jnp.dtype(dtype)))


def data_shapes(spec: TaskSpec, dtype: str) -> Data:
    """Return the shapes of one data set; `PieceError` if they are not as the task says."""
    described, entry = problem(spec), task[spec.name]
    with entry.calling():
        shapes = jax.eval_shape(lambda: _unchecked(spec, np.uint32(0), dtype))
    check_data(entry, described, shapes, dtype)
    return shapes


def is_of_symbols(data: Data) -> bool:
    """Return whether the examples of a data set are integers, as symbols of a sequence are."""
    return jnp.issubdtype(data.x.dtype, jnp.integer)


def data_bytes(data: Data) -> int:
    """Return the size of a data set, or of its shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(data))


def _fixed_data(spec: TaskSpec, dtype: str, size: int) -> Data | None:
    """Return the data of a task that has the same for every data seed; also large ones of a user's own task that does not say so."""
    entry = task[spec.name]
    if problem(spec).seeded and not (entry.own and size > MOST_CONSTANT_BYTES):
        return None
    if size > MOST_FIXED_BYTES:
        raise entry.fault(f"its data, which all training runs share, would be {size:,} bytes; at most {MOST_FIXED_BYTES:,}")
    first = jax.tree.map(np.asarray, sampled(spec, 0, dtype))
    if problem(spec).seeded:
        pairs = zip(jax.tree.leaves(first), jax.tree.leaves(sampled(spec, 1, dtype)), strict=True)
        return first if all(np.array_equal(one, other) for one, other in pairs) else None
    return first
