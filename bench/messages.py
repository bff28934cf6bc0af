"""One clear line for a wrong input: what, where, what is allowed."""

import difflib
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

LONGEST_MESSAGE = 1000
LONGEST_PART = 300
"""Characters of a message, and of one value or one list of names in it."""
FEW_NAMES = 8
"""Number of names that stand for a list that is too long."""
FEW_TEXTS = 4
"""Number of differences that a message names."""


def one_line(text: object, longest: int = LONGEST_MESSAGE) -> str:
    """The text in one line of at most `longest` characters.

    White space becomes one space, what cannot be printed is escaped, and of a longer text the middle is left out.
    """
    words = " ".join(str(text).split())
    if len(words) > longest:
        words = f"{words[: longest // 2]}...{words[3 - longest // 2 :]}"
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in words)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def shown(value: object) -> str:
    """A wrong value as a message shows it: as Python writes it, in one line, and cut where it is long."""
    return one_line(repr(value), LONGEST_PART)


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint that follows an unknown name: the closest known one, and those that are allowed, the closest few if there are many."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST_PART], names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    listed = ", ".join(names)
    if len(listed) > LONGEST_PART:
        few = difflib.get_close_matches(word[:LONGEST_PART], names, n=FEW_NAMES, cutoff=0.0)
        listed = f"{one_line(', '.join(few), LONGEST_PART)}, and {len(names) - len(few)} more"
    return f"{hint}allowed: {listed or 'none'}"


def first_few(texts: Sequence[str]) -> str:
    """The first few of several texts in a row, and how many more there are."""
    more = [f"and {len(texts) - FEW_TEXTS} more"] if len(texts) > FEW_TEXTS else []
    return "; ".join([*texts[:FEW_TEXTS], *more])


def explain(error: ValidationError, root: type[BaseModel], also: Iterable[str] = ()) -> str:
    """The first fault of a validation, in one line; `also` are keys that are allowed beside the root's own."""
    faults = error.errors(include_url=False)
    fault = faults[0]
    place, owner = _place(fault["loc"], root)
    if fault["type"] == "extra_forbidden":
        known = {*owner.model_fields, *also}
        name = str(fault["loc"][-1])
        instead = getattr(owner, "INSTEAD", {}).get(name) or nearest(name, known)
        return f"unknown key '{one_line(place, LONGEST_PART)}'; {instead}"
    same_place = [other for other in faults if _place(other["loc"], root)[0] == place]
    # The fault of a user's own piece, or of a table, is never that it is no name of the package's.
    if _stands_for_itself(fault["input"]) and (told := [other for other in same_place if other["type"] == "value_error"]):
        fault, same_place = told[0], told
    messages = [other["msg"].removeprefix("Value error, ") for other in same_place]
    message = one_line(" or ".join([messages[0], *(later.removeprefix("Input should be ") for later in messages[1:])]))
    place = one_line(place, LONGEST_PART)
    if fault["type"] in ("value_error", "missing"):
        return f"{place}: {message}" if place else message
    if fault["type"] == "model_type":
        message = "a table of keys and values"
    return one_line(f"{place} = {shown(fault['input'])}: {message}" if place else f"{shown(fault['input'])}: {message}")


def _place(location: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, type[BaseModel]]:
    """Dotted path of a fault, without pydantic's own tags, and the model whose key is at fault."""
    place = ""
    owner, annotation = root, None
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
            continue
        inner = _nested_model(annotation)
        owner = inner or owner
        tag = annotation is not None and inner is None and not _is_mapping(annotation)
        if not tag:
            place += f".{part}" if place else part
        annotation = owner.model_fields[part].annotation if part in owner.model_fields else None
    return place, owner


def _stands_for_itself(given: Any) -> bool:
    return isinstance(given, dict) or isinstance(given, str) and ":" in given


def _is_mapping(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict or annotation is dict


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in typing.get_args(annotation) if (found := _nested_model(inner))), None)
