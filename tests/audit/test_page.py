"""The page of audits says what the audit finds."""

import pytest

from tests.audit.page import MODELS, PAGE, section


@pytest.mark.parametrize("name", MODELS)
def test_the_page_is_up_to_date(name: str) -> None:
    """`python -m tests.audit.page` writes it anew."""
    assert section(name) in PAGE.read_text(encoding="utf-8")
