"""Texts of a folder (questions, labels, names, versions) made harmless for each language that a report is written in.

Nothing that an experiment file or a `run.json` says reaches a page, a table, a figure or a terminal but through one of these functions.
"""

import re
from typing import Any

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
"""Longer labels of a figure are cut."""


def plain_text(text: object) -> str:
    """One line without control characters, escape sequences or marks that reorder text: for a terminal, and below all other functions."""
    return re.sub(r"[^ -~]", _seen, str(text))


def plain_lines(text: str) -> str:
    """The same for a text of several lines, which keeps its lines and tabs."""
    return re.sub(r"[^ -~\n\t]", _seen, text.replace("\r\n", "\n"))


def _seen(found: re.Match[str]) -> str:
    character = found[0]
    if character.isspace():
        return " "
    return character if character.isprintable() or character in JOINERS else UNSEEN


def markdown_text(text: object) -> str:
    """A text that GitHub, and every other reader of Markdown, shows as it is: no markup, no HTML, no formula, no cell border."""
    words = " ".join(plain_text(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    words = MARKDOWN.sub(r"\\\g<0>", words)
    pieces = INTERVAL.split(words)
    # Every second piece is an interval.
    pieces[::2] = [re.sub(r"[\[\]]", r"\\\g<0>", piece) for piece in pieces[::2]]
    return LINE_START.sub(r"\1\\\2", "".join(pieces))


def fenced(text: str, language: str) -> str:
    """A block of code, in a fence that is longer than any that stands in the text."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{plain_lines(text).strip()}\n{fence}"


def anchor(text: str) -> str:
    """A text as the name of a place in a page."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())


def latex_text(text: object) -> str:
    """A text as LaTeX and BibTeX set it: no command, no group, no comment, no formula."""
    return "".join(LATEX.get(character, character) for character in plain_text(text))


def csv_text(table: pd.DataFrame, float_format: str | None = None) -> str:
    """A table as CSV."""
    safe = table.assign(**{str(name): column.map(csv_cell) for name, column in table.select_dtypes(exclude=["number", "bool"]).items()})
    return str(safe.rename(columns=csv_cell).to_csv(index=False, float_format=float_format, lineterminator="\n"))


def csv_cell(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula, also where it separates cells by semicolons; numbers stay numbers."""
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
