"""The data of a lane: the task that a spec names, and its data sets."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.keys import data_key
from bench.lane.contracts import check_data
from bench.spec import TaskSpec
from bench.tasks import task
from bench.tasks.definition import Data, Task

MOST_FIXED_BYTES = 1 << 32
"""Largest size of a data set that is the same for every data seed."""


def problem(spec: TaskSpec) -> Task:
    """Return the task that a spec names; `PieceError` if a user's own function returns something else."""
    entry = task[spec.name]
    made = entry.bind(spec.options)()
    if not isinstance(made, Task):
        raise entry.fault(f"it returns a {type(made).__name__}")
    return replace(made, sample=entry.guarded(made.sample)) if entry.own else made


def sampled(spec: TaskSpec, data_seed: Any, dtype: str) -> Data:
    """Return the data set of a data seed, as arrays of JAX also where the task has them from NumPy."""
    return _unchecked(spec, data_seed, dtype)


def _unchecked(spec: TaskSpec, data_seed: Any, dtype: str) -> Any:
    """Return what the task gives for a data seed, which may be no `Data`: `check_data` looks at it."""
    return jax.tree.map(jnp.asarray, problem(spec).sample(data_key(data_seed), jnp.dtype(dtype)))


def data_shapes(spec: TaskSpec, dtype: str) -> Data:
    """Return the shapes of one data set; `PieceError` if they are not as the task says."""
    described, entry = problem(spec), task[spec.name]
    with entry.calling():
        shapes = jax.eval_shape(lambda: _unchecked(spec, 0, dtype))
    check_data(entry, described, shapes, dtype)
    return shapes


def is_of_symbols(data: Data) -> bool:
    """Return whether the examples of a data set are integers, as symbols of a sequence are."""
    return jnp.issubdtype(data.x.dtype, jnp.integer)


def data_bytes(data: Data) -> int:
    """Return the size of a data set, or of its shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(data))


def constant_data(spec: TaskSpec, dtype: str) -> Data | None:
    """Return the data of a task that has the same for every data seed, as NumPy arrays; None for another task.

    `PieceError` if they are larger than `MOST_FIXED_BYTES`.
    """
    if problem(spec).seeded:
        return None
    size = data_bytes(data_shapes(spec, dtype))
    if size > MOST_FIXED_BYTES:
        raise task[spec.name].fault(f"its data, which are part of the program, would be {size:,} bytes; at most {MOST_FIXED_BYTES:,}")
    return jax.tree.map(np.asarray, sampled(spec, 0, dtype))
