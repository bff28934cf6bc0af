"""A flax.nnx module taken apart: parameters, what moves with training, random streams, and what stays as it was built."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.traverse_util import unflatten_dict
from jax.interpreters import partial_eval
from jaxtyping import Array

from bench.keys import KeyScalar, named
from bench.lane.state import Params, Path, dotted, leaves
from bench.models.bridges import EXAMPLE


class Modes(NamedTuple):
    """How a pass in training differs from one that measures."""

    differ: bool
    """Whether the two passes compute different things."""
    draws: bool
    """Whether the pass in training draws random numbers."""
    draws_measured: bool
    """Whether the pass that measures draws random numbers."""
    moving: list[Path]
    """Variables, no parameters, that the pass in training changes."""


ALIKE = Modes(False, False, False, [])


class Parts:
    """The two graphs of a module, in training and when it is measured, and its variables."""

    def __init__(self, module: Any, whole_batch: bool) -> None:
        """Take a module apart. It is left as it is measured."""
        for _, part in nnx.iter_modules(module):
            if isinstance(part, nnx.BatchNorm) and not whole_batch and part.axis_name is None:
                part.axis_name = EXAMPLE
        module.train()
        training = nnx.split(module)[0]
        module.eval()
        measured, state = nnx.split(module)
        self._graphs = {True: training, False: measured}
        flat = dict(nnx.to_flat_state(state))
        self._streams: list[Path] = [path for path, leaf in flat.items() if isinstance(leaf, nnx.RngKey)]
        self._kept: dict[Path, Any] = {path: _held(leaf) for path, leaf in flat.items() if not isinstance(leaf, nnx.Param)}
        """Values of everything but parameters, as the module was built; shapes if it was built of shapes."""
        self.others: list[Path] = [path for path, leaf in flat.items() if not isinstance(leaf, nnx.Param | nnx.RngState)]
        """Variables that are neither parameters nor a part of random streams."""
        self._state = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)
        self.built = nnx.merge(measured, self._state)
        """The module with shapes in place of values."""

    @property
    def may_differ(self) -> bool:
        """Whether a pass in training may compute something else than one that measures."""
        return bool(self._kept) or self._graphs[True] != self._graphs[False]

    def shapes(self, others: list[Path]) -> Params:
        """Return the shapes of the parameters and of these other variables."""
        flat = nnx.to_flat_state(self._state)
        return unflatten_dict({path: _value(leaf) for path, leaf in flat if isinstance(leaf, nnx.Param) or path in others})

    def module(self, params: Params, key: KeyScalar | None = None, training: bool = False) -> Any:
        """Return the module with these values; the others are as it was built, and random streams begin with the key if there is one."""
        state = jax.tree.map(lambda leaf: leaf, self._state)
        given = {path for path, _ in leaves(params)}
        kept = {path: value for path, value in self._kept.items() if path not in given}
        if kept:
            streams = {} if key is None else {path: _stream(named(key, dotted(path)), kept[path]) for path in self._streams}
            # As arrays of JAX, since a module may change its variables in place.
            arrays = {path: jnp.asarray(value) if isinstance(value, np.ndarray) else value for path, value in kept.items()}
            nnx.replace_by_pure_dict(state, unflatten_dict({**arrays, **streams}))
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graphs[training], state)

    def values(self, module: Any, paths: list[Path]) -> dict[str, Array]:
        """Return the values that a module has at these paths, by their names."""
        flat = dict(nnx.to_flat_state(nnx.state(module))) if paths else {}
        return {dotted(path): _value(flat[path]) for path in paths}


def _value(leaf: Any) -> Any:
    return leaf.get_value() if isinstance(leaf, nnx.Variable) else leaf


def _held(leaf: Any) -> Any:
    """Return a variable's value as an array of the host, which any device takes; keys and shapes have no such form."""
    value = _value(leaf)
    return np.asarray(value) if isinstance(value, jax.Array) and not isinstance(leaf, nnx.RngKey) else value


def _stream(key: KeyScalar, built: Any) -> Any:
    """Return a key for each of those that a stream was built with."""
    return jax.random.split(key, built.shape) if built.shape else key


def modes_of(passed: Any, values: Params, key: Any, x: jax.ShapeDtypeStruct) -> Modes:
    """Compare the passes of a model: `passed(values, key, x, training)` returns the outputs and the new values of its other variables."""
    traced, drawing = {}, {}
    moving: list[Path] = []
    for training in (False, True):

        def one(values: Params, key: Any, x: Any, training: bool = training) -> Any:
            return passed(values, key, x, training)

        closed, (outputs, others) = jax.make_jaxpr(one, return_shape=True)(values, key, x)
        jaxpr, n_outputs = closed.jaxpr, len(jax.tree.leaves(outputs))
        place = len(jax.tree.leaves(values))
        if training:
            after = dict(zip(sorted(others), jaxpr.outvars[n_outputs:], strict=True))
            before = zip(leaves(values), jaxpr.invars[:place], strict=True)
            moving = [path for (path, _), old in before if after.get(dotted(path), old) is not old]
        wanted = [True] * n_outputs + [training] * len(others)
        drawing[training] = partial_eval.dce_jaxpr(jaxpr, wanted)[1][place]
        traced[training] = str(partial_eval.dce_jaxpr(jaxpr, [True] * n_outputs + [False] * len(others))[0])
    return Modes(bool(moving) or traced[True] != traced[False], drawing[True], drawing[False], moving)


def built_values(module: Any) -> dict[Path, Any]:
    """Return the parameters and other variables of a module as it was built, but not its random streams."""
    return {path: _value(leaf) for path, leaf in nnx.to_flat_state(nnx.state(module)) if not isinstance(leaf, nnx.RngState)}
