"""Contracts that a user's own pieces must keep, checked on one example before anything is trained."""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.initializers import drawn
from bench.models.activations import Hidden
from bench.registry import Entry
from bench.tasks.definition import Data, Task

if TYPE_CHECKING:
    from bench.lane.network import Network

MOST_NUMBERS = 1 << 40
"""Most numbers of a model, far below what overflows the sizes of the arrays that are computed from them."""
PRECISIONS = ("float32", "float64")


def check_variables(entry: Entry, state: Any) -> None:
    """A model holds nothing but parameters of a precision that it can be trained in; `PieceError` otherwise."""
    variables = list(nnx.to_flat_state(state))
    if not variables:
        raise entry.fault("it has no parameters")
    size = sum(math.prod(variable.get_value().shape) for _, variable in variables)
    if size > MOST_NUMBERS:
        raise entry.fault(f"its parameters would be {size:.3g} numbers; at most {MOST_NUMBERS:,}")
    for path, variable in variables:
        name = ".".join(map(str, path))
        if not isinstance(variable, nnx.Param):
            raise entry.fault(f"'{name}' is a {type(variable).__name__}; a model may hold nothing but parameters, nnx.Param")
        if str(variable.get_value().dtype) not in PRECISIONS:
            raise entry.fault(f"'{name}' is {variable.get_value().dtype}; parameters are float32, and trained as training.dtype says")


def check_outputs(network: "Network", inputs: int, outputs: int, dtype: str) -> None:
    """For one example a model gives a vector of so many outputs, of the dtype of its parameters; `PieceError` otherwise."""
    example = jax.ShapeDtypeStruct((1, inputs), jnp.dtype(dtype))
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(dtype)), network.shapes)
    traced = jax.eval_shape(network.trace, params, example)
    if not isinstance(traced, tuple) or len(traced) != 2:
        raise network.entry.fault("its trace does not give two things, outputs and hidden layers")
    if not isinstance(traced[1], list | tuple) or not all(isinstance(layer, Hidden) for layer in traced[1]):
        raise network.entry.fault("its trace gives hidden layers that are no list of bench.models.activations.Hidden")
    outputs_shape, outputs_dtype = getattr(traced[0], "shape", (1,))[1:], getattr(traced[0], "dtype", type(traced[0]).__name__)
    if outputs_shape != (outputs,) or outputs_dtype != dtype:
        found = f"a {outputs_dtype} of shape {outputs_shape}"
        raise network.entry.fault(f"for one example its output is {found}, which must be a {dtype} of shape {(outputs,)}")


def check_data(entry: Entry, task: Task, data: Data, dtype: str) -> None:
    """Data (or their shapes) are as the task says, in shape and dtype; `PieceError` otherwise."""
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
        _check_shape(entry, of_x, x, (n, task.inputs), (dtype,))
        if task.loss in ("output", "players"):
            if len(y) != n:
                raise entry.fault(f"{of_y} has the shape {y.shape}, which must have as many rows as {of_x}, {n}")
        elif task.classes:
            _check_shape(entry, of_y, y, (n,), INTEGERS)
        else:
            _check_shape(entry, of_y, y, (n, task.outputs), (dtype,))


INTEGERS = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))


def _check_shape(entry: Entry, name: str, array: Any, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
    if array.shape != shape or str(array.dtype) not in dtypes:
        wanted = dtypes[0] if len(dtypes) == 1 else "integers"
        raise entry.fault(f"{name} is {array.dtype} of shape {array.shape}, which must be {wanted} of shape {shape}")


def check_values(entry: Entry, task: Task, data: Data) -> None:
    """The numbers of a data set are finite, its classes exist, its probabilities lie in 0 to 1; `PieceError` otherwise."""
    arrays = {name: np.asarray(value) for name, value in data._asdict().items() if value is not None}
    for name, array in arrays.items():
        missing = int(np.sum(~np.isfinite(array)))
        if missing:
            raise entry.fault(f"its data hold NaN or infinity: {missing:,} of the {array.size:,} numbers of {name}")
    if task.loss in ("output", "players"):
        return
    for name in ("y", "test_y"):
        y = arrays.get(name, np.zeros(0))
        most = task.outputs - 1 if task.classes else 1
        if (task.classes or task.loss == "cross_entropy") and y.size and (y.min() < 0 or y.max() > most):
            what = f"classes are 0 to {most}" if task.classes else "probabilities are 0 to 1"
            raise entry.fault(f"{name} has values from {y.min():g} to {y.max():g}; {what}")


def check_initializer(entry: Entry, options: dict[str, Any], shapes: set[tuple[int, ...]], dtype: str) -> None:
    """A user's own initializer gives finite weights of each of these shapes; `PieceError` otherwise."""
    for shape in sorted(shapes):
        drawn(entry, options, 0, shape, dtype)


def depends_on_axes(entry: Entry, options: dict[str, Any]) -> bool:
    """Whether an initializer's numbers depend on which axes of a weight are its inputs, as with a fan-in."""
    try:
        flat = [drawn(entry, options, 0, shape).tobytes() for shape in ((2, 3, 4), (2, 12), (6, 4))]
    except ValueError:
        # It wants weights of other shapes.
        return True
    return len(set(flat)) > 1
