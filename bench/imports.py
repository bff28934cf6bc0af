"""Modules of the user's own: their import, and where in them an error arose, for messages of one line."""

import importlib
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.messages import one_line

OURS = ("bench", "analysis", "initbench")
"""The import packages of initbench itself."""
MOST_LETTERS = 400
"""Length at which the text of a user's exception is cut."""


def imported(name: str) -> ModuleType:
    """Import a module, or the module that its package has under this name, such as `flax.nnx.initializers`."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package, _, last = name.rpartition(".")
        found = getattr(importlib.import_module(package), last, None) if package and error.name == name else None
        if not isinstance(found, ModuleType):
            raise
        return found


def described(error: BaseException) -> str:
    """Type and text of an exception, in one line."""
    text = one_line(error, MOST_LETTERS)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place(target: Callable[..., Any], error: BaseException | None) -> str:
    """File and line of a piece's own file where an exception arose; of its definition if it arose elsewhere."""
    found: Any = inspect.unwrap(target)
    try:
        file = inspect.getsourcefile(found if hasattr(found, "__code__") or inspect.isclass(found) else type(found))
        line = inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        return ""
    for frame in traceback.extract_tb(error.__traceback__) if error else []:
        line = frame.lineno or line if frame.filename == file else line
    return f" ({shown(str(file))}, line {line})"


def import_place(error: BaseException) -> str:
    """File and line of a module that cannot be imported; nothing where there is no such module."""
    if isinstance(error, SyntaxError):
        return f" ({shown(str(error.filename))}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    here = (str(Path(__file__).parent), str(Path(importlib.__file__).parent))
    inside = [frame for frame in frames if str(Path(frame.filename).parent) not in here]
    return f" ({shown(inside[-1].filename)}, line {inside[-1].lineno})" if inside else ""


def shown(file: str) -> str:
    """A file as a user would name it from where he works."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file


def hint(name: str) -> str:
    """What to do about a module that has the name of one of initbench's own packages."""
    package = name.partition(":")[0].partition(".")[0]
    return f"; '{package}' is a package of initbench itself, give your module another name" if package in OURS else ""
