"""One clear line for a wrong input: what, where, what is allowed."""

import difflib
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint that follows an unknown name: the closest known one, and all that are allowed."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}allowed: {', '.join(names) or 'none'}"


def explain(error: ValidationError, root: type[BaseModel], also: Iterable[str] = ()) -> str:
    """The first fault of a validation, in one line; `also` are keys that are allowed beside the root's own."""
    faults = error.errors(include_url=False)
    fault = faults[0]
    place, owner = _place(fault["loc"], root)
    if fault["type"] == "extra_forbidden":
        known = {*owner.model_fields, *also}
        return f"unknown key '{place}'; {nearest(str(fault['loc'][-1]), known)}"
    same_place = [other for other in faults if _place(other["loc"], root)[0] == place]
    messages = [" ".join(other["msg"].removeprefix("Value error, ").split()) for other in same_place]
    message = " or ".join([messages[0], *(later.removeprefix("Input should be ") for later in messages[1:])])
    if fault["type"] in ("value_error", "missing"):
        return f"{place}: {message}" if place else message
    return f"{place} = {fault['input']!r}: {message}"


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


def _is_mapping(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict or annotation is dict


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in typing.get_args(annotation) if (found := _nested_model(inner))), None)
