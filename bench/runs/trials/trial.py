"""One trial of a contract."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from bench.messages import explain, one_line
from bench.registry import PieceError
from bench.spec import Settings

PURE = "draw with jax.random and the key alone, not with NumPy, a counter or the time"
"""Advice on chance that does not come from the key."""


class Untried(Exception):
    """A contract cannot be tried."""


class Trial(NamedTuple):
    """A contract in words, the function that tries it, and advice on what to write instead of code that breaks it."""

    says: str
    seen: Callable[[], str | None]
    """Returns what was seen; ValueError if the contract is broken, `Untried` if that cannot be told."""
    fix: str = ""


def refuse_options(kind: str, name: str, options: dict[str, Any]) -> None:
    """Raise ValueError with one line if options are given to a piece of a kind that takes none."""
    if options:
        raise ValueError(f"--option {next(iter(options))}: {kind} '{one_line(name, 100)}' takes no options")


def read(section: str, raw: Any) -> Any:
    """Read a section of the settings; `PieceError` of a user's own piece, or ValueError with one line, if it is wrong."""
    annotation: Any = Settings.model_fields[section].annotation
    try:
        return annotation.model_validate(raw)
    except ValidationError as error:
        cause = error.errors()[0].get("ctx", {}).get("error")
        raise cause if isinstance(cause, PieceError) else ValueError(explain(error, annotation)) from error
