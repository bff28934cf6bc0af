"""The functions that optax offers by name, found in its modules."""

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

REFUSALS = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError)
"""The errors by which optax refuses options."""
Parameters = dict[str, inspect.Parameter]


def functions(module: ModuleType, returning: Any = None) -> Iterator[tuple[str, Callable[..., Any], Parameters]]:
    """Yield name, function and parameters of a module's public functions; if a type is given, of those that are annotated to return it."""
    for name, function in vars(module).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            signature = inspect.signature(function)
            if returning is None or signature.return_annotation == returning:
                yield name, function, dict(signature.parameters)


def required(parameters: Parameters) -> set[str]:
    """Return the names of the parameters that have no default."""
    return {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
