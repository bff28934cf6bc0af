"""Run folders on object storage: the same files, resumed, joined and reported as on a disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import initbench
from analysis.rows.load import load
from bench import run
from bench.runs.manifest import read_manifest
from bench.runs.storage import is_here, place
from initbench.cli.app import app
from tests.commands import call
from tests.conftest import experiment
from tests.runs.small import SMALL, sums


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a server that speaks S3's protocol, in this process."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    S3FileSystem().mkdir("results")
    yield "s3://results"
    S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_in_a_bucket_is_that_of_a_disk(bucket: str, finished: Path) -> None:
    run(experiment(**{**SMALL, "seeds": {"init": 12}}), bucket)
    folder = run(experiment(**SMALL), bucket)
    assert str(folder).startswith(bucket) and sums(folder) == sums(finished)
    assert load(str(folder)).lanes.equals(load(finished).lanes)
    lost = folder / read_manifest(folder).parts[0].file
    lost.unlink()
    run(experiment(**SMALL), bucket)
    assert sums(folder) == sums(finished)


def test_a_run_in_memory_is_reported(finished: Path, tmp_path: Path) -> None:
    folder = run(experiment(**SMALL), "memory://runs")
    assert sums(folder) == sums(finished)
    told = call("report", "memory://runs", "--out", str(tmp_path / "reports"))
    assert told.exit_code == 0, told.output
    assert (tmp_path / "reports" / folder.name / "README.md").exists()
    assert "whole" in call("status", str(folder)).output


def test_a_protocol_that_nobody_knows_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="nosuch://x: .*nosuch"):
        place("nosuch://x")
    told = call("run", "x01-least-squares", "--out", "nosuch://x")
    assert told.exit_code == 2 and len(told.output.strip().splitlines()) == 1
    assert is_here(place("results/runs")) and place(os.sep) == Path(os.sep)


LOCAL_ONLY = [
    (command, option)
    for command, known in get_command(app).commands.items()  # type: ignore[attr-defined]
    for option in ("--out", "--data")
    if (command, option) not in (("run", "--out"), ("merge", "--out")) and any(option in one.opts for one in known.params)
]


@pytest.mark.parametrize(("command", "option"), LOCAL_ONLY)
def test_what_is_written_on_this_machine_alone_is_not_sent_to_object_storage(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(command, option, "s3://b/r")
    assert told.exit_code == 2 and told.stderr.count("\n") == 1
    assert told.stderr.startswith(
        "initbench: s3://b/r: a folder of this machine is needed here; object storage is for --out of run and merge"
    )
    assert not list(tmp_path.iterdir())


def test_a_report_from_python_is_not_sent_to_object_storage(finished: Path) -> None:
    with pytest.raises(ValueError, match="^s3://b/r: a folder of this machine is needed here"):
        initbench.load(finished).report("s3://b/r")
