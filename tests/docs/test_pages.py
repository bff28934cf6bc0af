"""The pages lead somewhere, say what the code says, and are written as the others."""

import re
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest

from analysis.judging import comparison, control, criterion, family, question, verdict
from analysis.laws import symmetry
from analysis.report.format import MARKS
from analysis.stats import multiplicity
from bench.keys import weight_keys
from bench.runs.chunks import CHUNK_SECONDS
from bench.runs.contents import OUTCOMES
from bench.spec.claims import COMPARISONS
from tests.docs.blocks import blocks
from tests.docs.conftest import ROOT
from tests.docs.pages import NEW
from tests.test_house import LATE_SUBJECT

MARKDOWN = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
)
WIDTH = 140


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def links(page: str) -> list[tuple[str, str]]:
    """File and anchor of every relative link of a page."""
    found = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))
    return [(unquote(link).partition("#")[0], link.partition("#")[2]) for link in found if not re.match(r"\w+:", link)]


def anchors(path: Path) -> set[str]:
    """The anchors of a page: those of its headings as code hosts make them, and its own."""
    text = path.read_text(encoding="utf-8")
    headings = [re.sub(r"[^\w\- ]", "", one).strip().lower().replace(" ", "-") for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {*headings, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("page", MARKDOWN)
def test_every_link_leads_to_a_file(page: str) -> None:
    for file, anchor in links(page):
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), f"{page}: {file}"
        assert not anchor or anchor in anchors(target), f"{page}: {file}#{anchor}"


def test_links_lead_from_the_readme_to_every_page() -> None:
    seen, waiting = set[str](), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            targets = (((ROOT / page).parent / file).resolve().relative_to(ROOT).as_posix() for file, _ in links(page) if file)
            waiting += [target for target in targets if target in MARKDOWN]
    assert set(MARKDOWN) - seen == set()


@pytest.mark.parametrize("page", NEW)
def test_lines_are_short_and_sentences_begin_with_their_subjects(page: str) -> None:
    lines = [line for line in prose(page).splitlines() if not line.startswith("|")]
    shown = [one for one in blocks(text_of(page)) if one.kind != "console"]
    lines += [line for one in shown for line in one.text.splitlines() if not one.is_doctest or line.startswith((">>>", "..."))]
    assert not [line for line in lines if len(line) > WIDTH]
    assert not LATE_SUBJECT.findall(prose(page))


def test_the_glossary_is_in_order_short_and_has_the_words_of_results() -> None:
    entries = re.findall(r"^- \*\*(.+?)\*\*: (.+?)(?=^- |\Z)", text_of("docs/glossary.md"), re.DOTALL | re.MULTILINE)
    terms = [term for term, _ in entries]
    assert terms == sorted(terms, key=str.lower)
    assert {*OUTCOMES, *get_args(verdict.Outcome)} <= set(terms)
    long = [term for term, says in entries if not 1 <= len(re.findall(r"[.](?:\s|$)", says)) <= 2]
    assert not long


def test_the_page_on_verdicts_has_their_marks_criteria_and_reasons() -> None:
    page = text_of("docs/verdicts.md")
    table = dict(re.findall(r"^\| (\w+) \| (\S) \|", page, re.MULTILINE))
    assert table == {name: mark.partition(" ")[0] for name, mark in MARKS.items()}
    assert {"at_least", "at_most", *COMPARISONS, "law"} <= set(re.findall(r"`(\w+)", page))
    said = " ".join(page.split())
    reasons = (family.MULTIPLE, question.EDGE, question.ONE_DRAW, comparison.TIED, question.SILENT, control.UNEVEN, control.NONE)
    assert not [reason for reason in reasons if f'"{reason}"' not in said]
    assert f"at least `share` ({criterion.SHARE_OF_RUNS:g} by default)" in said


def test_numbers_of_the_code_stand_on_the_pages_as_they_are() -> None:
    said = {page: " ".join(text_of(page).split()) for page in NEW}
    assert f"rounded up by at most {multiplicity.RESOLUTION - 1:.0%}." in said["docs/statistics.md"]
    assert verdict.LEAST == 1e-6 and "a millionth of alpha" in said["docs/statistics.md"]
    assert f"units differ by more than {symmetry.BREAK:g}." in said["docs/determinism.md"]
    assert f"at most about {CHUNK_SECONDS:g} seconds" in said["docs/glossary.md"]


def test_a_parameter_s_draws_do_not_depend_on_other_parameters() -> None:
    alone, beside = weight_keys(3, ["layers.0.kernel"])[0], weight_keys(3, ["layers.1.kernel", "layers.0.kernel"])[1]
    assert alone == beside != weight_keys(3, ["layers.1.kernel"])[0]
