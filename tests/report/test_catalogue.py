"""The page of the catalogue says what the docstrings say."""

import re

from analysis.report.catalogue import FIGURE, PAGE, page
from bench.docstrings import FACTS, facts
from bench.initializers import initializer
from bench.models.activations import ACTIVATIONS
from bench.schemes import scheme
from bench.tasks import task


def test_the_page_is_up_to_date() -> None:
    """`python -m analysis.report.catalogue` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()
    assert 0 < FIGURE.stat().st_size < 1_000_000


def test_the_page_names_every_piece_once_in_a_table_of_whole_rows() -> None:
    rows = [re.split(r" (?<!\\)\| ", line) for line in page().splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == [*initializer, *scheme, *ACTIVATIONS, *task]
    assert {len(row) for row in rows} == {6, 7}


def test_every_piece_says_its_formula_its_source_its_law_and_its_limit() -> None:
    targets = [*(kind[name].target for kind in (initializer, scheme, task) for name in kind), *ACTIVATIONS.values()]
    assert {target.__name__: set(FACTS) - {fact.title() for fact in facts(target)} for target in targets} == {
        target.__name__: set() for target in targets
    }


def test_facts_end_with_the_next_fact_or_an_empty_line() -> None:
    def piece() -> None:
        """A piece.

        Formula: one that goes
        on in a second line.
        Law: another: one.

        Source of nothing: this is no fact.
        """

    assert facts(piece) == {"formula": "one that goes on in a second line.", "law": "another: one."}
