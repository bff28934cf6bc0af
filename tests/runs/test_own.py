"""The user's own modules and data files are part of the provenance."""

from pathlib import Path

import pytest

from bench.runs.own import own_digests
from tests.conftest import experiment


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of the user's own, and data that one of them reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "starts.py").write_text("from own_settings import SIZE\nfrom . import helper\nimport numpy, json\n")
    (tmp_path / "own_package" / "helper.py").write_text("def read():\n    import own_lazy\n    return open('table.npz')\n")
    (tmp_path / "own_package" / "unrelated.py").write_text("")
    (tmp_path / "own_settings.py").write_text("SIZE = 0.01\n")
    (tmp_path / "own_lazy.py").write_text("")
    (tmp_path / "own_package" / "table.npz").write_bytes(b"1")
    (tmp_path / "own_things.py").write_text(
        "import jax\nfrom own_package import starts\n"
        "def signs(key, shape, dtype, size: float = 1.0, table: str = ''):\n"
        "    return starts.SIZE * jax.random.rademacher(key, shape, dtype)\n"
    )
    return tmp_path


def test_own_modules_and_their_data_are_part_of_the_identity(own: Path) -> None:
    (own / "data.csv").write_text("1,2\n")
    wanted = experiment(initializer={"name": "own_things:signs", "table": "data.csv"}, track=[], probes=[])
    before = own_digests(wanted)
    names = {"own_things", "own_package", "own_package.starts", "own_package.helper", "own_settings", "own_lazy", "table.npz", "data.csv"}
    assert set(before) == names
    changed = {
        "own_settings": own / "own_settings.py",
        "own_package.helper": own / "own_package" / "helper.py",
        "table.npz": own / "own_package" / "table.npz",
        "data.csv": own / "data.csv",
    }
    for name, path in changed.items():
        path.write_bytes(path.read_bytes() + b"\n")
        now = own_digests(wanted)
        assert {one for one in now if now[one] != before[one]} == {name}
        before = now
    assert own_digests(experiment()) == {}


def test_all_files_of_one_name_are_part_of_the_identity(own: Path) -> None:
    tables = [own / "first" / "a.csv", own / "second" / "a.csv"]
    for table in tables:
        table.parent.mkdir()
        table.write_text("1\n")
    grid = {"initializer": [{"name": "own_things:signs", "table": str(table)} for table in tables]}
    wanted = experiment(grid=grid, track=[], probes=[])
    known = {own_digests(wanted)["a.csv"]}
    for table in tables:
        table.write_text("2\n")
        known.add(own_digests(wanted)["a.csv"])
    assert len(known) == 3
