"""The parts of a docstring of a piece: a summary in its first line, and facts in lines of their own, `Formula: ...`.

A fact begins a line with its name and a colon and ends before the next fact or an empty line; it is plain text.
"""

import inspect
import re
from typing import Any

FACTS = ("Formula", "Source", "Law", "Limit")
"""Names of the facts: the definition, author and year, what can be checked of it, and a case in which it is something simpler."""
_FACT = re.compile(rf"^({'|'.join(FACTS)}): ")


def summary(target: Any) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(target) or "").partition("\n")[0]


def facts(target: Any) -> dict[str, str]:
    """Return the facts of a docstring by their names in small letters, in the order of `FACTS`, as far as it states them."""
    found: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(target) or "").splitlines():
        begun = _FACT.match(line)
        if begun:
            name = begun[1].lower()
            found[name] = line[begun.end() :].strip()
        elif not line.strip():
            name = ""
        elif name:
            found[name] += f" {line.strip()}"
    return {fact.lower(): found[fact.lower()] for fact in FACTS if fact.lower() in found}
