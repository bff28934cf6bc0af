"""The site of the project as it stands, built once for each process of tests, by its command."""

from pathlib import Path

import pytest

from tests.commands import call

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built from the committed reports and documentation."""
    folder = tmp_path_factory.mktemp("site") / "site"
    done = call("site", str(ROOT), "--out", str(folder))
    assert done.exit_code == 0, done.output
    return folder
