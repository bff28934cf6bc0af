"""Functions and classes as values of an experiment that is written in Python: each stands for the name that a file would have there."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from bench.initializers import initializer
from bench.losses import loss
from bench.messages import one_line
from bench.models import model
from bench.models.activations import ACTIVATIONS
from bench.optimizers import optimizers
from bench.probes import probe
from bench.schemes import scheme
from bench.tasks import task

ADVICE = (
    "a run folder names its pieces, and others have to find this one by its name: define it at the top level of a file of its own (in a "
    "notebook, by a cell that begins with %%writefile my_pieces.py), import it from there, and pass it"
)


def named(content: Any, place: str = "") -> Any:
    """Return a tree of dicts, lists and tuples with the name of each function or class in its place.

    A piece of the package, or an optimizer of optax, has the name under which it is listed, any other one is `module:name`. ValueError with
    one line if it cannot be imported by such a name: a lambda, a function inside of another one, or of `__main__`.
    """
    if isinstance(content, dict):
        return {key: named(value, f"{place}.{key}" if place else str(key)) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(named(value, f"{place}[{number}]") for number, value in enumerate(content))
    return _name(content, place) if callable(content) else content


def _name(piece: Callable[..., Any], place: str) -> str:
    for name, known in _listed():
        if known is piece:
            return name
    module, name = getattr(piece, "__module__", None) or "", getattr(piece, "__qualname__", "")
    if not name:
        raise ValueError(f"{place}: {one_line(repr(piece), 100)} has no name of its own; {ADVICE}; its options stand beside its name")
    if not name.isidentifier():
        raise ValueError(f"{place}: '{one_line(name, 100)}' stands inside of another function or class, or is a lambda; {ADVICE}")
    home = sys.modules.get(module)
    if module == "__main__" or (home is not None and not hasattr(home, "__file__")):
        raise ValueError(f"{place}: '{one_line(name, 100)}' is of no module that can be imported ({one_line(module, 100)}); {ADVICE}")
    # A module that was imported again has another object of the same name, which is what trains.
    found = getattr(home, name, None) if home is not None else piece
    if found is not piece and (type(found) is not type(piece) or hasattr(piece, "__wrapped__")):
        raise ValueError(f"{place}: the module '{module}' has another '{one_line(name, 100)}'; {ADVICE}")
    return f"{module}:{name}"


def _listed() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield names and functions of everything that a file names without a module."""
    for registry in (task, model, initializer, scheme, loss, probe):
        yield from ((name, registry[name].target) for name in registry)
    yield from optimizers().items()
    yield from ACTIVATIONS.items()
