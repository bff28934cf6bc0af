"""The site of the project as it stands, built once for each process of tests."""

from pathlib import Path

import pytest

from analysis.site.build import build_site
from initbench.reference import python

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built from the committed reports and documentation."""
    return build_site(ROOT, tmp_path_factory.mktemp("site") / "site", {"python": python()}).parent
