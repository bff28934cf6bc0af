"""The inside of any model, read off its traced program: the signal of each weight layer, and the terms that residual branches add.

The traced program is run operation by operation. Where a parameter with two axes or more first meets the data, the result is the signal of
its layer, together with a bias that is added to it. Loops over time steps are unrolled as far as `MOST_STEPS`; what lies in longer ones
and in loops of unknown length runs as it is, and has no signal.
"""

import math
from collections.abc import Callable
from itertools import accumulate, product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from bench.lane.order import BODIES
from bench.lane.units import MOVES, Units, at_step, met, mixed, moved, over_steps, summed, whole

MOST_STEPS = 64
"""Largest number of time steps of a loop that is unrolled."""
CALLS = {
    "relu", "relu6", "gelu", "silu", "swish", "elu", "selu", "celu", "softplus", "sigmoid", "log_sigmoid", "leaky_relu", "tanh", "mish",
    "hard_tanh", "hard_sigmoid", "squareplus", "softsign", "soft_sign", "softmax",
}  # fmt: skip
"""Activation functions by the names that they have in a traced program."""
OPERATIONS = {"tanh": "tanh", "logistic": "sigmoid", "erf": "gelu", "erfc": "gelu", "sin": "sine", "cos": "cosine", "integer_pow": "gelu"}
"""Single operations that are an activation function, or a part of one."""
ELEMENTWISE = {"add", "add_any", "sub", "mul", "div", "neg"}


class Tap(NamedTuple):
    """The signal of one weight layer; a layer that is applied several times has several."""

    parameters: tuple[int, ...]
    """Places of the parameters that meet the data here."""
    value: Any
    """The pre-activations, as they stand in the program."""
    activation: str
    """The activation function that follows; empty if none is recognized."""
    units: Units | None
    """The axes that count units; None if they are not known."""

    @property
    def rows(self) -> Any:
        """The pre-activations (place, unit), a place being an example, a position in it, or both; one unit if the units are not known."""
        axes = sorted(self.units or ())
        last = jnp.moveaxis(self.value, axes, range(-len(axes), 0))
        return last.reshape(-1, math.prod(self.value.shape[axis] for axis in axes))

    def columns(self, parameter: int) -> list[np.ndarray]:
        """Return the columns of the units of a parameter, once for each gate that it is part of; empty if they are not known."""
        if self.units is None:
            return []
        parts: list[list[slice]] = []
        for axis in sorted(self.units):
            gates = self.units[axis] or ()
            ends = accumulate(size for _, size in gates)
            parts.append([slice(end - size, end) for end, (owners, size) in zip(ends, gates, strict=True) if parameter in owners])
        shape = [self.value.shape[axis] for axis in sorted(self.units)]
        numbers = np.arange(math.prod(shape)).reshape(shape)
        return [numbers[part].ravel() for part in product(*parts)]


class Branch(NamedTuple):
    """A residual connection: mean squares of the stream before it, of what the branch adds, and of the sum."""

    before: Any
    added: Any
    after: Any
    closing: tuple[int, ...]
    """Places of the parameters that end the branch: no function stands between them and the sum."""


class Inside(NamedTuple):
    """The findings of one pass: outputs, signals in the order of computation, and residual branches."""

    outputs: Any
    taps: list[Tap]
    branches: list[Branch]


class _Node:
    """A value with what it is computed from: the data or not, which parameters, which other values, and of which taps it is the signal.

    `units` are the axes that count units, of a signal or of a weight; None if they are not known. All axes of a constant do.
    """

    __slots__ = ("value", "data", "params", "seen", "origins", "units")

    def __init__(
        self,
        value: Any,
        data: bool = False,
        params: frozenset[int] = frozenset(),
        seen: int = 0,
        origins: frozenset[int] = frozenset(),
        units: Units | None = None,
    ) -> None:
        self.value, self.data, self.params, self.seen, self.origins = value, data, params, seen, origins
        self.units = whole(jnp.shape(value), params) if units is None and not data and not params else units


class _Run:
    """One run of a traced program."""

    def __init__(self, shifts: list[Any] | None) -> None:
        self._shifts = shifts
        self.taps: list[Tap] = []
        self.branches: list[Branch] = []
        self._made = 0
        self._bits: list[int] = []
        """For each tap the bit of its signal."""

    def through(self, jaxpr: core.Jaxpr, consts: Any, arguments: list[_Node]) -> list[_Node]:
        """Run a program on these values."""
        known: dict[Any, _Node] = dict(zip(jaxpr.constvars, map(_Node, consts), strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> _Node:
            return _Node(atom.val) if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, list(map(read, equation.invars)))
            known.update(zip(equation.outvars, results, strict=True))
        return list(map(read, jaxpr.outvars))

    def _equation(self, equation: Any, operands: list[_Node]) -> list[_Node]:
        body = next((equation.params[name] for name in BODIES if name in equation.params), None)
        inside = any(node.params and not node.data for node in operands) and any(node.data for node in operands)
        name = equation.primitive.name
        if name == "scan" and inside and equation.params["length"] <= MOST_STEPS:
            return self._unrolled(equation, operands)
        opened = getattr(body, "jaxpr", body)
        if name not in ("scan", "while", "cond") and opened is not None and len(getattr(opened, "invars", ())) == len(operands):
            if inside or _called(equation) not in CALLS and not name.startswith("custom"):
                return self.through(opened, getattr(body, "consts", ()), operands)
        return self._operation(equation, operands, inside)

    def _unrolled(self, equation: Any, operands: list[_Node]) -> list[_Node]:
        given = equation.params
        constant, carried = given["num_consts"], given["num_carry"]
        consts, state, rows = operands[:constant], operands[constant : constant + carried], operands[constant + carried :]
        steps = range(given["length"])
        found: dict[int, list[_Node]] = {}
        for step in reversed(steps) if given["reverse"] else steps:
            at = [self._like([row], row.value[step], row.origins, at_step(row.units, row.data)) for row in rows]
            results = self.through(given["jaxpr"].jaxpr, given["jaxpr"].consts, [*consts, *state, *at])
            state, found[step] = results[:carried], results[carried:]
        stacked = [
            self._like(
                list(nodes),
                jnp.stack([node.value for node in nodes]),
                frozenset().union(*(node.origins for node in nodes)),
                over_steps([node.units if node.data else None for node in nodes]),
            )
            for nodes in zip(*(found[step] for step in steps), strict=True)
        ]
        return [*state, *stacked]

    def _like(self, nodes: list[_Node], value: Any, origins: frozenset[int] = frozenset(), units: Units | None = None) -> _Node:
        """Return a new node that is computed from these."""
        self._made += 1
        seen = 1 << self._made
        for node in nodes:
            seen |= node.seen
        params = frozenset().union(*(node.params for node in nodes))
        return _Node(value, any(node.data for node in nodes), params, seen, origins, units)

    def _operation(self, equation: Any, operands: list[_Node], inside: bool) -> list[_Node]:
        found = equation.primitive.get_bind_params(equation.params)
        # JAX before 0.10 gives the functions that an operation calls apart.
        functions, parameters = found if isinstance(found, tuple) else ((), found)
        values = equation.primitive.bind(*functions, *[node.value for node in operands], **parameters)
        values = list(values) if equation.primitive.multiple_results else [values]
        name = equation.primitive.name
        if inside:
            weights = [node for node in operands if node.params and not node.data and getattr(node.value, "ndim", 0) >= 1]
            places = tuple(sorted(frozenset().union(*(node.params for node in weights))))
            if places and name not in ELEMENTWISE and not _is_index(equation):
                return [self._tapped(equation, operands, values[0], places), *(self._like(operands, value) for value in values[1:])]
        self._name_activation(equation, operands)
        origins = self._origins(name, operands, values[0])
        nodes = [
            self._like(operands, value, origins, _units_after(equation, number, operands, origins, jnp.shape(value)))
            for number, value in enumerate(values)
        ]
        if name in MOVES and len(operands) == 1:
            # A stream that is only moved or converted is still the same stream.
            nodes[0].seen = operands[0].seen
        if name in ("add", "add_any"):
            self._note_branch(operands, nodes[0])
        for tap in origins if inside and name in ("add", "add_any") else ():
            # A bias belongs to the signal of its layer, also where it is added to a reshaped or transposed one.
            if self.taps[tap].value.size == values[0].size:
                self.taps[tap] = self.taps[tap]._replace(value=values[0], units=nodes[0].units)
        return nodes

    def _tapped(self, equation: Any, operands: list[_Node], value: Any, parameters: tuple[int, ...]) -> _Node:
        place = len(self.taps)
        if self._shifts is not None:
            value = value + self._shifts[place].reshape(value.shape)
        weights = [number for number, node in enumerate(operands) if node.params and not node.data]
        weight = operands[weights[0]]
        units = met(equation, weights[0], weight.units, jnp.shape(weight.value)) if len(weights) == 1 else None
        self.taps.append(Tap(parameters, value, "", units))
        node = self._like(operands, value, frozenset({place}), units)
        self._bits.append(1 << self._made)
        return node

    def _name_activation(self, equation: Any, operands: list[_Node]) -> None:
        name = equation.primitive.name
        called = _called(equation)
        found = called if called in CALLS else OPERATIONS.get(name, "")
        if name == "integer_pow" and equation.params["y"] != 3:
            found = ""
        if name == "max" and any(jnp.ndim(node.value) == 0 and not node.data and not node.params for node in operands):
            found = "relu"
        for tap in frozenset().union(*(node.origins for node in operands)) if found else ():
            if not self.taps[tap].activation:
                self.taps[tap] = self.taps[tap]._replace(activation=found)

    def _origins(self, name: str, operands: list[_Node], value: Any) -> frozenset[int]:
        """Return the taps whose signal a result still is: moved, shifted, scaled or normalized, but not yet changed by a function."""
        data = [node for node in operands if node.data]
        if name in MOVES:
            return frozenset().union(*(node.origins for node in data))
        if name not in ELEMENTWISE or not data:
            return frozenset()
        if len(data) == 1:
            return data[0].origins
        first, second = data
        for one, other in ((first, second), (second, first)):
            if name in ("add", "add_any"):
                # A residual connection ends a signal.
                if one.seen and one.seen & other.seen == one.seen:
                    return frozenset()
            elif one.origins and all(self._bits[tap] & other.seen for tap in one.origins):
                # A normalization by the signal's own moments does not.
                return one.origins
        if name in ("add", "add_any"):
            return first.origins | second.origins
        return first.origins & second.origins

    def _note_branch(self, operands: list[_Node], result: _Node) -> None:
        data = [node for node in operands if node.data]
        if len(data) != 2 or data[0].value.shape != data[1].value.shape:
            return
        for stream, branch in (data, data[::-1]):
            if stream.seen and stream.seen & branch.seen == stream.seen and branch.params - stream.params:
                before, added, after = (jnp.mean(jnp.square(node.value)) for node in (stream, branch, result))
                closing = sorted({place for tap in branch.origins for place in self.taps[tap].parameters})
                self.branches.append(Branch(before, added, after, tuple(closing)))
                return


def _units_after(equation: Any, number: int, operands: list[_Node], origins: frozenset[int], shape: tuple[int, ...]) -> Units | None:
    """Return the axes that count units in the result `number` of an operation: of a signal, or of a value without data."""
    name = equation.primitive.name
    data, owners = any(node.data for node in operands), frozenset().union(*(node.params for node in operands))
    if data and not origins or not data and not owners:
        return None
    if name in MOVES:
        first = number if name == "optimization_barrier" else 0
        sources = operands if name == "concatenate" else [operands[first]]
        return moved(equation, [node.units for node in sources], [jnp.shape(node.value) for node in sources], shape)
    if data:
        return summed([node.units for node in operands if node.origins & origins])
    if name in ELEMENTWISE:
        return mixed([node.units for node in operands], [jnp.shape(node.value) for node in operands], shape)
    return whole(shape, owners)


def _called(equation: Any) -> str:
    """Return the name of the function that an operation calls; a function with a derivative of its own has the name of what it calls."""
    body = next((equation.params[name] for name in BODIES if name in equation.params), None)
    name = equation.params.get("name")
    if name is None and equation.primitive.name.startswith("custom"):
        called = [inner.params.get("name") for inner in getattr(getattr(body, "jaxpr", body), "eqns", ())]
        name = called[0] if len(called) == 1 else None
    return name or ""


def _is_index(equation: Any) -> bool:
    return equation.primitive.name in ("dynamic_update_slice", "scatter", "select_n", "max", "min", "lt", "gt", "ge", "le", "eq")


def inside(forward: Callable[[list[Any], Any], Any], values: list[Any], x: Any, shifts: list[Any] | None = None) -> Inside:
    """Return what a pass of `forward(values, x)` shows; `shifts`, one array for each tap, are added to the signals."""
    closed, shape = jax.make_jaxpr(forward, return_shape=True)(values, x)
    run = _Run(shifts)
    nodes = [_Node(value, params=(own := frozenset({place})), units=whole(value.shape, own)) for place, value in enumerate(values)]
    outputs = run.through(closed.jaxpr, closed.consts, [*nodes, _Node(x, data=True, seen=1)])
    return Inside(jax.tree.unflatten(jax.tree.structure(shape), [node.value for node in outputs]), run.taps, run.branches)


def per_example(outputs: Any) -> Any:
    """Return the outputs of a model, which may be several arrays, as one array (example, number)."""
    arrays = [leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) for leaf in jax.tree.leaves(outputs)]
    return jnp.concatenate([array for array in arrays if jnp.issubdtype(array.dtype, jnp.inexact)], axis=1)
