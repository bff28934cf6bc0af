"""Evaluation of a jaxpr by a table of rules: the walk that all layouts share.

A layout defines its kind of values (`Evaluation`) and how each primitive acts on them (`Rule`). The walk reads literals and constants,
enters calls, and hands every other equation to its rule.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from jax.extend import core

INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
"""Primitives that call another jaxpr, and the parameter that holds it."""

V = TypeVar("V")


class Unsupported(Exception):
    """A function has a part that a layout has no rule for, or too many operations for it."""


class Operation(NamedTuple):
    """One equation of a jaxpr, apart from its operands."""

    primitive: core.Primitive
    parameters: dict[str, Any]
    shape: tuple[int, ...]
    """Shape of its (first) result."""
    dtype: Any

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.primitive.name


class Rule(NamedTuple):
    """The action of one primitive on values: `apply(evaluation, operation, *values)` returns its one result."""

    example: str
    apply: Callable[..., Any]


class Evaluation(ABC, Generic[V]):
    """Values of one kind, and the rules by which primitives act on them."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules

    @abstractmethod
    def constant(self, array: Any, dtype: Any = None) -> V:
        """Return a constant of the program as a value, of this dtype if one is given."""

    @abstractmethod
    def without_rule(self, operation: Operation, values: list[V]) -> list[V]:
        """Return the results of a primitive that has no rule, or raise Unsupported."""

    def results(self, operation: Operation, values: list[V]) -> list[V]:
        """Return the results of one operation on values."""
        rule = self._rules.get(operation.name)
        return self.without_rule(operation, values) if rule is None else [rule.apply(self, operation, *values)]

    def walk(self, jaxpr: core.Jaxpr, consts: list[Any], arguments: list[V]) -> list[V]:
        """Return the results of a jaxpr on these arguments."""
        known: dict[Any, V] = dict(zip(jaxpr.invars, arguments, strict=True))
        known.update((variable, self.constant(const)) for variable, const in zip(jaxpr.constvars, consts, strict=True))

        def read(atom: Any) -> V:
            if not isinstance(atom, core.Literal):
                return known[atom]
            aval: Any = atom.aval
            return self.constant(atom.val, aval.dtype)

        for equation in jaxpr.eqns:
            if not equation.outvars:
                continue
            values = [read(atom) for atom in equation.invars]
            called = _called(equation)
            results = self.walk(*called, values) if called else self.results(_operation(equation), values)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]


def operations_of(jaxpr: core.Jaxpr) -> Iterator[tuple[Operation, list[tuple[int, ...]]]]:
    """Yield every operation of a jaxpr and of the jaxprs that it calls, with the shapes of its operands."""
    for equation in jaxpr.eqns:
        called = _called(equation)
        if called:
            yield from operations_of(called[0])
        elif equation.outvars:
            avals: list[Any] = [atom.aval for atom in equation.invars]
            yield _operation(equation), [np.shape(aval) for aval in avals]


def _called(equation: core.JaxprEqn) -> tuple[core.Jaxpr, list[Any]] | None:
    """Return the jaxpr that an equation calls, with its constants; None if it calls none."""
    place = INLINED.get(equation.primitive.name)
    if place is None:
        return None
    inner = equation.params[place]
    return getattr(inner, "jaxpr", inner), getattr(inner, "consts", [])


def _operation(equation: core.JaxprEqn) -> Operation:
    out: Any = equation.outvars[0].aval
    return Operation(equation.primitive, equation.params, getattr(out, "shape", ()), getattr(out, "dtype", None))
