"""Values that are computed once for each program."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from bench.lane.program import Program

P = ParamSpec("P")
R = TypeVar("R")


def once_per_program(function: Callable[Concatenate[Program, P], R]) -> Callable[Concatenate[Program, P], R]:
    """Remember the results of a function of a program (and of hashable values), which takes seconds to trace; keeps no program alive."""
    known: WeakKeyDictionary[Program, dict[Any, R]] = WeakKeyDictionary()

    @wraps(function)
    def remembered(program: Program, *rest: P.args, **named: P.kwargs) -> R:
        found = known.setdefault(program, {})
        key = rest, tuple(named.items())
        if key not in found:
            found[key] = function(program, *rest, **named)
        return found[key]

    return remembered
