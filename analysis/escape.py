"""Escaping of texts from a folder (questions, labels, names, versions) for each language that a report is written in.

Every text of an experiment file or a `run.json` goes through one of these functions before it reaches a page, a table, a figure or a
terminal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNSEEN = "\N{REPLACEMENT CHARACTER}"
JOINERS = "\u200c\u200d"
"""Format characters that Persian, Indic scripts and emoji need; they cannot reorder text."""
MARKDOWN = re.compile(r"[\\`*|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that are syntax wherever they stand; `_` within a word is not."""
LINE_START = re.compile(r"^(\d*)([#+=.)-])(?=$|[\s#+=-])")
"""Beginnings of headings, lists and rules."""
INTERVAL = re.compile(r"(\[[-\d., e+∞]*\])(?![(\[:])")
"""Numbers in brackets, which are no link; all other brackets are escaped."""
NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|∞)")
FORMULA = re.compile(r"^\s*[=+@\-＝＋－＠]")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "{}$&%#_"},
}
MOST_IN_FIGURE = 80
"""Number of characters above which a label of a figure is cut."""


def plain_text(text: object) -> str:
    """One line without control characters, escape sequences or marks that reorder text; for a terminal, and used by all other functions."""
    return re.sub(r"[^ -~]", _seen, str(text))


def plain_lines(text: str) -> str:
    """A text of several lines without such characters, which keeps its lines and tabs."""
    return re.sub(r"[^ -~\n\t]", _seen, text.replace("\r\n", "\n"))


def _seen(found: re.Match[str]) -> str:
    character = found[0]
    if character.isspace():
        return " "
    return character if character.isprintable() or character in JOINERS else UNSEEN


def markdown_text(text: object) -> str:
    """A text that every reader of Markdown shows as it is: no markup, no HTML, no formula, no cell border."""
    words = " ".join(plain_text(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    words = MARKDOWN.sub(r"\\\g<0>", words)
    pieces = INTERVAL.split(words)
    # Pieces with odd indices are intervals.
    pieces[::2] = [re.sub(r"[\[\]]", r"\\\g<0>", piece) for piece in pieces[::2]]
    return LINE_START.sub(r"\1\\\2", "".join(pieces))


def fenced(text: str, language: str) -> str:
    """A block of code, in a fence that is longer than any fence in the text."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{plain_lines(text).strip()}\n{fence}"


def anchor(text: str) -> str:
    """The name of a place in a page, made of a text."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())


def latex_text(text: object) -> str:
    """A text that LaTeX and BibTeX set as it is: no command, no group, no comment, no formula."""
    return "".join(LATEX.get(character, character) for character in plain_text(text))


def csv_text(table: pd.DataFrame, float_format: str | None = None) -> str:
    """A table as CSV; every text in it went through `csv_cell`."""
    safe = table.assign(**{str(name): column.map(csv_cell) for name, column in table.select_dtypes(exclude=["number", "bool"]).items()})
    return str(safe.rename(columns=csv_cell).to_csv(index=False, float_format=float_format, lineterminator="\n"))


def csv_cell(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula, also if cells are separated by semicolons; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = plain_text(value)
    if NUMBER.fullmatch(text):
        return text
    text = re.sub(r";(?=\s*[=+@\-＝＋－＠])", ";'", text)
    return f"'{text}" if FORMULA.match(text) else text


def math_text(text: object) -> str:
    """A text that matplotlib draws as it is: no formula, and short enough for a figure."""
    words = plain_text(text)
    words = words if len(words) <= MOST_IN_FIGURE else f"{words[: MOST_IN_FIGURE - 1]}…"
    return words.replace("$", r"\$")
