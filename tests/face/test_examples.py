"""The examples in docstrings of what a user imports print what they say."""

import doctest
from pathlib import Path

import pytest

import initbench
from tests.face.conftest import ran


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", [name for name in initbench.__all__ if name != "run"])
def test_every_name_has_an_example_that_prints_what_it_says(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert ran(getattr(initbench, name), name)


def test_every_method_of_a_run_has_an_example() -> None:
    found = {test.name for test in doctest.DocTestFinder(exclude_empty=False).find(initbench.Run, "Run") if test.examples}
    assert found >= {f"Run.{name}" for name, method in vars(initbench.Run).items() if callable(method) and not name.startswith("_")}


def test_an_example_that_prints_something_else_fails(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)

    def wrong() -> None:
        """Add.

        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Got"):
        ran(wrong, "wrong")
