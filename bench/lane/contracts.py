"""Contracts that a user's own task and initializer must keep, checked before anything is trained."""

import math
from typing import Any

import numpy as np

from bench.initializers import drawn
from bench.registry import Entry
from bench.tasks.definition import Data, Task

INTEGERS = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))

MOST_SYMBOLS = 1 << 24
"""The number up to which float32 holds every whole number."""


def check_data(entry: Entry, task: Task, data: Any, dtype: str) -> None:
    """Check that data (or their shapes) are as the task says, in shape and dtype; `PieceError` if they are not."""
    if not isinstance(data, Data):
        raise entry.fault(f"its sample gives a {type(data).__name__}, which must be Data(x, y, test_x, test_y, floor)")
    if (data.test_x is None) != (data.test_y is None):
        raise entry.fault("its data have one of test_x and test_y, which stand together")
    _check_shape(entry, "floor", data.floor, (), (dtype,))
    for of_x, of_y, x, y in (("x", "y", data.x, data.y), ("test_x", "test_y", data.test_x, data.test_y)):
        if x is None or y is None:
            continue
        n = len(x) if x.ndim else 0
        if n == 0:
            raise entry.fault(f"its data have no examples: {of_x} has the shape {x.shape}")
        _check_shape(entry, of_x, x, (n, task.inputs), (dtype,) if str(x.dtype) not in INTEGERS else INTEGERS)
        if not task.loss.predicts:
            if len(y) != n:
                raise entry.fault(f"{of_y} has the shape {y.shape}, which must have as many rows as {of_x}, {n}")
        elif task.classes:
            _check_shape(entry, of_y, y, (n,), INTEGERS)
        else:
            _check_shape(entry, of_y, y, (n, task.outputs), (dtype,))


def _check_shape(entry: Entry, name: str, array: Any, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
    if array.shape != shape or str(array.dtype) not in dtypes:
        wanted = dtypes[0] if len(dtypes) == 1 else "integers"
        what = f"{name} is {array.dtype} of shape {array.shape}, which must be {wanted} of shape {shape}"
        fix = f"{name}.reshape({', '.join(map(str, shape))})" if array.size == math.prod(shape) else f"give {name} that shape"
        raise entry.fault(what, fix=fix if array.shape != shape else f"{name}.astype({'int' if wanted == 'integers' else 'dtype'})")


def check_values(entry: Entry, task: Task, data: Data) -> None:
    """Check that a data set's numbers are finite, its classes exist and its probabilities lie in 0 to 1; `PieceError` if not."""
    check_finite(entry, data)
    check_labels(entry, task, data)


def check_finite(entry: Entry, data: Data) -> None:
    """Check that a data set's numbers are finite; `PieceError` if they are not."""
    arrays = {name: np.asarray(value) for name, value in data._asdict().items() if value is not None}
    for name, array in arrays.items():
        missing = int(np.sum(~np.isfinite(array)))
        if missing:
            what = f"its data hold NaN or infinity: {missing:,} of the {array.size:,} numbers of {name}"
            raise entry.fault(what, fix="leave such examples out, or fill the gaps with np.nan_to_num")


def check_symbols(data: Data) -> None:
    """Check that examples which a model takes as symbols are whole numbers from 0 to 2^24; ValueError if they are not."""
    for name, x in (("x", data.x), ("test_x", data.test_x)):
        numbers = np.zeros(0) if x is None else np.asarray(x)
        wrong = numbers[(numbers < 0) | (numbers > MOST_SYMBOLS) | (numbers != np.round(numbers))]
        if len(wrong):
            raise ValueError(
                f"model.symbols = true: {name} holds {wrong[0]:.6g}, and symbols are whole numbers from 0 to 2^24; a task with an option "
                "standardize leaves them as they are with standardize = false"
            )


def check_labels(entry: Entry, task: Task, data: Data) -> None:
    """Check that a data set's classes exist and its probabilities lie in 0 to 1; `PieceError` if not."""
    if not task.loss.predicts:
        return
    for name in ("y", "test_y"):
        given = getattr(data, name)
        y = np.zeros(0) if given is None else np.asarray(given)
        most = task.outputs - 1 if task.classes else 1
        if (task.classes or task.probabilities) and y.size and (y.min() < 0 or y.max() > most):
            allowed = f"classes are 0 to {most}" if task.classes else "probabilities are 0 to 1"
            fix = "divide them by the largest one, or take another loss, such as mse"
            if task.classes:
                fix = "count the classes from 0 on" + (f", or say outputs = {y.max() + 1:.0f}" if y.min() >= 0 else "")
            raise entry.fault(f"{name} has values from {y.min():g} to {y.max():g}; {allowed}", fix=fix)


def check_initializer(entry: Entry, options: dict[str, Any], shapes: set[tuple[int, ...]], dtype: str) -> None:
    """Check that a user's own initializer gives finite weights of each of these shapes; `PieceError` if it does not."""
    for shape in sorted(shapes):
        drawn(entry, options, 0, shape, dtype)


def depends_on_axes(entry: Entry, options: dict[str, Any]) -> bool:
    """Tell whether an initializer's numbers depend on which axes of a weight are its inputs, as with a fan-in."""
    try:
        flat = [drawn(entry, options, 0, shape).tobytes() for shape in ((2, 3, 4), (2, 12), (6, 4))]
    except ValueError:
        # It wants weights of other shapes.
        return True
    return len(set(flat)) > 1
