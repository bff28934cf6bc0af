"""Ways to spoil what a law reads, so that it must fail."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from analysis.laws.evidence import FACTS

Spoil = Callable[[pd.DataFrame, int, float], pd.DataFrame]


class Wrong(NamedTuple):
    """Good rows with one training run spoiled: `spoil(rows, place, size)` takes its place among the rows, and a size.

    Of kind "exact" any change has to fail, so the size says nothing. Of kind "tolerance" the size is a multiple of what is allowed. Of
    kind "statistic" it has no unit, grows with the change of a statistic of all training runs, and is searched for.
    """

    what: str
    """The comparison that has to fail, as `Evidence.comparisons` calls it."""
    kind: Literal["exact", "tolerance", "statistic"]
    spoil: Spoil
    among: Callable[[pd.DataFrame], Any] = lambda rows: np.ones(len(rows), bool)
    """Which rows the spoiled one has to be among."""


class Misled(NamedTuple):
    """A law of what training starts from reads no row: in its module, a function that gives something else for one training run."""

    what: str
    function: str
    spoil: Callable[[Any], Any]
    """Of what the function returned."""


def changed(column: str, by: Callable[[Any, float], Any]) -> Spoil:
    """Rows with a column of one training run replaced by a function of its value and the size."""

    def spoil(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
        rows = rows.copy()
        where = rows.columns.get_loc(column)
        rows.iloc[place, where] = by(rows.iloc[place, where], size)
        return rows

    return spoil


def exact(column: str, value: Any, what: str = FACTS, among: Callable[[pd.DataFrame], Any] | None = None) -> Wrong:
    """One training run with another value, or a function of the old one."""
    spoil = changed(column, lambda old, size: value(old) if callable(value) else value)
    return Wrong(what, "exact", spoil) if among is None else Wrong(what, "exact", spoil, among)


def shifted(what: str, column: str, allowed: float) -> Wrong:
    """One training run that is too large by a multiple of what is allowed."""
    return Wrong(what, "tolerance", changed(column, lambda old, size: old + size * allowed))


def scaled(what: str, column: str, allowed: float) -> Wrong:
    """One training run that is too large by a multiple of what is allowed, relative to its value."""
    return Wrong(what, "tolerance", changed(column, lambda old, size: old * (1 + size * allowed)))


def stretched(what: str, column: str, which: Callable[[pd.DataFrame], Any] = lambda rows: True) -> Wrong:
    """All (or these) training runs, larger by a factor."""

    def spoil(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
        return rows.assign(**{column: rows[column] * np.where(which(rows), 1 + size, 1)})

    return Wrong(what, "statistic", spoil)
