"""Modules of the user's own: their import, and where in them an error arose, for messages of one line."""

import importlib
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from bench.messages import one_line

OURS = ("bench", "analysis", "initbench")
"""The import packages of initbench itself."""
MOST_LETTERS = 400
"""Length at which the text of a user's exception is cut."""


TRACED: tuple[tuple[type[Exception], str, str], ...] = (
    (
        jax.errors.TracerBoolConversionError,
        "if, while, and, or or not on a value that JAX traces",
        "write jnp.where or jax.lax.cond in its place",
    ),
    (
        jax.errors.TracerIntegerConversionError,
        "a value that JAX traces as an index or a range of Python",
        "write jnp.take or jax.lax.fori_loop in its place",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "a function of NumPy on a value that JAX traces",
        "write jax.numpy in place of numpy",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "float, int or bool of a value that JAX traces",
        "leave it an array, or make it an option",
    ),
)
"""JAX's errors about control flow, the code that causes each, and advice on what to write instead."""
MEND = "mend that line; called by itself in Python it shows the whole traceback"
"""Advice on an exception whose type does not tell what to write instead."""
INSTALL = {"equinox": "pip install equinox", "haiku": "pip install dm-haiku"}
"""How libraries of models are installed."""


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
    meaning = next((meaning for kind, meaning, _ in TRACED if isinstance(error, kind)), None)
    # The text of a syntax error ends with file and line, which its place tells.
    text = meaning or one_line(error.msg if isinstance(error, SyntaxError) else error, MOST_LETTERS)
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


def remedy(error: BaseException) -> str:
    """Return what to do about an exception of a user's own code, as far as its type tells; else nothing."""
    if isinstance(error, ModuleNotFoundError) and error.name in INSTALL:
        return INSTALL[error.name]
    if isinstance(error, ModuleNotFoundError):
        return f"install it, or put {one_line(str(error.name).partition('.')[0], 100)}.py into the current folder"
    if isinstance(error, ImportError) and "partially initialized module" in str(error):
        return "two modules import each other: let one of them import inside of the function that needs it"
    if isinstance(error, SyntaxError):
        return "mend that line"
    return next((fix for kind, _, fix in TRACED if isinstance(error, kind)), "")


def hint(name: str) -> str:
    """Return the advice on a module that has the name of one of initbench's own packages; nothing for other modules."""
    package = name.partition(":")[0].partition(".")[0]
    return f"'{package}' is a package of initbench itself, give your module another name" if package in OURS else ""
