"""The text of an experiment file: read as TOML and written as TOML, and what any value of it may be."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

from bench.messages import one_line, shown

DEEPEST = 20
"""Most tables and lists inside one another."""
LONGEST_TEXT = 1 << 20
"""Most characters of a file."""
DOTTED = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")
"""A key of so many parts that reading it takes minutes."""
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that stands in a file without quotation marks."""


def check_text(text: str) -> None:
    """Raise ValueError on a text that would take too long to read: more than `LONGEST_TEXT` characters, or a key of 100 parts."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{len(text):,} characters; at most {LONGEST_TEXT:,}")
    if DOTTED.search(text):
        raise ValueError("a dotted key of more than 100 parts")


def read_document(text: str) -> dict[str, Any]:
    """The content of a text; ValueError with one line if it is not TOML."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"tables and lists stand inside one another more than {DEEPEST} deep") from error
    except ValueError as error:
        raise ValueError(f"not TOML: {one_line(error)}") from error


def write_document(content: Mapping[str, Any]) -> str:
    """The text of a content as TOML, every table with its keys in their order, which counts in a grid and in cases."""
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lists = {key: value for key, value in content.items() if isinstance(value, list | tuple) and value and _all_tables(value)}
    lines = [f"{_key(key)} = {inline(value)}" for key, value in content.items() if key not in tables and key not in lists]
    headed = [(f"[{_key(key)}]", table) for key, table in tables.items()]
    headed += [(f"[[{_key(key)}]]", table) for key, entries in lists.items() for table in entries]
    for head, table in headed:
        lines += ["", head, *(f"{_key(key)} = {inline(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _all_tables(values: Iterable[Any]) -> bool:
    return all(isinstance(one, dict) for one in values)


def inline(value: Any) -> str:
    """A value as TOML in one line; ValueError if TOML has no such value."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {inline(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
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
    """Raise ValueError on a value that stands in no experiment file.

    Such values are NaN, a date, an integer of more than 64 bits, text that is not Unicode, and tables and lists that are nested too deep.
    """
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
    """Every value of a tree with its path; tables and lists below `DEEPEST` levels are not entered."""
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
