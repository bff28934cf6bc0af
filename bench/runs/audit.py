"""The numbers of an audit: the starts of a model, its signals and gradients layer by layer, and what gradient descent moves.

Everything is computed in float64, or float32 where a model knows no other, on several data sets, with a new start of the model on each.
Nothing here judges.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bench.hardware import precision
from bench.keys import named, root
from bench.lane.audited_model import Subject
from bench.lane.data import data_shapes, is_of_symbols, problem, sampled
from bench.lane.layer_signals import Tap, inside, per_example
from bench.lane.state import dotted, leaves
from bench.models.axes import drawn_shape
from bench.registry import PieceError
from bench.runs.starts import Starts
from bench.spec import Cell, ModelSpec, TaskSpec
from bench.startup import HASTY

SETS, EXAMPLES = 4, 32
"""Number of data sets, each with a start of its own, and of their examples."""
STEPS_BEYOND = 6
"""Steps of gradient descent beyond the number of parameters that start at zero: each step can free one more layer."""
STEP = 0.05
"""Length of a step of gradient descent, by the length of all parameters."""
ROUNDING = 100
"""Change in units of the largest one's last place below which it is rounding."""
PRINTS = 4
"""Number of random sums over the examples by which equal units are found."""
MOST_NUMBERS, FEWEST_STARTS, MOST_STARTS = 1 << 22, 4, 64
"""Largest size of the starts together, and how many of them there are."""


@dataclass
class Parameter:
    """One parameter of a model: its starts, what passes through it, and whether it moves."""

    name: str
    kind: str
    """Class of the layer that owns it."""
    starts: np.ndarray
    """Values (start, inputs..., unit) where the axes of inputs are known, else as they stand (start, ...)."""
    shape: tuple[int, ...]
    fans_known: bool
    trained: bool
    moved: np.ndarray
    """Whether gradient descent has moved it (data set,)."""
    first_gradient: np.ndarray
    """Largest absolute gradient at the start (data set,)."""
    order: int = -1
    """Place of its first signal in the order of computation; -1 without one."""
    activation: str = ""
    signal: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Mean square of the pre-activations (data set,); empty without a signal."""
    slope: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Mean square of the gradient of each example's loss in the pre-activations (data set,)."""
    slope_length: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Mean square of the length of that gradient, over all units and places (data set,)."""
    units: int = 0
    """Number of its units; 0 where it is not known which numbers of its signal belong to a unit."""
    off: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Number of units whose pre-activation is not above zero on any example (data set,)."""
    tied: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Number of units that equal an earlier one on all examples, at the start and after the steps (data set,)."""


@dataclass
class Numbers:
    """All numbers of an audit."""

    model: str
    batch: bool
    """Whether the model takes a batch of examples."""
    dtype: str
    parameters: list[Parameter]
    """In the order of computation; those without a signal last."""
    input_signal: float
    branches: np.ndarray
    """Mean squares of residual connections (data set, branch, 3): the stream before, what the branch adds, and the sum."""
    closing: list[list[str]]
    """Names of the parameters that end each branch."""
    steps: int


def audit_numbers(
    spec: ModelSpec,
    shape: tuple[int, ...] | None,
    outputs: int = 1,
    symbols: int = 0,
    task: TaskSpec | None = None,
    given: dict[str, np.ndarray] | None = None,
) -> Numbers:
    """Look at a model as it builds itself, on standard normal examples of a shape (or symbols below a number), or on a task's data.

    `given` are starts of its parameters by name (start, ...) in place of its own. Without a task the loss is the squared error from
    normal targets. `PieceError` or ValueError if the model cannot be built or called.
    """
    if task is not None:
        sizes = problem(task)
        shape, outputs = spec.example_shape(sizes.inputs), sizes.outputs
        symbols = int(spec.symbols or is_of_symbols(data_shapes(task, "float32")))
    shape = shape or spec.input_shape
    if shape is None:
        raise ValueError("--input: the shape of one example is needed, such as 784 or 28x28x1, or a --task")
    if task is None and spec.symbols and not symbols:
        raise ValueError("--symbols: how many different symbols there are is needed, or a --task")
    subject = Subject(spec, shape, outputs, symbols > 0)
    size = sum(int(np.prod(subject.start_shape(path))) for path in subject.paths)
    count = int(np.clip(MOST_NUMBERS // max(size, 1), FEWEST_STARTS, MOST_STARTS))
    with precision("float64"), warnings.catch_warnings():
        # A layer that computes in float32 has gradients of both precisions.
        warnings.simplefilter("ignore", FutureWarning)
        own = subject.starts(max(count, SETS)) if given is None else [given[dotted(path)] for path in subject.paths]
        starts = [leaf[np.arange(max(len(leaf), SETS)) % len(leaf)] for leaf in own]
        try:
            return _Audit(subject, starts, symbols, task, "float64").numbers()
        except PieceError:
            # Layers that begin a loop with float32 do not go on in float64.
            return _Audit(subject, starts, symbols, task, "float32").numbers()


def audit_of_cell(cell: Cell, rows: pd.DataFrame) -> Numbers:
    """Look at the model of a cell at the starts of training runs with these seeds (columns `data_seed` and `init_seed`)."""
    params = Starts([cell]).of(cell, rows.head(MOST_STARTS)).params
    given = {dotted(path): np.asarray(leaf) for path, leaf in leaves(params)}
    return audit_numbers(cell.settings.model, None, task=cell.settings.task, given=given)


class _Audit:
    """The passes of one audit."""

    def __init__(self, subject: Subject, starts: list[np.ndarray], symbols: int, task: TaskSpec | None, dtype: str) -> None:
        self._dtype = dtype
        self._subject, self._starts, self._symbols, self._task = subject, starts, symbols, task
        self._loss = None if task is None else problem(task).loss.each
        trained = [path not in subject.frozen for path in subject.paths]
        self._trained = np.array(trained)

    def numbers(self) -> Numbers:
        subject = self._subject
        zeros = sum(not np.any(start) for start in self._starts)
        self._steps = zeros + STEPS_BEYOND
        values = [[jnp.asarray(start[number], self._dtype) for start in self._starts] for number in range(SETS)]
        data = [self._data(number) for number in range(SETS)]
        taps: list[Tap] = []
        closing: list[list[str]] = []

        def traced(values: Any, x: Any) -> Any:
            found = inside(subject.forward, values, x)
            taps[:] = found.taps
            closing[:] = [[dotted(subject.paths[place]) for place in branch.closing] for branch in found.branches]
            return [tap.value for tap in taps]

        shifts = [jnp.zeros(shape.shape, shape.dtype) for shape in jax.eval_shape(traced, values[0], data[0][0])]
        look = jax.jit(self._look, compiler_options=HASTY)
        descend = jax.jit(self._descended, compiler_options=HASTY)
        before, after, moved, first = [], [], [], []
        for start, (x, y) in zip(values, data, strict=True):
            end, gradient = descend(start, x, y)
            before.append(jax.device_get(look(start, x, y, shifts)))
            after.append(jax.device_get(look(end, x, y, shifts)))
            change = np.array([float(jnp.max(jnp.abs(new - old), initial=0.0)) for new, old in zip(end, start, strict=True)])
            moved.append((change > ROUNDING * np.finfo(self._dtype).eps * change.max()) & self._trained)
            first.append(np.asarray(gradient))
        parameters = [self._parameter(place, np.array(moved), np.array(first)) for place in range(len(subject.paths))]
        for place, parameter in enumerate(parameters):
            self._add_signals(parameter, place, taps, before, after)
        parameters.sort(key=lambda one: (one.order < 0, one.order))
        branches = np.array([[[*branch] for branch in each["branches"]] for each in before]).reshape(SETS, -1, 3)
        signal = 1.0 if self._symbols else float(np.mean([np.mean(np.square(x)) for x, _ in data]))
        return Numbers(subject.entry.name, subject.batch, self._dtype, parameters, signal, branches, closing, self._steps)

    def _data(self, number: int) -> tuple[Any, Any]:
        """Return examples and targets of one data set; without a task the targets are a key of which they are drawn."""
        if self._task is not None:
            data = sampled(self._task, number, self._dtype)
            x = data.x[:EXAMPLES].reshape(-1, *self._subject.shape)
            return x.astype("int32") if self._symbols else x, data.y[:EXAMPLES]
        key = named(jax.random.fold_in(root(), number), "audit data")
        return self._subject.examples(key, EXAMPLES, self._symbols, self._dtype), jax.random.key_data(named(key, "targets"))

    def _each(self, outputs: Any, y: Any) -> Any:
        """Return the loss of each example."""
        if self._loss is not None:
            return self._loss(outputs, y)
        targets = jax.random.normal(jax.random.wrap_key_data(y, impl="threefry2x32"), outputs.shape, outputs.dtype)
        return jnp.mean(jnp.square(outputs - targets), axis=1) / 2

    def _look(self, values: Any, x: Any, y: Any, shifts: Any) -> dict[str, Any]:
        def loss(shifts: Any) -> Any:
            found = inside(self._subject.forward, values, x, shifts)
            rows = [tap.rows for tap in found.taps]
            return jnp.sum(self._each(per_example(found.outputs), y)), (rows, [branch[:3] for branch in found.branches])

        slopes, (rows, branches) = jax.grad(loss, has_aux=True)(shifts)
        return {
            "signal": [jnp.mean(jnp.square(row)) for row in rows],
            "slope": [jnp.mean(jnp.square(slope)) for slope in slopes],
            "slope_length": [jnp.sum(jnp.square(slope)) / len(x) for slope in slopes],
            "top": [jnp.max(row, axis=0) for row in rows],
            "prints": [jax.random.normal(jax.random.key(0), (PRINTS, len(row)), row.dtype) @ row for row in rows],
            "branches": branches,
        }

    def _descended(self, values: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the parameters after some steps of gradient descent of a fixed length, and the largest gradient of each at the start."""
        trained = self._trained

        def gradient(values: Any) -> Any:
            slopes = jax.grad(lambda values: jnp.mean(self._each(self._subject.outputs(values, x), y)))(values)
            return [slope if train else jnp.zeros_like(slope) for slope, train in zip(slopes, trained, strict=True)]

        def step(_: Any, values: Any) -> Any:
            slopes = gradient(values)
            length, size = (jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in leaves)) for leaves in (slopes, values))
            rate = jnp.where(length > 0, STEP * jnp.maximum(size, 1.0) / jnp.where(length > 0, length, 1.0), 0.0)
            return [value - rate * slope for value, slope in zip(values, slopes, strict=True)]

        first = jnp.stack([jnp.max(jnp.abs(slope), initial=0.0) for slope in gradient(values)])
        return jax.lax.fori_loop(0, self._steps, step, values), first

    def _parameter(self, place: int, moved: np.ndarray, first: np.ndarray) -> Parameter:
        path, starts = self._subject.paths[place], self._starts[place]
        form = self._subject.form(path) if starts.ndim > 2 else None
        drawn = starts
        if form is not None:
            order = [axis + 1 for axes in form for axis in axes]
            drawn = starts.transpose(0, *order).reshape(len(starts), *drawn_shape(form, starts.shape[1:]))
        return Parameter(
            dotted(path),
            self._subject.kind(path),
            drawn,
            starts.shape[1:],
            form is not None,
            bool(self._trained[place]),
            moved[:, place],
            first[:, place],
        )

    def _add_signals(self, parameter: Parameter, place: int, taps: Any, before: list[Any], after: list[Any]) -> None:
        own = [number for number, tap in enumerate(taps) if place in tap.parameters]
        if not own or len(parameter.shape) < 2:
            return
        parameter.order = own[0]
        parameter.activation = next((taps[number].activation for number in own if taps[number].activation), "")
        parameter.signal, parameter.slope, parameter.slope_length = (
            np.array([combine([each[name][number] for number in own]) for each in before])
            for name, combine in (("signal", np.mean), ("slope", np.mean), ("slope_length", np.sum))
        )
        columns = [taps[number].columns(place) for number in own]
        if not all(columns) or len({len(one) for found in columns for one in found}) > 1:
            # It is not known which numbers belong to a unit, or the layer has other units at another place.
            return
        uses = [(number, one) for number, found in zip(own, columns, strict=True) for one in found]
        parameter.units = len(uses[0][1])
        parameter.off = np.array([(np.max([each["top"][number][one] for number, one in uses], axis=0) <= 0).sum() for each in before])
        parameter.tied = np.array(
            [
                _twins(np.concatenate([each["prints"][number][:, one] for each in pair for number, one in uses]))
                for pair in zip(before, after, strict=True)
            ]
        )


def _twins(prints: np.ndarray) -> int:
    """Return how many units equal an earlier one up to rounding; `prints` are random sums (sum, unit) of their pre-activations."""
    ordered = prints[:, np.argsort(prints[0])]
    scale = np.max(np.abs(prints), axis=1, keepdims=True)
    near = np.abs(np.diff(ordered, axis=1)) <= ROUNDING**2 * np.finfo(prints.dtype).eps * scale
    return int(np.sum(np.all(near, axis=0)))
