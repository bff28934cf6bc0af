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


def test_a_task_is_a_name_or_a_table(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("a,b,y\n" + "".join(f"{i},{i % 3},{i / 7}\n" for i in range(12)))
    audit = ["audit", "mlp", "--option", "widths=[4]", "--json", "--task"]
    for task, inputs in ((f"{{ name = 'file', path = '{data.as_posix()}', target = 'y' }}", 2), ("'xor'", 2), ("wine", 13)):
        found = CliRunner().invoke(app, [*audit, task])
        assert found.exit_code == 0, found.stderr
        assert json.loads(found.stdout)["layers"][0]["shape"] == [inputs, 4]
    wrong = CliRunner().invoke(app, [*audit, "{ name = 'file', path = 'nowhere.csv', target = 'y' }"])
    assert wrong.exit_code == 2 and wrong.stderr.count("\n") == 1 and "nowhere.csv" in wrong.stderr


@pytest.mark.parametrize("shape", [[], ["--input", "8x"], ["--input", "7"]])
def test_a_wrong_shape_is_one_line(shape: list[str]) -> None:
    found = CliRunner().invoke(app, ["audit", "tests.audit.models:Adapter", *shape])
    assert found.exit_code == 2 and found.stderr.count("\n") == 1
