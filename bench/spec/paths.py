"""Dotted paths of settings: how values are put into the tree of a file, and in which order."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from bench.messages import one_line, shown


def flat_paths(tree: Mapping[str, Any], before: str = "") -> list[str]:
    """The dotted paths of all settings in a tree, without the names of pieces, which an axis may refine."""
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
    """Set a dotted path of a tree; a bare name of a piece (`initializer = "zeros"`) may be refined further.

    ValueError if something on the way is neither a table nor such a name.
    """
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
