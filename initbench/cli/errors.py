"""How a command ends when its input is wrong: one line on stderr and exit code 2, never a traceback."""

import io
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import typer

from analysis.escape import plain_text
from initbench.stop import Unwinding


def clean(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that tells wrong input, or too little memory for it, in one line, and finds modules in the current folder."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Characters that the terminal's encoding does not have are replaced.
                stream.reconfigure(errors="replace")
        try:
            here = os.getcwd()
        except FileNotFoundError:
            fail("the current folder has been removed; change to one that is there")
        if here not in sys.path:
            sys.path.append(here)
        try:
            with Unwinding():
                command(*arguments, **options)
        except (ValueError, OSError, MemoryError) as error:
            fail("there is not enough memory" if isinstance(error, MemoryError) and not str(error) else str(error))

    return guarded


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 2."""
    sys.stderr.write(f"{short(plain_text(f'initbench: {message}'))}\n")
    raise typer.Exit(2)


def short(text: str) -> str:
    """Return a text in one line; words alone where the environment keeps the package from being imported."""
    try:
        from bench.messages import one_line
    except ValueError:
        return " ".join(text.split())
    return one_line(text)
