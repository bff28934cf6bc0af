"""Arrays of a user's own, as they come from Python, a file or a library: checked, and turned into numbers and classes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.losses.definition import Kind
from bench.messages import nearest, shown
from bench.tasks.tables import features_of, missing, table_parts

NAMES = ("x", "y", "x_test", "y_test")
FORMS = "(x, y), (x, y, x_test, y_test), a table with a target column, or a Bunch of scikit-learn"
"""The values that a user's own function may return besides a `Task`, in words."""


class Parts(NamedTuple):
    """Examples with their targets, as they were given; without a test part the last two are None."""

    x: Any
    y: Any
    x_test: Any = None
    y_test: Any = None


class Labels(NamedTuple):
    """The meaning of targets: numbers of a regression, or classes."""

    kind: Kind
    outputs: int
    """The number of outputs of a network: 1 for two classes."""
    classes: np.ndarray | None
    """The classes as the data have them, in ascending order; None for a regression."""


def parts_of(given: Any, target: str | list[str] | None = None) -> Parts:
    """Return the parts of what stands for data: see `FORMS`. ValueError in one line if it has another form.

    `target` names the target's column, or several, of a table.
    """
    if isinstance(given, pd.DataFrame):
        return Parts(*table_parts(given, target))
    if isinstance(given, Mapping):
        if {"data", "target"} <= set(given):
            return Parts(given["data"], given["target"])
        unknown = next((name for name in given if name not in NAMES), None)
        if unknown is not None:
            raise ValueError(f"its arrays have a name '{unknown}'; {nearest(str(unknown), NAMES)}")
        if not {"x", "y"} <= set(given) or ("x_test" in given) != ("y_test" in given):
            raise ValueError(f"its arrays are called {', '.join(map(str, given))}; needed: x and y, and x_test and y_test together")
        return Parts(**given)
    if isinstance(given, tuple | list) and len(given) in (2, 4):
        return Parts(*given)
    what = f"{len(given)} values" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
    raise ValueError(f"it returns {what}; what it may return: a Task, {FORMS}")


def numbers(parts: Parts) -> Parts:
    """Return the parts with features as arrays (example, input) of numbers, and targets as arrays; ValueError in one line if wrong."""
    x, x_test = parts.x, parts.x_test
    if isinstance(x, pd.DataFrame) and isinstance(x_test, pd.DataFrame):
        both = features_of(pd.concat([x, x_test]))
        x, x_test = both[: len(x)], both[len(x) :]
    x, y = _features("x", x), _plain("y", parts.y)
    _check_lengths("x", x, "y", y)
    if x_test is None:
        return Parts(x, y)
    x_test, y_test = _features("x_test", x_test), _plain("y_test", parts.y_test)
    _check_lengths("x_test", x_test, "y_test", y_test)
    if x_test.shape[1] != x.shape[1]:
        raise ValueError(f"x_test has {x_test.shape[1]} features for each example, x has {x.shape[1]}")
    return Parts(x, y, x_test, y_test)


def labels_of(parts: Parts, kind: Kind | None = None) -> Labels:
    """Tell what the targets mean: whole numbers, truth values and texts are classes, other numbers a regression's values.

    `kind` says otherwise for whole numbers. ValueError in one line if the targets are constant, or fit neither.
    """
    y: np.ndarray = parts.y
    is_float = y.dtype.kind == "f"
    if is_float and kind == "classification":
        raise ValueError(f"kind = 'classification': y is {y.dtype}; classes are whole numbers, truth values or texts")
    if kind == "regression" and y.dtype.kind not in "fiub":
        raise ValueError("kind = 'regression': y holds texts")
    if is_float or kind == "regression":
        outputs = int(np.prod(y.shape[1:]))
        values = y.reshape(len(y), -1)
        constant = np.flatnonzero((values == values[:1]).all(axis=0))
        if len(constant):
            raise ValueError(f"y is {values[0, constant[0]]:g} for every example: there is nothing to learn")
        return Labels("regression", outputs, None)
    if y.ndim > 1 and y.shape != (len(y), 1):
        raise ValueError(f"y holds classes and has the shape {y.shape}: one class for each example; several outputs are floats")
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) == 1:
        raise ValueError(f"y is {shown(classes[0].item())} for every example: there is nothing to learn")
    if kind is None and 2 * len(classes) > len(y) > 4:
        raise ValueError(
            f"y has {len(classes):,} different classes in {len(y):,} examples; a regression has floats (in a file: kind = 'regression')"
        )
    return Labels("classification", 1 if len(classes) == 2 else len(classes), classes)


def encoded(name: str, y: np.ndarray, labels: Labels) -> np.ndarray:
    """Return targets as numbers: values (example, output), or classes from 0 on (example,); ValueError on a class that is none."""
    if labels.classes is None:
        return y.reshape(len(y), -1)
    y = y.reshape(-1)
    place = np.minimum(np.searchsorted(labels.classes, y), len(labels.classes) - 1)
    wrong = labels.classes[place] != y
    if wrong.any():
        known = ", ".join(shown(one) for one in labels.classes[:8].tolist()) + (", ..." if len(labels.classes) > 8 else "")
        raise ValueError(f"{name} has the class {shown(y[wrong][0].item())}, which no training example has; they have {known}")
    return place.astype(np.int32)


def _features(name: str, value: Any) -> np.ndarray:
    if isinstance(value, pd.DataFrame):
        return features_of(value)
    array = _array(name, value)
    if array.dtype.kind not in "biuf":
        what = f"{type(array.flat[0]).__name__} objects" if array.dtype.kind == "O" and array.size else f"{array.dtype} values"
        raise ValueError(f"{name} holds {what}, which are no numbers")
    if array.ndim < 2:
        raise ValueError(
            f"{name} has the shape {array.shape}: a row for each example, so (examples, features); {name}[:, None] for one feature"
        )
    if 0 in array.shape:
        raise ValueError(f"{name} has the shape {array.shape}: it is empty")
    array = array.reshape(len(array), -1)
    _check_finite(name, array)
    return array


def _plain(name: str, value: Any) -> np.ndarray:
    """Return targets as an array of numbers, truth values or texts."""
    if isinstance(value, pd.DataFrame) and len(value.columns) == 1:
        value = value.iloc[:, 0]
    if isinstance(value, pd.Series | pd.DataFrame) and (count := int(np.sum(value.isna().to_numpy()))):
        raise ValueError(f"{name} has {missing(count)}")
    array = _array(name, value)
    if array.dtype.kind == "O" and array.size:
        kinds = {type(one) for one in array.flat}
        if kinds <= {str} or kinds <= {bool, np.bool_} or all(issubclass(one, int | np.integer) for one in kinds):
            array = np.array(array.tolist())
        else:
            other = next(one for one in array.flat if not isinstance(one, str))
            raise ValueError(f"{name} holds {type(other).__name__} objects such as {shown(other)}; numbers, truth values or texts")
    if array.dtype.kind not in "biufUS":
        raise ValueError(f"{name} holds {array.dtype} values; numbers, truth values or texts")
    if array.ndim == 0 or 0 in array.shape:
        raise ValueError(f"{name} has the shape {array.shape}: {'a target for each example' if array.ndim == 0 else 'it is empty'}")
    if array.dtype.kind == "f":
        _check_finite(name, array.reshape(len(array), -1))
    return array


def _array(name: str, value: Any) -> np.ndarray:
    if hasattr(value, "toarray"):
        raise ValueError(f"{name} is a sparse matrix; {name}.toarray() makes an array of it")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: its rows have different lengths") from error


def _check_finite(name: str, array: np.ndarray) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    rows, columns = np.nonzero(~np.isfinite(array))
    place = f"row {rows[0]}" + (f", column {columns[0]}" if array.shape[1] > 1 else "")
    raise ValueError(f"{name} has {missing(len(rows))} or infinite ones, the first in {place}, counted from 0")


def _check_lengths(of_x: str, x: np.ndarray, of_y: str, y: np.ndarray) -> None:
    if len(x) != len(y):
        raise ValueError(f"{of_x} has {len(x):,} examples, {of_y} has {len(y):,}")
