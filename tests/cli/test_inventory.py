"""What `list` shows is read from a file until a package changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import initbench.cli.inventory
from initbench.cli.inventory import inventory
from initbench.cli.listing import kinds

LIST = "import sys; from initbench.cli.inventory import inventory; found = inventory(); print(len(found), 'jax' in sys.modules)"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "initbench"


def test_what_was_listed_before_is_listed_again_without_the_pieces(cache: Path) -> None:
    wanted = {kind: [one.entry(name) for name in one.names] for kind, one in kinds().items()}
    assert inventory() == inventory() == wanted
    command = [sys.executable, "-c", LIST]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == f"{len(wanted)} False\n"
    assert [path.name for path in cache.iterdir()] == ["list.json"]


def test_a_changed_package_or_a_broken_file_is_listed_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, file = inventory(), cache / "list.json"
    kept = file.read_text()
    for broken in ("", "[]", "{}", json.dumps({"key": "another", "things": {}})):
        file.write_text(broken)
        assert inventory() == wanted and file.read_text() == kept
    other = cache / "package"
    monkeypatch.setattr(initbench.cli.inventory, "PACKAGES", ("a_package",))
    (other / "a_package").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(other))
    assert inventory() == wanted
    before = file.read_text()
    (other / "a_package" / "new.py").write_text("x = 1")
    assert inventory() == wanted and file.read_text() != before


def test_a_cache_folder_that_cannot_be_written_does_no_harm(cache: Path) -> None:
    cache.write_text("a file in its place")
    assert inventory()["tasks"]
