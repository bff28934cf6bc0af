"""The examples of the pages that explain print what they say."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.docs.conftest import ROOT
from tests.docs.execution import page_as_run
from tests.docs.pages import EXAMPLES

STATISTICS = ("distribution", "intervals", "means", "multiplicity", "order", "power", "simplex")
"""Modules of `analysis.stats` with the methods of verdicts, summaries and plans."""


@pytest.mark.parametrize("page", EXAMPLES)
def test_every_example_prints_what_the_page_says(page: str, checkout: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert page_as_run(text) == text


def sources() -> dict[str, str]:
    return {name: (ROOT / "analysis" / "stats" / f"{name}.py").read_text(encoding="utf-8") for name in STATISTICS}


def test_every_method_stands_on_the_page() -> None:
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    public = {found for text in sources().values() for found in re.findall(r"^def ([a-z]\w*)", text, re.MULTILINE)}
    named = set(re.findall(r"\w+", " ".join([one.text for one in blocks(page)] + re.findall(r"`[^`\n]+`", page))))
    # `distinct` counts, and `either_way` is called by the functions that allow values that are not known.
    assert public - named == {"distinct", "either_way"}


def test_every_source_is_one_that_the_code_names() -> None:
    page, code = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8"), " ".join(sources().values())
    cited = re.findall(r"(?:([A-Z][\w-]+)(?: and ([A-Z][\w-]+))?),? \(?(\d{4})\b", page)
    assert len(cited) >= 10
    missing = [
        (name, year) for *names, year in cited for name in filter(None, names) if not re.search(rf"{name}[^;.]*\b{year}", code, re.DOTALL)
    ]
    assert not missing
