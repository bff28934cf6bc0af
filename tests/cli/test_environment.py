"""The command in an environment that cannot work: one line and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from initbench.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-m", "initbench", *arguments], capture_output=True, text=True, env=everything)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"XLA_FLAGS": "--xla_no_such_flag=1"}, "XLA_FLAGS = '--xla_no_such_flag=1': Unknown flag"),
        ({"XLA_FLAGS": "/no/such/file"}, "Could not open file"),
        ({"JAX_PLATFORMS": "no_such_platform"}, "JAX_PLATFORMS = 'no_such_platform': "),
    ],
)
def test_an_environment_that_cannot_work_is_refused_in_one_line(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    # Nothing was listed before.
    done = command("list", "tasks", XDG_CACHE_HOME=str(tmp_path), **environment)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.startswith("initbench: ")
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 1000


def test_flags_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.startup import given_flags

    (tmp_path / "flags.txt").write_text("--xla_a=1\n--xla_b=2\n")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "flags.txt"))
    assert given_flags() == "--xla_a=1 --xla_b=2"
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match=r"none\.txt': no flags"):
        given_flags()


def test_a_folder_that_was_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = CliRunner().invoke(app, ["list", "tasks"])
    assert done.exit_code == 2 and "the current folder has been removed" in done.stderr
