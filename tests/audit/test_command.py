"""The command `audit`: what it prints, what it draws, and how it ends where its input is wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from initbench.cli.app import app


def test_json_and_a_figure(tmp_path: Path) -> None:
    command = ["audit", "tests.audit.models:Adapter", "--input", "8", "--json", "--out", str(tmp_path)]
    found = json.loads(CliRunner().invoke(app, command).stdout)
    assert [layer["never_moves"] for layer in found["layers"]] == [False, True, True]
    assert found["findings"][0]["kind"] == "stuck" and found["findings"][0]["claims"] == ["C7", "C20"]
    assert (tmp_path / "audit.png").stat().st_size > 0


@pytest.mark.parametrize("shape", [[], ["--input", "8x"], ["--input", "7"]])
def test_a_wrong_shape_is_one_line(shape: list[str]) -> None:
    found = CliRunner().invoke(app, ["audit", "tests.audit.models:Adapter", *shape])
    assert found.exit_code == 2 and found.stderr.count("\n") == 1
