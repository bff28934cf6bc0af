"""Labels of a grid's values: how a value stands in the rows, and how a file asks for it."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bench.messages import one_line, shown
from bench.registry import is_opaque
from bench.spec.pieces import REGISTRIES

LONGEST_LABEL = 200
"""Most characters of a label."""


def is_labeled(value: Any) -> bool:
    """Whether a value of the grid carries a label: `{ label = "zero", name = "zeros" }` or `{ label = "first", value = [0] }`."""
    return isinstance(value, dict) and "label" in value


def content_of(value: Any) -> Any:
    """Return the value of a setting that a value of the grid stands for: the value without its label."""
    if not is_labeled(value):
        return value
    rest = {key: inner for key, inner in value.items() if key != "label"}
    return rest if "name" in rest else rest["value"]


def label_of(value: Any) -> Any:
    """A value of the grid as it stands in a column: its label, or what `axis_label` makes of it."""
    return value["label"] if is_labeled(value) else axis_label(value)


def axis_label(value: Any) -> Any:
    """A value without a label as it stands in a column: scalars as they are, lists as text, tables as name (or schedule) and options."""
    if not isinstance(value, dict):
        return json.dumps(value) if isinstance(value, list) else value
    named = "schedule" if "name" not in value and "schedule" in value else "name"
    options = ", ".join(f"{key}={option}" for key, option in value.items() if key != named)
    return f"{value.get(named, '')}({options})" if options else value.get(named, "")


def check_case_label(label: Any) -> None:
    """Raise ValueError if the label of a case is not one printable line of 1 to `LONGEST_LABEL` characters."""
    if not _is_line(label):
        raise ValueError(f"case: each one needs a label, a line of at most {LONGEST_LABEL} characters")


def check_labeled(axis: str, value: Any) -> None:
    """Raise ValueError if a value of an axis carries a label that is wrong, or if what it labels is not clear."""
    if not is_labeled(value):
        return
    place, label = f"grid: {one_line(axis)}", value["label"]
    if not _is_line(label) or label.isspace():
        raise ValueError(f"{place}: label = {shown(label)}: a line that is not blank, of 1 to {LONGEST_LABEL} characters")
    if _is_number(label):
        raise ValueError(f"{place}: label = {shown(label)}: a label is no number, which would be taken for the value itself")
    name = value.get("name")
    if name is None and value.keys() != {"label", "value"}:
        raise ValueError(f"{place}: label = {shown(label)}: a label stands beside the name of a piece, or beside 'value' alone")
    section = axis.partition(".")[0]
    registry = REGISTRIES.get(section) if axis == section or axis.startswith("initializer.layers.") else None
    if registry is None or not isinstance(name, str) or is_opaque(name) or not (name in registry or ":" in name):
        return
    if "label" in registry[name].options.model_fields:
        raise ValueError(f"{place}: '{one_line(name, 100)}' has an option 'label' of its own; the axis '{axis}.label' sets it")


def _is_line(label: Any) -> bool:
    return isinstance(label, str) and 0 < len(label) <= LONGEST_LABEL and label.isprintable()


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def check_labels(axis: str, labels: list[Any]) -> None:
    """Raise ValueError if two values of an axis cannot be told apart in the rows, like 1 and 1.0, or "[1]" and [1]."""
    numbers = [label for label in labels if isinstance(label, int | float)]
    for found in (list(map(str, labels)), numbers):
        repeated = next((label for label, count in Counter(found).items() if count > 1), None)
        if repeated is not None:
            raise ValueError(f"grid: {one_line(axis)}: two values have the same label, {shown(repeated)}")


def label_key(value: Any) -> tuple[bool, Any]:
    """A key that two labels share if they are the same: 1 is 1.0, but not true."""
    return isinstance(value, bool), value if isinstance(value, int | float | str) else repr(value)


def wanted_labels(wanted: Any, labels: Iterable[Any]) -> list[Any]:
    """The labels that a `where` value asks for: one label, or any of a list of them."""
    if isinstance(wanted, list) and json.dumps(wanted) in labels:
        return [json.dumps(wanted)]
    if isinstance(wanted, list):
        return [json.dumps(value) if isinstance(value, list) else value for value in wanted]
    return [wanted]
