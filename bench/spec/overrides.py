"""Values that `--set` puts into the text of an experiment file."""

from collections.abc import Collection, Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bench.messages import one_line
from bench.spec.claims import COMPARISONS
from bench.spec.document import check_content, inline
from bench.spec.labels import content_of, is_labeled, label_of, wanted_labels


def overridden(text: str, overrides: Mapping[str, Any]) -> str:
    """The text with these values put in at their dotted paths; comments and order stay. ValueError with one line if it is not TOML."""
    try:
        document = tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise ValueError(f"not TOML: {one_line(error)}") from error
    for path, value in overrides.items():
        check_content({path: value})
        _override(document, path, value)
    return tomlkit.dumps(document)


def _override(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    """Put one value into a document.

    Setting an axis of the grid narrows that axis to the one value, which keeps the label that it has there, or is chosen by its label;
    claims, figures and published numbers about the axis's other values go with them.
    """
    grid = document.get("grid")
    if not isinstance(grid, dict) or path not in grid:
        _assign(document, path, value)
        return
    labeled = [one for one in grid[path].unwrap() if _can_be_read(one)] if isinstance(grid[path], list) else []
    value = next((one for one in labeled if value in (one["label"], content_of(one))), value)
    grid[path] = _item([value])
    kept = label_of(value)
    gone: list[Any] = []
    for kind in ("claim", "figure", "published"):
        if isinstance(document.get(kind), list):
            items = document[kind].unwrap()
            document[kind] = [_narrowed(item, path, kept, gone) for item in items if _still_asked(item, path, kept)]
            gone += [item.get("id") for item in items if kind == "claim" and not _still_asked(item, path, kept)]


def _can_be_read(value: Any) -> bool:
    return is_labeled(value) and ("name" in value or "value" in value)


def _item(value: Any) -> Any:
    # Read from text: tomlkit takes a time that grows with the square of a list's length to make it from a list.
    return tomlkit.value(inline(value))


def _narrowed(item: Any, path: str, kept: Any, gone: Collection[Any]) -> Any:
    """Return a claim, figure or published number that asks about the one value alone; a figure no longer shows claims that have gone."""
    if not isinstance(item, dict):
        return item
    for where in _conditions(item):
        if isinstance(where.get(path), list):
            where[path] = [kept]
    shown = {"shows": [name for name in item["shows"] if name not in gone]} if isinstance(item.get("shows"), list) else {}
    return {**item, **shown}


def _conditions(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every `where` of a claim, figure or published number: its own, and those of the rows that it is compared with."""
    others = [item[criterion] for criterion in (*COMPARISONS, "needs") if isinstance(item.get(criterion), dict)]
    return [where for one in (item, *others) if isinstance(where := one.get("where"), dict)]


def _still_asked(item: Any, path: str, kept: Any) -> bool:
    if not isinstance(item, dict):
        return True
    return all(kept in wanted_labels(where[path], [kept]) for where in _conditions(item) if path in where)


def _assign(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    """Set a dotted path of a document; ValueError if something on the way is not a table."""
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
