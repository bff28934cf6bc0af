"""What `--on` and `worker` refuse, each in one line, and the environment of each worker process."""

import builtins
import gc
import json
import logging
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import bench.cluster.connect
from bench.cluster.connect import Tls, address, cluster
from bench.cluster.worker import MEMORY_SHARE, environments, work
from tests.commands import MINE, call

BATCH = 'system = "slurm"\njobs = 2\n'


@pytest.fixture
def certificate(tmp_path: Path) -> Tls:
    """Files in the places of a certificate."""
    paths = [tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")]
    for path in paths:
        path.touch()
    return Tls(*paths)


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("", "is none of tcp://HOST:PORT"),
        ("local:0", "is none of"),
        ("local:two", "is none of"),
        ("host:8786", "is none of"),
        ("http://127.0.0.1:8786", "is none of"),
        ("tcp://127.0.0.1", "is none of"),
        ("tcp://:8786", "is none of"),
        ("tcp://[::1:8786", "is none of"),
        ("tcp://127.0.0.1:87860", "is none of"),
        ("tls://127.0.0.1:8786", "needs --tls-ca, --tls-cert and --tls-key"),
        ("tcp://10.0.0.1:8786", "whoever reaches it can run any code on all machines; take tls://"),
        ("tcp://localhost.example.org:8786", "whoever reaches it"),
        ("nowhere.json", "cannot be read: No such file"),
    ],
)
def test_an_address_is_refused_in_one_line(on: str, said: str) -> None:
    with pytest.raises(ValueError) as refusal:
        address(on, Tls(), insecure=False)
    assert str(refusal.value).startswith(f"{on}: {said}") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", "{", '"tcp://127.0.0.1:1"', "\N{NULL}"])
def test_a_broken_scheduler_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "scheduler.json").write_text(content)
    with pytest.raises(ValueError, match=r"scheduler\.json: is no scheduler file, which dask scheduler --scheduler-file writes$"):
        address(f"{tmp_path}/scheduler.json", Tls(), insecure=False)


def test_addresses_that_are_taken(tmp_path: Path, certificate: Tls) -> None:
    for here in ("tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"):
        assert address(here, Tls(), insecure=False) == here
        (tmp_path / "scheduler.json").write_text(json.dumps({"address": here}))
        assert address(f"{tmp_path}/scheduler.json", Tls(), insecure=False) == here
    assert address("tls://10.0.0.1:8786", certificate, insecure=False) == "tls://10.0.0.1:8786"
    assert address("tcp://10.0.0.1:8786", Tls(), insecure=True) == "tcp://10.0.0.1:8786"
    # The file of a scheduler is as far away as its address.
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": "tcp://10.0.0.1:8786"}))
    with pytest.raises(ValueError, match=r"^tcp://10\.0\.0\.1:8786: whoever reaches it"):
        address(f"{tmp_path}/scheduler.json", Tls(), insecure=False)


def test_an_open_connection_is_refused_where_a_certificate_is_given(certificate: Tls) -> None:
    with pytest.raises(ValueError, match=r"^tcp://127\.0\.0\.1:8786: is not encrypted; tls:// goes with"):
        address("tcp://127.0.0.1:8786", certificate, insecure=False)


def test_a_certificate_serves_every_role(certificate: Tls) -> None:
    assert Tls().security is None
    security = certificate.security
    assert security is not None and security.require_encryption
    for role in ("client", "scheduler", "worker"):
        found = security.get_tls_config_for_role(role)
        wanted = {"ca_file": certificate.ca, "cert": certificate.cert, "key": certificate.key}
        assert {name: found[name] for name in wanted} == {name: str(path) for name, path in wanted.items()}


def test_files_of_a_certificate_stand_together(certificate: Tls) -> None:
    with pytest.raises(ValueError, match="^--tls-key: is missing beside the others$"):
        _ = certificate._replace(key=None).security
    with pytest.raises(ValueError, match=r"^--tls-cert: nowhere\.pem is no file$"):
        _ = certificate._replace(cert=Path("nowhere.pem")).security


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: .*No such file"),
        ("system = ", "cannot be read: "),
        ("jobs = 2", "system: .*required|system: .*missing"),
        ('system = "cron"\njobs = 2', "system = 'cron'"),
        ('system = "slurm"\njobs = 0', "jobs = 0"),
        ('system = "slurm"\njobs = "2"', "jobs = '2'"),
        (f"{BATCH}devices = 0", "devices = 0"),
        (f"{BATCH}wall_time = '1:00'", "wall_time"),
        (f"{BATCH}memory = 'much'", "memory|much"),
    ],
)
def test_a_broken_batch_file_is_refused_in_one_line(text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.cluster.connect.shutil, "which", lambda command: f"/bin/{command}")
    path = tmp_path / "slurm.toml"
    if text is not None:
        path.write_text(text)
    # dask-jobqueue warns of a cluster that it has not started.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            with cluster(str(path), Tls(), insecure=True):
                refusal = ""
        except ValueError as error:
            refusal = str(error)
        gc.collect()
    assert re.search(said, refusal) and refusal.startswith(f"{path}: ") and "\n" not in refusal


def test_jobs_need_a_certificate_and_a_batch_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text(BATCH)
    with pytest.raises(ValueError, match="its jobs reach the scheduler over the network"), cluster(str(path), Tls(), insecure=False):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="there is no command 'sbatch' here"), cluster(str(path), Tls(), insecure=True):
        pass


def test_workers_without_gpus_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.cluster.worker.cores", lambda: 6)
    for processes, devices in ((None, ["6"]), (1, ["6"]), (4, ["1"] * 4), (3, ["2"] * 3), (9, ["1"] * 9)):
        found = environments(processes, gpus=[])
        assert [one["JAX_NUM_CPU_DEVICES"] for one in found] == devices
        assert not any("CUDA_VISIBLE_DEVICES" in one for one in found)


def test_each_worker_has_a_gpu_and_its_share_of_the_memory() -> None:
    eight = [str(number) for number in range(8)]
    for processes, gpus, visible, share in (
        (None, ["0"], ["0"], 1),
        (2, ["0"], ["0", "0"], 2),
        (None, eight, eight, 1),
        (16, eight, eight + eight, 2),
        (9, eight, [*eight, "0"], 2),
        (2, eight, ["0", "1"], 1),
    ):
        found = environments(processes, gpus)
        assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == visible
        assert {one["XLA_PYTHON_CLIENT_MEM_FRACTION"] for one in found} == {f"{MEMORY_SHARE / share:.3f}"}


def test_gpus_are_those_that_the_environment_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-8932")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments(None)] == ["3", "GPU-8932"]
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert [one.get("CUDA_VISIBLE_DEVICES") for one in environments(None)] == [None]


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench.cluster.connect.SETTINGS, "distributed.comm.timeouts.connect", "500ms")
    monkeypatch.setattr(bench.cluster.connect, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(OSError, match=r"^tcp://127\.0\.0\.1:1: nobody answers: .*$"):
        work("tcp://127.0.0.1:1", Tls(), processes=1)
    with (
        pytest.raises(OSError, match=r"^--on tcp://127\.0\.0\.1:1: nobody answers: .*$"),
        cluster("tcp://127.0.0.1:1", Tls(), insecure=False),
    ):
        pass


@pytest.mark.parametrize("name", ["distributed", "distributed.client", "distributed.of_this_test", "asyncio"])
def test_dask_s_own_log_is_silent_within_a_cluster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a logger that has a level of its own; afterwards all levels are as before."""
    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "level", logging.WARNING)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    with bench.cluster.connect._quiet():
        assert not logger.isEnabledFor(logging.ERROR)
    assert logger.level == logging.WARNING and logger.isEnabledFor(logging.ERROR)


def test_without_dask_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An experiment is run and read without dask, which `--on` and `worker` alone need."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] in ("dask", "distributed", "dask_jobqueue"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name.partition(".")[0])
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    # What is imported anew in the meantime does not stay.
    monkeypatch.setattr(bench, "cluster", bench.cluster)
    for module in [name for name in sys.modules if name.partition(".")[0] in ("dask", "distributed") or name.startswith("bench.cluster")]:
        monkeypatch.delitem(sys.modules, module)
    mine = tmp_path / "mine.toml"
    mine.write_text(MINE)
    run = ("run", str(mine), "--seeds", "2", "--out", str(tmp_path))
    for what, words in (("--on", (*run, "--on", "local:2")), ("worker", ("worker", "tcp://127.0.0.1:8786"))):
        refused = call(*words)
        assert refused.exit_code == 2
        assert refused.stderr == f"initbench: {what} needs dask.distributed, which is not installed: pip install 'initbench[dask]'\n"
    assert call(*run).exit_code == 0
    assert (tmp_path / "mine" / "run.json").exists()
