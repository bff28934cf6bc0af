"""The experiments that come with the package, and files of a user's own."""

import json
import os
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from analysis.figures import figure_kind
from analysis.judging.checks import check_claims
from bench.spec import catalog
from tests.spec.example import TEXT


@pytest.mark.parametrize("name", catalog.names())
def test_every_packaged_experiment_is_valid_and_named_like_its_file(name: str) -> None:
    found = catalog.read(name)
    assert found.name == name
    check_claims(found)
    assert all(figure.kind in set(figure_kind) for figure in found.figure or ())
    # Of a map with several draws, those are what there have to be many of; of data sets, each of which is drawn once, half as many do.
    least = 500 if found.seeds.data == "paired" else 1000
    assert max(found.seeds.init, found.seeds.data if isinstance(found.seeds.data, int) else 0) >= least


def test_every_claim_of_the_thread_has_an_experiment() -> None:
    families = {claim.family for name in catalog.names() for claim in catalog.read(name).claim}
    statements = tomllib.loads((files("analysis.judging") / "thread.toml").read_text())
    assert families - {None} == set(statements) == {f"C{number}" for number in range(1, 24)}


@pytest.mark.parametrize("name", catalog.names())
def test_cells_keep_the_ids_that_stored_rows_have(name: str) -> None:
    manifest = json.loads((Path(__file__).parents[2] / "reports" / name / "run.json").read_text(encoding="utf-8"))
    assert {cell["id"] for cell in manifest["cells"]} == {cell.id for cell in catalog.read(name).cells}


def test_a_file_is_read_as_utf_8_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("Does width", "Hilft Größe").encode())
    assert catalog.read(str(path)).question.startswith("Hilft Größe")
    path.write_bytes(TEXT.replace("Does width", "Größe").encode("latin-1"))
    os.mkfifo(tmp_path / "pipe.toml")
    for name, said in ((path, "not UTF-8"), (tmp_path, "not a file"), (tmp_path / "pipe.toml", "not a file"), ("x" * 5000, "x")):
        with pytest.raises(ValueError, match=said) as caught:
            catalog.read(str(name))
        assert "\n" not in str(caught.value) and len(str(caught.value)) <= 1000


def test_a_value_can_be_set_in_every_packaged_experiment() -> None:
    for name in catalog.names():
        found = catalog.read(name, {"seeds.init": 7, "training.l2": 0.25})
        assert found.seeds.init == 7
        assert any(cell.settings.training.l2 == 0.25 for cell in found.cells)
