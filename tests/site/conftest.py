"""The site of the project as it stands, built once for all processes of tests, by its command."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.commands import call

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built from the committed reports and documentation."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            done = call("site", str(ROOT), "--out", str(folder))
            assert done.exit_code == 0, done.output
    return folder
