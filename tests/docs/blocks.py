"""The fenced blocks of a Markdown page."""

import re
from typing import NamedTuple

FENCE = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n+)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w-]+(?:/[\w-]+)*\.(?:py|toml))\n")
"""The first line of a block that is a file: a comment with its name."""


class Block(NamedTuple):
    """One fenced block."""

    kind: str
    """The language behind its fence."""
    text: str
    place: slice
    """The place of its text in the page."""
    not_run: str = ""
    """The reason for which it is shown and not run, from the comment above it; empty if it is run."""

    @property
    def file(self) -> str:
        """The name of the file that the block is; empty if it is none."""
        found = FILE.match(self.text)
        return found[1] if found else ""

    @property
    def is_doctest(self) -> bool:
        """Whether it is Python with prompts."""
        return self.kind == "python" and self.text.startswith(">>> ")


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [Block(found[2], found[3], slice(*found.span(3)), found[1] or "") for found in FENCE.finditer(page)]


def block(language: str, contains: str, page: str) -> str:
    """Return the text of the one block of this language that contains a text."""
    [found] = [one.text for one in blocks(page) if one.kind == language and contains in one.text]
    return found
