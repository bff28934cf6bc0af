"""A model as functions of its variables: built from its spec, and passes of examples through it."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from bench.keys import KeyScalar, root
from bench.lane.parts import ALIKE, Modes, Parts, built_values, modes_of
from bench.lane.state import Params, Path, dotted, leaves
from bench.models import model
from bench.models.activations import PLAIN, Forward
from bench.models.bridges import EXAMPLE, maker
from bench.models.protocol import check_modes, check_module, check_variables
from bench.registry import PieceError
from bench.spec import ModelSpec

UNEQUAL = "out_axes is None"
"""JAX's words for a value that differs from example to example where one is wanted for all."""


class Model:
    """A module that is built once, and its passes with any values of its variables."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int, symbols: bool) -> None:
        """Build the module; `PieceError` if it breaks the protocol. `symbols`: whether examples are integers."""
        self.entry = model[spec.name]
        self.calling = self.entry.calling
        """The context in which methods of the module are called."""
        self.inputs, self.symbols = inputs, symbols
        self._reads_symbols = spec.symbols
        self.shape = spec.example_shape(inputs)
        """The shape in which it takes an example."""
        example = jax.ShapeDtypeStruct(self.shape, jnp.dtype("int32" if symbols or spec.symbols else "float32"))
        self._build = maker(self.entry, spec.options, inputs, outputs, example)
        with self.calling():
            self._parts = self._taken_apart()
            self.built = self._parts.built
            """The module with shapes in place of values."""
            trace = getattr(self.built, "trace", None)
            self.takes_forward = trace is not None and "forward" in inspect.signature(trace).parameters
            """Whether the model can drop hidden units, and give the gradient in their pre-activations."""
        self._traces = trace is not None
        self.whole_batch: bool = getattr(self.built, "whole_batch", False)
        """Whether the model takes all examples at once."""
        self.modes = self._modes()
        """How the model trains otherwise than it is measured."""
        self.shapes: Params = self._parts.shapes(self.modes.moving)
        """Shapes of its parameters, and of what it moves itself in training."""

    def _taken_apart(self) -> Parts:
        """Take the module apart, after a look at its shapes: a user's own has values, also outside of its parameters; ours has shapes."""
        module = nnx.eval_shape(self._build)
        check_module(self.entry, module)
        check_variables(self.entry, nnx.state(module))
        if self.entry.own:
            with jax.ensure_compile_time_eval():
                module = self._build()
        return Parts(module, getattr(module, "whole_batch", False))

    def _modes(self) -> Modes:
        if not self._parts.may_differ:
            return ALIKE
        candidates = self._parts.others

        def passed(values: Params, key: Any, x: Array, training: bool) -> Any:
            return self.passed(lambda key: values, x, key, candidates, training)

        shapes = self._parts.shapes(candidates)
        found = self.told_of_batches(lambda: modes_of(passed, shapes, jax.eval_shape(root), self.examples(2)))
        check_modes(self.entry, found.draws_measured, {dotted(path): leaf for path, leaf in leaves(shapes) if path in found.moving})
        return found

    def examples(self, *n: int, dtype: str = "float32") -> jax.ShapeDtypeStruct:
        """Return the shape of one example, or of `n` examples, given the dtype of the parameters."""
        return jax.ShapeDtypeStruct((*n, self.inputs), jnp.dtype("int32" if self.symbols else dtype))

    def as_built(self) -> dict[Path, Any]:
        """Return the values that the model builds for its parameters and its other variables."""
        with jax.ensure_compile_time_eval():
            return {path: np.asarray(value) for path, value in self.built_with(root()).items()}

    def built_with(self, key: KeyScalar) -> dict[Path, Any]:
        """Return the values that the model builds with a key, which may be traced, for its parameters and its other variables."""
        with self.calling():
            return built_values(self._build(key))

    def module(self, params: Params) -> Any:
        """Return the flax module with these values, as it is measured."""
        return self._parts.module(params)

    def seen(self, x: Any) -> Any:
        """Return examples (..., input) as the module takes them."""
        shaped = x if len(self.shape) == 1 else x.reshape(*x.shape[:-1], *self.shape)
        return shaped.astype("int32") if self._reads_symbols else shaped

    def one(self, module: Any, x: Any, forward: Forward) -> Any:
        """Return what a module gives for one example, or for all at once: outputs, and hidden layers, none of them without `trace`."""
        x = self.seen(x)
        if not self._traces:
            return module(x), []
        return module.trace(x, forward) if self.takes_forward else module.trace(x)

    def passed(
        self, connected: Callable[[Any], Params], x: Any, key: KeyScalar | None, wanted: list[Path], training: bool, apart: bool = False
    ) -> tuple[Any, dict[str, Array]]:
        """Return the outputs of these examples, and the values that the `wanted` variables have afterwards, by their names.

        `connected` gives the parameters for the key of an example. `apart`: whether a model that takes the whole batch takes its examples
        one by one all the same.
        """

        def one(example: Any, key: Any) -> Any:
            module = self._parts.module(connected(key), key, training)
            outputs, _ = self.one(module, example, Forward(key if training else None))
            return outputs, self._parts.values(module, wanted)

        with self.calling():
            if not self.whole_batch:
                return jax.vmap(one, out_axes=(0, None), axis_name=EXAMPLE)(x, key_of_each(key, len(x)))
            if not apart:
                return one(x, key)
            return jax.vmap(lambda example, key: one(example[None], key)[0][0])(x, key_of_each(key, len(x))), {}

    def told_of_batches(self, trace: Callable[[], Any]) -> Any:
        """Trace the model; where it fails for one example and takes several at once, `PieceError` says so."""
        try:
            with self.calling():
                return trace()
        except PieceError as error:
            if UNEQUAL in str(error.__cause__):
                fix = f"take jax.lax.pmean(value, '{EXAMPLE}'), or say whole_batch = True in the class"
                raise self.entry.fault("a variable that it changes has another value for each example", error.__cause__, fix) from error
            if not self.entry.own or self.whole_batch or self._gives_rows() or not self._gives_rows(3):
                raise
            what = f"x is one example, of shape {self.shape}, and it takes a batch of them"
            raise self.entry.fault(what, error.__cause__, "write it for one, or say whole_batch = True in the class") from error

    def _gives_rows(self, *n: int) -> bool:
        """Tell whether the model, as it is measured, takes one example, or `n` at once and then gives a row for each."""
        try:
            with self.calling():
                found = jax.eval_shape(
                    lambda params, x: self.one(self.module(params), x, PLAIN)[0], self._parts.shapes([]), self.examples(*n)
                )
        except PieceError:
            return False
        return getattr(found, "shape", ())[: len(n)] == n


def key_of_each(key: KeyScalar | None, n: int) -> Any:
    """Return a key for each of several examples; None without a key."""
    return None if key is None else jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n))
