"""A model as an audit looks at it: as it builds itself, with examples of any shape, one by one or as a batch."""

import inspect
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.keys import KeyScalar, named, root
from bench.lane.layer_signals import per_example
from bench.lane.state import Path
from bench.models import model
from bench.models.activations import PLAIN
from bench.models.axes import Form, form_of, plain
from bench.models.bridges import EXAMPLE, Bridged, maker
from bench.models.protocol import check_module, check_variables
from bench.registry import PieceError
from bench.spec import ModelSpec

EXAMPLES = 3
"""Number of examples on which it is tried how a model takes them."""


class Subject:
    """A model of which an audit asks: its parameters by path, many starts of them, and a pass."""

    def __init__(self, spec: ModelSpec, shape: tuple[int, ...], outputs: int, symbols: bool) -> None:
        """Build the model for examples of this shape, integers if they are `symbols`; `PieceError` if it cannot take them."""
        self.entry = model[spec.name]
        self.shape, self.symbols = shape, symbols
        inputs = int(np.prod(shape)) if len(shape) != 1 else shape[0]
        self._make = maker(self.entry, spec.options, inputs, outputs, jax.ShapeDtypeStruct(shape, "int32" if symbols else "float32"))
        with self.entry.calling():
            module = self._make()
            check_module(self.entry, module)
            check_variables(self.entry, nnx.state(module))
            self._owner = module
            self._graph, params, self._rest = _split(module, EXAMPLE)
        self._params = params
        self.paths: list[Path] = [path for path, _ in nnx.to_flat_state(params)]
        frozen = getattr(module, "frozen", ())
        self.frozen = [path for path in self.paths if any(_matches(path, pattern) for pattern in frozen)]
        """Parameters that the model itself does not train."""
        self.batch = self._takes_batches(module)
        """Whether the model takes a batch of examples, not one."""

    def start(self, key: KeyScalar) -> list[Any]:
        """Return the parameters as the model builds them with this key."""
        with self.entry.calling():
            return [leaf.get_value() for _, leaf in nnx.to_flat_state(_split(self._make(key), None)[1])]

    def starts(self, count: int) -> list[np.ndarray]:
        """Return for each parameter its values at this many starts (start, ...)."""
        keys = [named(jax.random.fold_in(root(), number), "audit") for number in range(count)]
        try:
            return [np.asarray(leaf) for leaf in jax.jit(jax.vmap(self.start))(jnp.stack(keys))]
        except PieceError:
            # A model may compute its values with NumPy, which knows no traced keys.
            return [np.stack(leaves) for leaves in zip(*([np.asarray(leaf) for leaf in self.start(key)] for key in keys), strict=True)]

    def form(self, path: Path) -> Form | None:
        """Return which axes of a weight are inputs and which are units; None if nobody knows."""
        owner: Any = self._owner
        ndim = self.start_shape(path)
        if isinstance(owner, Bridged):
            return owner.form(path)
        for name in path[:-1]:
            owner = owner[name] if isinstance(name, int) or isinstance(owner, nnx.Dict | dict) else getattr(owner, name)
        return form_of(owner, path[-1], len(ndim)) or (None if self.entry.own else plain(len(ndim)))

    def start_shape(self, path: Path) -> tuple[int, ...]:
        """Return the shape of a parameter."""
        return dict(nnx.to_flat_state(self._params))[path].get_value().shape

    def kind(self, path: Path) -> str:
        """Return the name of the class of the layer that owns a parameter; empty for a model of another library."""
        owner: Any = self._owner
        if isinstance(owner, Bridged):
            return ""
        for name in path[:-1]:
            owner = owner[name] if isinstance(name, int) or isinstance(owner, nnx.Dict | dict) else getattr(owner, name)
        return type(owner).__name__

    def forward(self, values: list[Any], x: Any) -> Any:
        """Return the outputs for these examples (example, ...), normalized by their own statistics as in training, without dropout."""

        def one(example: Any) -> Any:
            flat = [(path, leaf.replace(value)) for (path, leaf), value in zip(nnx.to_flat_state(self._params), values, strict=True)]
            module = nnx.merge(self._graph, nnx.from_flat_state(flat), jax.tree.map(lambda leaf: leaf, self._rest))
            return called(module, example)

        with self.entry.calling():
            return one(x) if self.batch else jax.vmap(one, axis_name=EXAMPLE)(x)

    def outputs(self, values: list[Any], x: Any) -> Any:
        """Return the outputs as an array (example, number)."""
        return per_example(self.forward(values, x))

    def examples(self, key: KeyScalar, count: int, symbols: int, dtype: str) -> Any:
        """Draw standard normal examples, or symbols below a number."""
        if self.symbols:
            return jax.random.randint(key, (count, *self.shape), 0, symbols)
        return jax.random.normal(key, (count, *self.shape), dtype)

    def _takes_batches(self, module: Any) -> bool:
        if getattr(module, "whole_batch", False):
            self._graph = _split(module, None)[0]
            return True
        if not self.entry.own:
            return False
        faults = []
        for batch in (False, True):
            self.batch = batch
            self._graph = _split(module, None if batch else EXAMPLE)[0]
            x = jax.ShapeDtypeStruct((EXAMPLES, *self.shape), "int32" if self.symbols else "float32")
            values = [leaf.get_value() for _, leaf in nnx.to_flat_state(self._params)]
            try:
                found = jax.eval_shape(lambda values, x: self.forward(values, x), values, x)
            except PieceError as error:
                faults.append(error)
                continue
            if all(leaf.shape[:1] == (EXAMPLES,) for leaf in jax.tree.leaves(found)):
                return batch
        what = f"it takes neither one example of shape {self.shape} nor a batch of them"
        raise self.entry.fault(f"{what}: {faults[0].__cause__}" if faults else what, faults[0].__cause__ if faults else None)


def called(module: Any, x: Any) -> Any:
    """Return the outputs that a module gives for an example, or for a batch if it takes one."""
    trace: Callable[..., Any] | None = getattr(module, "trace", None)
    if trace is None:
        return module(x)
    return (trace(x, PLAIN) if "forward" in inspect.signature(trace).parameters else trace(x))[0]


def _split(module: Any, axis: str | None) -> tuple[Any, Any, Any]:
    """Split a module into graph, parameters and the rest; batch statistics are those over this axis, and nothing is dropped."""
    module.eval()
    for _, part in nnx.iter_modules(module):
        if isinstance(part, nnx.BatchNorm):
            part.use_running_average = False
            part.axis_name = axis
    parts: Any = nnx.split(module, nnx.Param, ...)
    return parts


def _matches(path: Path, pattern: str) -> bool:
    name = ".".join(map(str, path))
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
