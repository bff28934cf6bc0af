"""Figures of an experiment file."""

from typing import Annotated, Any

from pydantic import AfterValidator

from bench.piece_names import Named, name_of, plain
from bench.spec.part import Name, Names, Part


class Figure(Part):
    """A figure of the report, and which columns of the rows it draws."""

    name: Name
    """The name of its files, without the ending."""
    kind: Annotated[Named, AfterValidator(plain)]
    """A kind of figure by its name, or a table of the name and the options of a user's own."""
    caption: str
    shows: Names = ()
    """Ids of the claims whose verdict is the title, all of which say the same of different runs; or the name of a law."""
    where: dict[str, Any] = {}
    x: str | None = None
    y: str | None = None
    color: str | None = None
    panel: str | None = None
    log: bool | None = None
    lines: dict[str, float] = {}
    """Labeled reference values."""

    @property
    def kind_name(self) -> str:
        """The name of its kind."""
        return name_of(self.kind)
