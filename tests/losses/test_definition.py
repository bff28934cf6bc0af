"""The traits of losses."""

import re
from pathlib import Path

import pytest

from bench.losses.definition import Traits

BENCH = "\n".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "bench").rglob("*.py"))


@pytest.mark.parametrize("trait", Traits.model_fields)
def test_a_trait_is_read(trait: str) -> None:
    """It is read elsewhere than where it is handed on."""
    assert re.search(rf"(?<!traits)\.{trait}\b", BENCH)
