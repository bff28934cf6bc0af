"""Citations in the sentences with which reports open."""

import re
from urllib.parse import urlsplit

import pytest

from analysis.report.literature import references, short_name, with_citations
from bench.spec.catalog import names, read


def test_every_entry_can_be_named_and_found() -> None:
    assert len(references()) > 20
    for key, fields in references().items():
        assert {"author", "title", "year", "url"} <= set(fields)
        assert re.fullmatch(r"[^,]+, (19|20)\d\d", short_name(key)) and key.endswith(fields["year"])
        assert urlsplit(fields["url"]).scheme == "https"
    assert (short_name("saxe2014"), short_name("glorot2010"), short_name("picard2021")) == (
        "Saxe et al., 2014", "Glorot and Bengio, 2010", "Picard, 2021",
    )  # fmt: skip


def test_citations_become_links_and_nothing_else_does() -> None:
    text = with_citations("A <b> [@saxe2014], [@nobody1999] and [x](https://example.org).")
    assert "([Saxe et al., 2014](https://arxiv.org/abs/1312.6120))," in text
    assert "<b>" not in text and text.count("](") == 1 + text.count("\\](")


@pytest.mark.parametrize("name", names())
def test_the_shipped_experiments_cite_what_there_is(name: str) -> None:
    cited = set(re.findall(r"\[@([a-z0-9]+)\]", read(name).known))
    assert cited <= set(references())
