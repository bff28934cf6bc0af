"""The text of an experiment file: read as TOML, with `--set` values put into it, and held to what any value may be."""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bench.messages import one_line, shown
from bench.spec.grid import axis_label, wanted_labels

DEEPEST = 20
"""Most tables and lists inside one another."""
LONGEST_TEXT = 1 << 20
"""Most characters of a file."""
DOTTED = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")
"""A key of so many parts that reading it would take minutes."""
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that stands in a file without quotation marks."""


def read_document(text: str, overrides: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The text with these values put into it, and its content; ValueError with one line if it is not TOML."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{len(text):,} characters; at most {LONGEST_TEXT:,}")
    if DOTTED.search(text):
        raise ValueError("a dotted key of more than 100 parts")
    try:
        document = tomlkit.parse(text) if overrides else None
    except (TOMLKitError, ValueError) as error:
        raise ValueError(f"not TOML: {one_line(error)}") from error
    if document is not None and overrides:
        for path, value in overrides.items():
            check_content({path: value})
            override(document, path, value)
        text = tomlkit.dumps(document)
    try:
        return text, tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"tables and lists stand inside one another more than {DEEPEST} deep") from error
    except ValueError as error:
        raise ValueError(f"not TOML: {one_line(error)}") from error


def write_document(content: Mapping[str, Any]) -> str:
    """This content as TOML, every table with its keys in their order, which counts in a grid and in cases."""
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lists = {key: value for key, value in content.items() if isinstance(value, list | tuple) and value and isinstance(value[0], dict)}
    lines = [f"{_key(key)} = {_inline(value)}" for key, value in content.items() if key not in tables and key not in lists]
    headed = [(f"[{_key(key)}]", table) for key, table in tables.items()]
    headed += [(f"[[{_key(key)}]]", table) for key, entries in lists.items() for table in entries]
    for head, table in headed:
        lines += ["", head, *(f"{_key(key)} = {_inline(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_inline(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    raise ValueError(f"{shown(value)}: TOML has no such value")


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for one letter.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def check_content(content: Any) -> None:
    """Raise ValueError on what no value of an experiment file may be: NaN, a date, an integer of more than 64 bits, text that is not
    Unicode, tables and lists that are nested too deep."""
    for path, value in walk(content):
        place = one_line(".".join(path))
        if len(path) > DEEPEST:
            raise ValueError(f"{place}: tables and lists stand inside one another more than {DEEPEST} deep")
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"{place} = nan: not a number")
        if isinstance(value, date | time | datetime):
            raise ValueError(f"{place} = {value}: a date or time; no setting is one")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"{place} = {shown(value)}: an integer has at most 64 bits")
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{place} = {shown(value)}: not Unicode text")


def walk(content: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a tree with its path; what lies too deep is not entered."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if len(path) > DEEPEST:
            continue
        if isinstance(value, dict):
            waiting += [((*path, str(key)), inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [((*path, str(index)), inner) for index, inner in enumerate(value)]


def override(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    """Put a `--set` value into an experiment file.

    Setting an axis of the grid narrows that axis to the one value; claims, figures and published numbers about its other
    values go with them.
    """
    grid = document.get("grid")
    if not isinstance(grid, dict) or path not in grid:
        assign_in_document(document, path, value)
        return
    grid[path] = _item([value])
    kept = axis_label(value)
    for kind in ("claim", "figure", "published"):
        if isinstance(document.get(kind), list):
            document[kind] = [item for item in document[kind].unwrap() if _still_asked(item, path, kept)]


def _item(value: Any) -> Any:
    # Read from text: tomlkit takes a time that grows with the square of a list's length to make it from a list.
    return tomlkit.value(_inline(value))


def _still_asked(item: Any, path: str, kept: Any) -> bool:
    if not isinstance(item, dict):
        return True
    others = [item[criterion] for criterion in ("greater_than", "equal_to", "needs") if isinstance(item.get(criterion), dict)]
    conditions = [where for one in (item, *others) if isinstance(where := one.get("where"), dict)]
    return all(kept in wanted_labels(where[path], [kept]) for where in conditions if path in where)


def assign_in_document(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    """Set a dotted path of an experiment file; ValueError if something on the way is not a table."""
    *parents, last = path.split(".")
    if not all((*parents, last)):
        raise ValueError(f"--set {one_line(path)}: a dotted path of names, for example training.steps")
    table: Any = document
    for key in parents:
        if isinstance(table.get(key), str):
            table[key] = {"name": str(table[key])}
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ValueError(f"--set {one_line(path)}: '{one_line(key)}' is not a table")
    table[last] = _item(value)
