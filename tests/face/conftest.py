"""One run that the examples of docstrings are about: that of `initbench.run`'s own example."""

import doctest
from pathlib import Path

import pytest

import initbench
from initbench import training


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example of `initbench.run` has been run, and has printed what it says."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ran(training.run, "run")
    return folder


@pytest.fixture
def small(place: Path, monkeypatch: pytest.MonkeyPatch) -> initbench.Run:
    """The run of that example; the current folder is the one in which it was made."""
    monkeypatch.chdir(place)
    return initbench.load("results/runs/small")


def ran(thing: object, name: str) -> int:
    """Run the examples of a thing's docstring, and of what it contains; returns their number."""
    count = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(thing, name, globs={}):
        said: list[str] = []
        failed = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append).failed
        assert not failed, "".join(said)
        count += len(test.examples)
    return count
