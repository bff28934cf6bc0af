"""A piece as a file names it: by its name, or by a table of its name and its options."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from bench.messages import explain
from bench.registry import Entry

Named = str | dict[str, Any]
"""A name, or a table of `name` and options."""


def name_of(piece: Named) -> str:
    """Return the name of a piece."""
    return piece if isinstance(piece, str) else piece["name"]


def options_of(piece: Named) -> dict[str, Any]:
    """Return the options that a file gives to a piece, as they stand there."""
    return {} if isinstance(piece, str) else {key: value for key, value in piece.items() if key != "name"}


def plain(piece: Named) -> Named:
    """Return the name alone of a piece that is given no options; ValueError if a table has no name."""
    if not isinstance(piece, str) and not isinstance(piece.get("name"), str):
        raise ValueError("a table needs a name, beside which its options stand")
    return piece if options_of(piece) else name_of(piece)


def all_options(entry: Entry, given: Mapping[str, Any], also: Iterable[str] = ()) -> dict[str, Any]:
    """Return all options of a piece, with the defaults of those that are not given; `also` are keys that may stand beside them.

    ValueError with one line on an option that it does not have, or a value that it does not take; `PieceError` if a user's own lacks one.
    """
    try:
        return entry.options.model_validate(given).model_dump()
    except ValidationError as error:
        missing = [str(fault["loc"][0]) for fault in error.errors() if fault["type"] == "missing"]
        if entry.own and missing:
            fix = f"write {missing[0]} = ... beside its name, or give it a default"
            raise entry.fault(f"its argument '{missing[0]}' has no value", fix=fix) from error
        raise ValueError(explain(error, entry.options, also)) from error
