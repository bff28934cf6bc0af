"""The examples in docstrings of what a user imports print what they say."""

import doctest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import initbench
from tests.face.conftest import ran


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", [name for name in initbench.__all__ if name != "run"])
def test_examples_print_what_they_say(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    thing: Callable[..., Any] = getattr(initbench, name)
    ran(thing, name)


def test_what_a_session_begins_with_has_examples() -> None:
    def documented(thing: object) -> set[str]:
        return {test.name.rpartition(".")[2] for test in doctest.DocTestFinder().find(thing, "it") if test.examples}

    assert documented(initbench.run) and documented(initbench.load)
    assert {"summary", "verdicts", "figure", "report"} <= documented(initbench.Run)


def test_an_example_that_prints_something_else_fails(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)

    def wrong() -> None:
        """Add.

        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Got"):
        ran(wrong, "wrong")
