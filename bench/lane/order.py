"""The order in which a traced program uses its arguments."""

import math
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import jax
from jax.extend import core

BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""Names under which an operation keeps the program that it runs once on all of its operands."""


class Source(NamedTuple):
    """The arguments from which a value is computed."""

    data: bool
    """Whether the data are among them."""
    arguments: frozenset[int]
    """Places of the other arguments; empty if the data are among them."""


NOTHING = Source(False, frozenset())


def use(function: Callable[..., Any], arguments: list[Any], data: Any) -> list[int]:
    """Return the places of the arguments that `function(arguments, data)` uses, in the order in which they meet the data.

    Arguments that meet the data in one operation stand in the order of their first use; those that never meet the data stand at the end.
    An operation that only prepares an argument, such as a transposition, does not count.
    """
    closed = jax.make_jaxpr(function)(arguments, data)
    walk = _Walk()
    given = [Source(False, frozenset({place})) for place in range(len(arguments))]
    beside = len(closed.jaxpr.invars) - len(given)
    walk.through(closed.jaxpr, [*given, *[Source(True, frozenset())] * beside])
    return sorted(walk.used, key=lambda place: (walk.met.get(place, math.inf), walk.used[place]))


class _Walk:
    """Two orders of the arguments: that of their first use, and that of their first meeting with the data."""

    def __init__(self) -> None:
        self.used: dict[int, int] = {}
        self.met: dict[int, int] = {}
        self._meetings = count()

    def through(self, jaxpr: core.Jaxpr, sources: list[Source]) -> list[Source]:
        """Return the sources of a program's results, given those of its arguments."""
        known: dict[Any, Source] = dict(zip(jaxpr.invars, sources, strict=True))

        def read(atom: Any) -> Source:
            return NOTHING if isinstance(atom, core.Literal) else known.get(atom, NOTHING)

        for equation in jaxpr.eqns:
            operands = list(map(read, equation.invars))
            inside = [self.through(body, operands[first:]) for body, first in _bodies(equation)]
            results = [_joined(list(same)) for same in zip(*inside, strict=True)] if inside else [self._result(operands)]
            for number, variable in enumerate(equation.outvars):
                known[variable] = results[min(number, len(results) - 1)]
        return list(map(read, jaxpr.outvars))

    def _result(self, operands: list[Source]) -> Source:
        joined = _joined(operands)
        meeting = next(self._meetings)
        for operand in operands:
            for place in sorted(operand.arguments):
                self.used.setdefault(place, len(self.used))
                if joined.data:
                    self.met.setdefault(place, meeting)
        return joined


def _joined(sources: list[Source]) -> Source:
    """Return the source of a value that is computed from values with these sources."""
    if any(source.data for source in sources):
        return Source(True, frozenset())
    return Source(False, frozenset().union(*(source.arguments for source in sources)))


def _bodies(equation: core.JaxprEqn) -> Iterator[tuple[core.Jaxpr, int]]:
    """Yield the programs that an operation runs, each with the place of the first operand that it takes."""
    parameters = equation.params
    if "branches" in parameters:
        yield from ((branch.jaxpr, 1) for branch in parameters["branches"])
    elif "body_jaxpr" in parameters:
        yield parameters["body_jaxpr"].jaxpr, parameters["cond_nconsts"]
    else:
        found = next((parameters[name] for name in BODIES if name in parameters), None)
        body = getattr(found, "jaxpr", found)
        if body is not None and hasattr(body, "eqns") and len(body.invars) == len(equation.invars):
            yield body, 0
