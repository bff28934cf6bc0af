"""Verdicts and tables as text."""

import re

import numpy as np
import pandas as pd
from tabulate import DataRow, TableFormat

from analysis.escape import latex_text, markdown_text
from analysis.judging.family import standing
from analysis.judging.verdict import Verdict
from analysis.words import column_words, value_words

MARKS = {
    "supported": "✓ supported",
    "refuted": "✗ refuted",
    "conditional": "◐ conditional",
    "undecided": "? undecided",
    "withheld": "– withheld",
}
OUTCOME = re.compile(r"^\w+")
COLUMN = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
UNKNOWN_TO_LATEX = {"²": r"\textsuperscript{2}", "∞": r"$\infty$", "≤": r"$\leq$", "≥": r"$\geq$"}
ROW = DataRow("| ", " | ", " |")
GITHUB = TableFormat(None, lambda widths, _: f"| {' | '.join(['---'] * len(widths))} |", None, None, ROW, ROW, 0, None)
"""Tables in the Markdown of GitHub, whose source is not aligned: a cell may be a paragraph."""
LONG = 20
"""Number of characters above which a text is broken into lines in LaTeX."""
LETTER, SPACE = 0.0115, 0.018
"""Widths of a letter and of the space between two columns in footnotesize, as shares of a line of 345 points."""
PAGE = 30
"""Number of lines of a table that fit on one page."""


def measure(verdict: Verdict) -> str:
    """The measure of a verdict, with the names of columns in plain words."""
    return COLUMN.sub(lambda found: column_words(found[0]), verdict.measure)


def number(verdict: Verdict) -> str:
    """The estimate as text: a share with four decimals, any other quantity with three significant digits."""
    return _digits(verdict, verdict.estimate)


def interval(verdict: Verdict) -> str:
    """The interval with its confidence as text."""
    return f"[{_digits(verdict, verdict.low)}, {_digits(verdict, verdict.high)}] at {100 * verdict.level:.4g}%"


def _digits(verdict: Verdict, value: float) -> str:
    share = verdict.measure.startswith(("share ", "difference of share", "P("))
    if share:
        return f"{value:.4f}"
    return "∞" if value == np.inf else "-∞" if value == -np.inf else f"{value:.3g}"


def outcome(verdict: Verdict) -> str:
    """The verdict, with the reason if there is one, and how it stands if its criterion was changed after rows existed."""
    return verdict.verdict + standing([verdict]) + (f": {verdict.reason}" if verdict.reason else "")


def runs(verdict: Verdict) -> str:
    """The number of training runs behind a verdict, of those that differ, and the data, in words."""
    distinct = f" ({verdict.n_distinct:,} distinct)" if verdict.n_distinct < verdict.n_lanes else ""
    return f"{verdict.n_lanes:,} training runs{distinct}, {verdict.data}"


def condition(verdict: Verdict) -> str:
    """The condition under which a claim was judged, in words."""
    return ", ".join(place(axis, value) for axis, value in verdict.condition.items())


def place(axis: str, value: str) -> str:
    """One value of a condition in words; a number stands with the name of its axis."""
    if axis == "case":
        return value_words(value)
    try:
        return f"{column_words(axis)} {float(value):g}"
    except ValueError:
        words = value_words(value)
        return f"{column_words(axis)} {words}" if value.startswith("[") and value.endswith("]") else words


def in_words(verdict: Verdict) -> str:
    """A verdict with its condition, number and interval."""
    where = f" ({condition(verdict)})" if verdict.condition else ""
    return f"{verdict.verdict}{where}: {measure(verdict)} {number(verdict)} {interval(verdict)}".strip()


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a mark before each verdict."""
    return table.assign(verdict=table["verdict"].map(lambda text: OUTCOME.sub(lambda found: MARKS[found[0]], text, count=1)))


def markdown(table: pd.DataFrame, made: tuple[str, ...] = ()) -> str:
    """A table in the Markdown of GitHub; the cells of the columns `made` are Markdown, those of all others are escaped."""
    text = table.map(str)
    safe = text.assign(**{name: text[name].map(markdown_text) for name in text if name not in made}).rename(columns=markdown_text)
    return str(safe.to_markdown(index=False, tablefmt=GITHUB, stralign=None, disable_numparse=True))


def latex(table: pd.DataFrame) -> str:
    """A table for LaTeX (booktabs; longtable if it is longer than a page), as wide as a line of text; long texts are set as paragraphs."""
    text = table.astype(str)
    longest = pd.Series({name: max([len(name), *column.str.len()]) for name, column in text.items()})
    # A paragraph with four times the text is twice as wide.
    paragraphs = longest[longest > LONG] ** 0.5
    room = max(0.99 - LETTER * longest[longest <= LONG].sum() - SPACE * len(longest), 0.1 * len(paragraphs))
    # A paragraph is at least as wide as its longest word, if there is room.
    words = pd.Series({name: max(map(len, re.split(r"[\s_-]", " ".join([name, *text[name]])))) for name in paragraphs.index}, dtype=float)
    least = words * min(LETTER, room / max(words.sum(), 1))
    widths = least + (room - least.sum()) * paragraphs / paragraphs.sum()
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{widths[name]:.2f}\linewidth}}" if name in widths else "l" for name in longest.index
    )
    safe = text.map(latex_text).rename(columns=latex_text)
    set_text = str(safe.to_latex(index=False, escape=False, column_format=columns, longtable=len(text) > PAGE))
    # LaTeX would read a bracket or a star after the end of a line as an option of the line end.
    set_text = re.sub(r"(?m)^(?=\s*[\[*])", "{}", set_text)
    # Names of columns may be broken after an underscore.
    set_text = set_text.replace(r"\_", r"\_\allowbreak{}")
    for character, command in UNKNOWN_TO_LATEX.items():
        set_text = set_text.replace(character, command)
    return f"% \\usepackage{{array,booktabs,longtable}}\n{{\\footnotesize\\setlength{{\\tabcolsep}}{{3pt}}\n{set_text}}}\n"
