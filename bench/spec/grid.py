"""The grid of an experiment file: how its values stand in the rows, and how they are put into settings."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from bench.messages import one_line, shown


def axis_label(value: Any) -> Any:
    """A grid value as it stands in a column: scalars as they are, lists as text, tables as name and options."""
    if not isinstance(value, dict):
        return json.dumps(value) if isinstance(value, list) else value
    options = ", ".join(f"{key}={option}" for key, option in value.items() if key != "name")
    return f"{value.get('name', '')}({options})" if options else value.get("name", "")


def check_labels(axis: str, labels: list[Any]) -> None:
    """Raise ValueError if two values of an axis cannot be told apart in the rows, like 1 and 1.0, or "[1]" and [1]."""
    numbers = [label for label in labels if isinstance(label, int | float)]
    for found in (list(map(str, labels)), numbers):
        repeated = next((label for label, count in Counter(found).items() if count > 1), None)
        if repeated is not None:
            raise ValueError(f"grid: {one_line(axis)}: two values have the same label, {shown(repeated)}")


def label_key(value: Any) -> tuple[bool, Any]:
    """What two labels have in common if they are the same: 1 is 1.0, but not true."""
    return isinstance(value, bool), value if isinstance(value, int | float | str) else repr(value)


def wanted_labels(wanted: Any, labels: list[Any]) -> list[Any]:
    """What a `where` value asks for: one label, or any of a list of them."""
    if isinstance(wanted, list) and json.dumps(wanted) in labels:
        return [json.dumps(wanted)]
    if isinstance(wanted, list):
        return [json.dumps(value) if isinstance(value, list) else value for value in wanted]
    return [wanted]


def flat_paths(tree: Mapping[str, Any], before: str = "") -> list[str]:
    """The dotted paths of all settings in a tree, but for names of pieces, which an axis may refine."""
    found = []
    for key, value in tree.items():
        if isinstance(value, dict):
            found += flat_paths(value, f"{before}{key}.")
        elif key != "name" and not (isinstance(value, str) and "." not in f"{before}{key}"):
            found.append(f"{before}{key}")
    return found


def check_order(place: str, paths: Iterable[str], before: Iterable[str] = ()) -> None:
    """Raise ValueError if a path would take back what another one, earlier in the same place or among those `before`, has set."""
    earlier = list(before)
    for path in paths:
        for other in earlier:
            if other == path or other.startswith(f"{path}."):
                raise ValueError(f"{place}: '{one_line(path)}' would take back '{one_line(other)}', which is set before it")
        earlier.append(path)


def assign(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path; a bare name of a piece (`initializer = "zeros"`) may be refined further."""
    *parents, last = path.split(".")
    for key in parents:
        child = tree.get(key, {})
        if isinstance(child, str):
            child = {"name": child}
        if not isinstance(child, dict):
            raise ValueError(f"'{one_line(path)}': '{one_line(key)}' is not a table but {shown(child)}")
        tree[key] = dict(child)
        tree = tree[key]
    tree[last] = deepcopy(value)
