"""The tutorials work as they are printed, block by block, in an empty folder."""

from pathlib import Path

import pytest

from tests.docs.conftest import ROOT
from tests.docs.execution import page_as_run
from tests.docs.pages import TUTORIALS


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("page", TUTORIALS)
def test_every_step_works_and_prints_what_the_page_says(page: str, checkout: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert page_as_run(text) == text
