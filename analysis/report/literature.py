"""Literature that reports cite: entries of `references.bib` by their keys, as in `[@saxe2014]`."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import bibtexparser
from bibtexparser.middlewares import LatexDecodingMiddleware

from analysis.escape import markdown_text

PLACE = Path(__file__).with_name("references.bib")
CITED = re.compile(r"\\\[@([a-z0-9]+)\\\]")
"""A citation in a text that was escaped for Markdown."""


@cache
def references() -> Mapping[str, dict[str, str]]:
    """Return the fields of each entry by its key; every entry has an author, a title, a year and a url."""
    library = bibtexparser.parse_file(str(PLACE), append_middleware=[LatexDecodingMiddleware()])
    return {entry.key: {name: field.value for name, field in entry.fields_dict.items()} for entry in library.entries}


def short_name(key: str) -> str:
    """Return an entry as it is named in a text, such as "Saxe et al., 2014"; KeyError if there is no such entry."""
    entry = references()[key]
    names = [author.partition(",")[0].strip() for author in entry["author"].split(" and ")]
    authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{authors}, {entry['year']}"


def with_citations(text: str) -> str:
    """Return a text in Markdown whose citations are links; a key that the bibliography lacks stays as it stands."""
    return CITED.sub(_cited, markdown_text(text))


def _cited(found: re.Match[str]) -> str:
    key = found[1]
    return f"([{markdown_text(short_name(key))}]({references()[key]['url']}))" if key in references() else found[0]
