"""Figures of an experiment file."""

from typing import Any

from bench.spec.part import Name, Part


class Figure(Part):
    """A figure of the report, and which columns of the rows it draws."""

    name: Name
    """The name of its files, without the ending."""
    kind: str
    caption: str
    where: dict[str, Any] = {}
    x: str | None = None
    y: str | None = None
    color: str | None = None
    panel: str | None = None
    log: bool | None = None
    lines: dict[str, float] = {}
    """Labeled reference values."""
