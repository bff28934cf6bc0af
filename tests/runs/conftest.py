"""Runs that several files copy, and damage the copies."""

import shutil
from pathlib import Path

import pytest

from bench import run
from tests.conftest import experiment
from tests.runs.outcomes import every_outcome
from tests.runs.small import SMALL


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run, to be copied."""
    return run(experiment(**SMALL), tmp_path_factory.mktemp("finished"))


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A complete run of its own."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every outcome, `mine/run`, and its report, `mine/xor-test`."""
    return every_outcome(tmp_path_factory.mktemp("mine"))


@pytest.fixture
def report(original: Path, tmp_path: Path) -> Path:
    """A copy of its report."""
    return Path(shutil.copytree(original / "xor-test", tmp_path / "report"))
