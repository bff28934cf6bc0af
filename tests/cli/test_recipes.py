"""The recipes of `docs/clusters.md`, as far as they can be tried without a cluster."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from bench.runs.join import join
from bench.runs.manifest import read_manifest
from bench.runs.shards import Shard
from bench.runs.status import Looker

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs" / "recipes"
EXPERIMENT = """
name = "mine"
task = "xor"
model = "linear"
initializer = "glorot_normal"
probes = []
[training]
steps = 50
[seeds]
init = 40
"""
INITBENCH = f"""#!{sys.executable}
import bench.runs.chunks
# An experiment that is over at once would be a single chunk.
bench.runs.chunks.MOST_LANES = 16
from initbench.cli.app import app
if __name__ == "__main__":
    app()
"""


SSH = """#!/bin/bash
# Another machine: a folder of its own. `ssh -n HOST COMMAND`
cd "$HOSTS/$2" && exec bash -c "$3"
"""
SCP = """#!/bin/bash
# `scp -qr FOLDER HOST:FOLDER`
mkdir -p "$HOSTS/${3%%:*}" && cp -r "$2" "$HOSTS/${3%%:*}/${3##*:}"
"""


def prepared(folder: Path, **commands: str) -> dict[str, str]:
    """The environment of a recipe in a folder with an experiment and with commands, this package's and dask's among them."""
    (folder / "mine.toml").write_text(EXPERIMENT)
    (folder / "bin").mkdir()
    for name, text in {"initbench": INITBENCH, **commands}.items():
        command = folder / "bin" / name
        command.write_text(text)
        command.chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


def ran(folder: Path, environment: dict[str, str], recipe: str, *arguments: str) -> str:
    """What a recipe prints, which leaves a whole run."""
    with (folder / "printed.txt").open("w+") as printed:
        subprocess.run(
            ["bash", RECIPES / recipe, *arguments], cwd=folder, env=environment, check=True, timeout=300, stdout=printed, stderr=printed
        )
        printed.seek(0)
        text = printed.read()
    assert read_manifest(folder / "results" / "runs" / "mine").complete, text
    return text


def test_the_recipe_of_eight_gpus_runs_with_one_worker_on_a_cpu(tmp_path: Path) -> None:
    assert "40 new" in ran(tmp_path, prepared(tmp_path), "eight-gpus.sh", "mine.toml")


def test_the_recipe_for_ssh_runs_with_folders_in_place_of_machines(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"HERE": "127.0.0.1", "PORT": str(port), "INITBENCH": "initbench", "HOSTS": str(tmp_path)}
    assert "40 new" in ran(tmp_path, {**prepared(tmp_path, ssh=SSH, scp=SCP), **own}, "ssh.sh", "mine.toml", "gpu1", "gpu2")
    assert all((tmp_path / host / "initbench-tls" / "key.pem").exists() for host in ("gpu1", "gpu2"))


def test_the_body_of_the_slurm_array_runs_in_every_task(tmp_path: Path) -> None:
    environment = {**prepared(tmp_path), "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MAX": "1"}
    tasks = [
        subprocess.Popen(
            ["bash", RECIPES / "slurm-array.sh", "mine.toml"], cwd=tmp_path, env={**environment, "SLURM_ARRAY_TASK_ID": str(index)}
        )
        for index in range(2)
    ]
    assert [task.wait() for task in tasks] == [0, 0]
    run = tmp_path / "results" / "runs" / "mine"
    [status], _ = Looker([run]).look()
    assert status.missing_shards == {2: ""} and [folder.wanted for folder in status.folders] == [20, 20]
    assert read_manifest(join([run], tmp_path / "joined").folder).complete


def test_scripts_are_valid_and_signals_reach_the_run() -> None:
    for script in RECIPES.glob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)
        # The shell ends with the run, or traps signals while it waits for it.
        found = re.sub(r"(?m)^#.*\n", "", script.read_text())
        assert "exec initbench run" in found or ("trap " in found and found.rstrip().endswith("wait $!")) or "initbench run" not in found
    slurm = {script.name: re.findall(r"^#SBATCH (--\S+)", script.read_text(), re.MULTILINE) for script in RECIPES.glob("slurm-array*.sh")}
    assert all({"--requeue", "--signal=B:TERM@120"} <= set(options) for options in slurm.values())


def test_the_pods_of_the_indexed_job_know_their_shards(tmp_path: Path) -> None:
    text = (RECIPES / "kubernetes-job.yaml").read_text()
    [count] = re.findall(r"^  completions: (\d+)$", text, re.MULTILINE)
    [passed] = re.findall(r'- name: JOB_COMPLETIONS\n +value: "(\d+)"', text)
    assert "--shard, auto]" in text and passed == count
    assert Shard.parse("auto", {"JOB_COMPLETION_INDEX": "7", "JOB_COMPLETIONS": passed}, tmp_path) == Shard(7, int(count))


def test_the_page_names_every_recipe() -> None:
    page = (ROOT / "docs" / "clusters.md").read_text()
    assert {name for name in re.findall(r"\(recipes/([\w.-]+)\)", page)} >= {path.name for path in RECIPES.iterdir()}
