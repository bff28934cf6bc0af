"""Verdicts and tables in words: text that is generated from numbers."""

import numpy as np
import pandas as pd

from analysis.claims import Verdict
from analysis.figures.style import label, value_label

MARKS = {
    "supported": "✓ supported",
    "refuted": "✗ refuted",
    "conditional": "◐ conditional",
    "undecided": "? undecided",
    "withheld": "– withheld (a law failed)",
}


def number(verdict: Verdict) -> str:
    """The estimate: shares with three digits, other quantities with three significant ones."""
    if verdict.criterion.startswith("law "):
        return "holds" if verdict.estimate else "fails"
    return _digits(verdict, verdict.estimate)


def interval(verdict: Verdict) -> str:
    """The deciding interval with its confidence; laws have none."""
    if verdict.criterion.startswith("law "):
        return ""
    return f"[{_digits(verdict, verdict.low)}, {_digits(verdict, verdict.high)}] at {100 * verdict.level:.4g}%"


def _digits(verdict: Verdict, value: float) -> str:
    share = verdict.measure.startswith(("share ", "P("))
    if share:
        # A share is rounded towards the inside of [0, 1] only where it is exact.
        return f"{value:.4f}"
    return "∞" if value == np.inf else "-∞" if value == -np.inf else f"{value:.3g}"


def condition(verdict: Verdict) -> str:
    """Under what a claim was judged, in words."""
    return ", ".join(place(axis, value) for axis, value in verdict.condition.items())


def place(axis: str, value: str) -> str:
    """One value of a condition; a number goes by the name of its axis."""
    if axis == "case":
        return value_label(value)
    try:
        return f"{label(axis)} {float(value):g}"
    except ValueError:
        return f"{label(axis)} {value_label(value)}" if value.startswith("[") and value.endswith("]") else value_label(value)


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table."""
    rows = [list(map(str, table.columns)), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)
