"""The same command again: it resumes, extends, repairs, and ends with the same bytes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import Experiment, run
from bench.runs.folder import RunFolder
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from tests.conftest import experiment


def test_more_seeds_compute_only_the_new_lanes(tmp_path: Path) -> None:
    out = run(experiment(seeds={"init": 40}), tmp_path)
    before = read_manifest(out)
    seen: list[int] = []
    run(experiment(seeds={"init": 100}), tmp_path, watch=lambda progress: seen.append(progress.done))
    after = read_manifest(out)
    assert seen[0] == 40
    assert after.lanes == 100
    extended = read_rows(out, after)
    assert after.seed_steps == extended["steps_run"].sum()
    assert before.seed_steps < after.seed_steps
    fresh = run(experiment(seeds={"init": 100}), tmp_path / "fresh")
    assert [part.sha256 for part in after.parts] == [part.sha256 for part in read_manifest(fresh).parts]


def test_the_same_command_again_does_nothing(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    before = (out / "run.json").read_bytes()
    run(experiment(), tmp_path)
    assert (out / "run.json").read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
from bench import Experiment, run
from bench.runs.manifest import read_manifest
import bench.runs.part_writer
bench.runs.part_writer.FLUSH_SECONDS = 0.0
experiment = Experiment.parse(open(sys.argv[1]).read())
folder = Path(sys.argv[2]) / experiment.name

def watch(progress):
    if (folder / "run.json").exists() and read_manifest(folder).parts:
        os.kill(os.getpid(), signal.SIGKILL)

run(experiment, sys.argv[2], watch=watch)
"""


def test_a_killed_run_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    wanted = experiment(seeds={"init": 60_000})
    (tmp_path / "e.toml").write_text(wanted.text)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "e.toml", tmp_path / "killed"], check=False)
    assert killed.returncode == -signal.SIGKILL
    out = tmp_path / "killed" / wanted.name
    manifest = read_manifest(out)
    partial = sum(part.rows for part in manifest.parts if part.file.startswith("lanes/"))
    assert not manifest.complete
    assert 0 < partial < 60_000
    run(wanted, tmp_path / "killed")
    whole = run(wanted, tmp_path / "whole")
    resumed = read_manifest(out)
    assert resumed.complete
    assert [part.sha256 for part in resumed.parts] == [part.sha256 for part in read_manifest(whole).parts]


def test_a_corrupt_part_costs_only_its_lanes(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    good = read_manifest(out)
    part = out / good.parts[0].file
    part.write_bytes(part.read_bytes()[:-8] + b"corrupt!")
    notes: list[str] = []
    run(experiment(), tmp_path, watch=lambda progress: notes.append(progress.note))
    assert any("corrupt" in note and part.name in note for note in notes)
    assert read_manifest(out).parts[0].sha256 == good.parts[0].sha256


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with RunFolder.locked(tmp_path / "xor-test"), pytest.raises(ValueError, match="another process"):
        run(experiment(), tmp_path)


def test_another_experiment_is_not_mixed_in(tmp_path: Path) -> None:
    run(experiment(), tmp_path)
    with pytest.raises(ValueError, match="holds another experiment"):
        run(experiment(optimizer={"name": "sgd", "learning_rate": 0.4}), tmp_path)


def test_experiment_made_in_python_is_stored_as_toml(tmp_path: Path) -> None:
    out = run(experiment(), tmp_path)
    again = Experiment.parse((out / "experiment.toml").read_text())
    assert again.training_hash == experiment().training_hash
