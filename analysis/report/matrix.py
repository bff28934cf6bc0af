"""The conditions of a claim laid out as a matrix."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.judging.facts import CASE, NUMBER, WIDTHS, asked_values
from analysis.judging.verdict import Verdict
from analysis.report.format import place
from analysis.report.result import Result
from analysis.words import column_words, number_words, value_words

MOST_ACROSS = 30
"""Number of columns that fit beside the labels of the rows."""


@dataclass
class _Panel:
    """The places of a panel that each of its criteria takes."""

    experiment: str
    taken: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def has_room(self, criterion: str, places: set[tuple[str, str]]) -> bool:
        """Whether the conditions of a criterion fit in, or stand here already."""
        return criterion in self.taken or not any(places & others for others in self.taken.values())


def matrix_frame(found: Sequence[tuple[Result, Verdict]], exceptions: Sequence[bool]) -> pd.DataFrame:
    """One line per condition: `panel`, `row` and `column` in words, `across`, `verdict`, and `exception` to the rule.

    Criteria of one experiment share a panel if they have the same axes, and no place of it twice. A panel that would be too wide is turned.
    """
    places = [_place(verdict, values) for (_, verdict), values in zip(found, _settings(found), strict=True)]
    panels: dict[tuple[str, str, str], list[_Panel]] = {}
    chosen: list[_Panel] = []
    for (result, verdict), (kind, _, _) in zip(found, places, strict=True):
        alike = panels.setdefault((result.name, *kind), [])
        mine = {
            where[1:]
            for (other, one), where in zip(found, places, strict=True)
            if other.name == result.name and one.id == verdict.id and where[0] == kind
        }
        panel = next((known for known in alike if known.has_room(verdict.id, mine)), None)
        if panel is None:
            alike.append(panel := _Panel(result.name))
        panel.taken[verdict.id] = mine
        chosen.append(panel)
    names = _names(panels.values())
    table = pd.DataFrame(
        {
            "panel": [names[id(panel)] for panel in chosen],
            "across": [column_words(kind[1]) if kind[1] else "" for kind, _, _ in places],
            "row": [row for _, row, _ in places],
            "column": [column for _, _, column in places],
            "verdict": [verdict.verdict for _, verdict in found],
            "exception": list(exceptions),
        }
    )
    # Numbers stand in their order, whichever claim comes first.
    first = pd.factorize(table["panel"])[0]
    numbers = [_number(kind[1], values) for (kind, _, _), values in zip(places, _settings(found), strict=True)]
    table = table.iloc[np.lexsort([numbers, first])].reset_index(drop=True)
    wide = table.groupby("panel")["column"].transform("nunique") > MOST_ACROSS
    table.loc[wide, ["row", "column"]] = table.loc[wide, ["column", "row"]].to_numpy()
    return table.assign(across=table["across"].where(~wide, ""))


def _names(panels: Iterable[list[_Panel]]) -> dict[int, str]:
    """The title of each panel: its experiment if there are several, and its criteria unless one panel has them all."""
    every = [panel for alike in panels for panel in alike]
    several = len({panel.experiment for panel in every}) > 1
    found = {}
    for alike in panels:
        for panel in alike:
            criteria = " and ".join(name.replace("-", " ") for name in panel.taken) if len(every) > 1 and len(panel.taken) <= 2 else ""
            found[id(panel)] = ": ".join(filter(None, [panel.experiment if several else "", criteria]))
    return found


def _settings(found: Sequence[tuple[Result, Verdict]]) -> list[dict[str, str]]:
    """The values of each condition on the axes in which conditions of its experiment differ; `architecture: start` is two of them."""
    known = [(result.name, asked_values(verdict, result.run.experiment)) for result, verdict in found]
    used = {(result.name, axis) for result, verdict in found for axis in verdict.condition}
    split = []
    for name, values in known:
        values = {axis: value for axis, value in values.items() if (name, axis) in used}
        head, colon, tail = values.get("case", "").partition(": ")
        if colon:
            values = {"case": head, **{axis: value for axis, value in values.items() if axis != "case"}, "start": tail}
        split.append(values)
    return split


def _place(verdict: Verdict, values: dict[str, str]) -> tuple[tuple[str, str], str, str]:
    """The axes down and across, and the row and the column of a condition.

    The last axis of numbers is across, or else the last of all. A condition without axes stands in a row of its criterion.
    """
    numeric = [axis for axis, value in values.items() if NUMBER.fullmatch(value) or WIDTHS.fullmatch(value)]
    across = (numeric or list(values))[-1] if len(values) > 1 else ""
    down = [axis for axis in values if axis != across]
    row = ", ".join(place(axis, values[axis]) for axis in down) or verdict.id.replace("-", " ")
    return (", ".join(down), across), row, _across(across, values[across]) if across else ""


def _number(axis: str, values: dict[str, str]) -> float:
    """The number of a condition on the axis across; 0 if it is none."""
    return float(values[axis]) if axis not in ("", CASE) and NUMBER.fullmatch(values[axis]) else 0.0


def _across(axis: str, value: str) -> str:
    """A value above its column; the name of its axis stands beside it. The label of a case is a name, also if it has digits alone."""
    return number_words(float(value)) if axis != CASE and NUMBER.fullmatch(value) else value_words(value)
