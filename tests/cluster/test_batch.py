"""Jobs of a batch system train an experiment, encrypted by the certificate of the recipe."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest
from distributed import Client

import bench.cluster.connect
from bench import Experiment, run
from bench.cluster.connect import Tls, cluster
from bench.cluster.executor import OnCluster
from bench.runs.manifest import read_manifest
from tests.commands import MINE
from tests.conftest import experiment
from tests.runs.small import SMALL

RECIPES = Path("docs/recipes").resolve()
SBATCH = """#!/bin/bash
cp "$1" job-$$.sh
echo "$1" >> submitted
setsid bash job-$$.sh > job-$$.txt 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -9 -- -"$1"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the recipe for one job; `sbatch` and `scancel` run jobs on this machine."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    recipe = (RECIPES / "slurm-dask.toml").read_text().replace("jobs = 8\n", "jobs = 1\n").replace("devices = 16 ", "devices = 1 ")
    (tmp_path / "slurm.toml").write_text(recipe)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    # Jobs import the package from here, not from where they run.
    monkeypatch.setenv("PYTHONPATH", f"{Path.cwd()}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def certificate(folder: Path) -> Tls:
    """Make a certificate as the recipe does."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["sh", RECIPES / "tls.sh"], cwd=folder, check=True, capture_output=True)
    return Tls(*(folder / "tls" / f"{name}.pem" for name in ("ca", "cert", "key")))


def job_of(client: Client) -> str:
    """Wait for a worker and return its address."""
    client.wait_for_workers(1, timeout=120)
    [address] = client.scheduler_info(n_workers=-1)["workers"]
    return str(address)


def test_workers_here_are_encrypted_where_a_certificate_is_given(tmp_path: Path) -> None:
    with cluster("local:1", certificate(tmp_path), insecure=False) as client:
        assert client.scheduler.address.startswith("tls://") and job_of(client).startswith("tls://")


def test_jobs_train_over_tls_and_are_submitted_again(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.cluster.connect, "SECONDS_TO_LOOK", 1)
    tls, strangers = certificate(slurm), certificate(slurm / "strangers")
    wanted = Experiment.parse(experiment(**SMALL).text)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}), cluster("slurm.toml", tls, insecure=False) as client:
        first = job_of(client)
        assert client.scheduler.address.startswith("tls://") and first.startswith("tls://")
        for address, security in ((client.scheduler.address, strangers.security), (client.scheduler.address.replace("tls", "tcp"), None)):
            with pytest.raises(OSError):
                Client(address, security=security, timeout=1)
        client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.close_worker(first))
        while first in client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.1)
        assert job_of(client) != first
        folder = run(wanted, slurm / "runs", executor=OnCluster(client))
    assert len((slurm / "submitted").read_text().splitlines()) == 2
    manifest = read_manifest(folder)
    assert manifest.complete and manifest.latest.device.count == 1


def test_a_signal_cancels_jobs_that_have_not_begun(slurm: Path) -> None:
    """All jobs wait in the queue of the batch system when Ctrl-C comes."""
    (slurm / "sbatch").write_text('#!/bin/bash\necho "Submitted batch job 4711"\ntouch submitted\n')
    (slurm / "scancel").write_text('#!/bin/bash\necho "$@" >> canceled\n')
    (slurm / "mine.toml").write_text(MINE)
    command = [sys.executable, "-m", "initbench", "run", "mine.toml", "--on", "slurm.toml", "--insecure"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    waiting = time.monotonic() + 60
    while not (slurm / "submitted").exists() or not (slurm / "results" / "runs").exists():
        assert process.poll() is None and time.monotonic() < waiting
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "stopped by SIGINT" in said and "Traceback" not in said
    assert (slurm / "canceled").read_text().split() == ["4711"]
