"""The page of audits says what the audit finds."""

import pytest

from tests.audit.page import INTRODUCTION, MODELS, PAGE, section

FAST = ("MLP", "AutoEncoder", "MiniGPT")
"""Models that are audited again; the others take as long as all of these."""


@pytest.mark.parametrize("name", FAST)
def test_the_page_is_up_to_date(name: str) -> None:
    """`python -m tests.audit.page` writes it anew."""
    assert section(name) in PAGE.read_text(encoding="utf-8")


def test_the_page_has_all_models() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"## {name}\n" in text for name in MODELS) and INTRODUCTION in text
