"""Clusters that a run goes on, by what `--on` says: worker processes here, a scheduler that is there, a batch system."""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster, Security
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.messages import explain, one_line

SETTINGS = {
    # A worker is given a chunk when it has ended the one before: chunks are long, and others may be idle by then.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.work-stealing": False,
    # A worker that compiles may be silent for long.
    "distributed.scheduler.worker-ttl": None,
    # Lost workers are counted by the run itself, chunk by chunk.
    "distributed.scheduler.allowed-failures": 1000,
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "30s",
}
"""Settings of dask for chunks of many seconds whose workers may be lost."""
LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
HOSTS_HERE = ("localhost", "127.0.0.1", "::1")
ENVIRONMENT = "JAX_NUM_CPU_DEVICES"
SECONDS_TO_CONNECT = 30


class Tls(NamedTuple):
    """Files of certificates and the key by which a scheduler and its neighbors know each other."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def security(self) -> Security | None:
        """The same for dask; None if there are none. ValueError if a file is missing."""
        if not any(self):
            return None
        for name, path in self._asdict().items():
            if path is None or not path.is_file():
                raise ValueError(f"--tls-{name}: {'is missing beside the others' if path is None else f'{path} is no file'}")
        return Security(
            tls_ca_file=str(self.ca), tls_client_cert=str(self.cert), tls_client_key=str(self.key), tls_worker_cert=str(self.cert),
            tls_worker_key=str(self.key), require_encryption=True,
        )


class BatchSystem(BaseModel):
    """A file such as `slurm.toml`: which batch system, how many jobs, and the options of its class in dask-jobqueue."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    system: Literal["slurm", "pbs", "lsf", "sge", "oar", "htcondor", "local"]
    jobs: int = Field(gt=0, le=100_000)
    devices: int = Field(default=1, gt=0)
    """Cores of a job, each of which is one device, or 1 for a job with one accelerator."""


@contextmanager
def cluster(on: str, tls: Tls, insecure: bool) -> Iterator[Client]:
    """Give a client of the cluster that `on` names; what was started for it ends with the context.

    `on` is `local` or `local:N`, the address of a scheduler, a scheduler's file, or a TOML file of a batch system. ValueError if it is none
    of these, or a connection to another machine is not encrypted and not `insecure`; OSError if nobody answers.
    """
    with dask.config.set(SETTINGS), ExitStack() as stack:
        if local := LOCAL.fullmatch(on):
            found: Any = stack.enter_context(_local(int(local[1] or cores())))
        elif on.endswith(".toml"):
            found = stack.enter_context(_batch(Path(on), tls))
        else:
            found = address(on, tls, insecure)
        try:
            client = stack.enter_context(Client(found, security=tls.security, timeout=SECONDS_TO_CONNECT, set_as_default=False))
        except (OSError, TimeoutError) as error:
            raise OSError(one_line(f"--on {on}: nobody answers: {error}")) from error
        yield client


def address(on: str, tls: Tls, insecure: bool) -> str:
    """Return the address of a scheduler that is given as such, or by the file that it writes; errors as from `cluster`."""
    if on.endswith(".json"):
        try:
            on = str(json.loads(Path(on).read_text(encoding="utf-8"))["address"])
        except OSError as error:
            raise ValueError(f"{on}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{on}: is no scheduler file, which dask scheduler --scheduler-file writes") from error
    parts = urlsplit(on)
    if parts.scheme not in ("tcp", "tls") or not parts.hostname:
        raise ValueError(
            f"--on {on}: is none of local:N, tcp://HOST:PORT, tls://HOST:PORT, a scheduler's file (.json), a batch system's file (.toml)"
        )
    if parts.scheme == "tls" and not any(tls):
        raise ValueError(f"--on {on}: needs --tls-ca, --tls-cert and --tls-key")
    if parts.scheme == "tcp" and parts.hostname not in HOSTS_HERE and not insecure:
        raise ValueError(
            f"--on {on}: whoever reaches this scheduler can run any code on all machines; take tls:// with --tls-ca, --tls-cert and "
            "--tls-key, or --insecure in a network that you trust"
        )
    return on


def dashboard_address(client: Client) -> str | None:
    """Return the address of the cluster's dashboard; None if bokeh, which draws it, is not installed."""
    return client.dashboard_link if _has_dashboard() else None


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_environment(devices: int) -> dict[str, str]:
    """Return the environment variables of a worker with so many CPU devices; they must be set before JAX is imported."""
    return {ENVIRONMENT: str(devices), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@contextmanager
def _local(workers: int) -> Iterator[LocalCluster]:
    """Start worker processes that share the cores of this machine."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        memory_limit=0,
        resources={"DEVICE": 1},
        env=worker_environment(max(1, cores() // workers)),
        dashboard_address="127.0.0.1:0" if _has_dashboard() else None,
    ) as started:
        yield started


@contextmanager
def _batch(path: Path, tls: Tls) -> Iterator[Any]:
    """Ask a batch system for workers."""
    try:
        import dask_jobqueue
    except ImportError as error:
        raise ValueError("--on with a batch system needs dask-jobqueue: pip install 'initbench[slurm]'") from error
    try:
        wanted = BatchSystem.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, BatchSystem)}") from error
    except (OSError, ValueError) as error:
        raise ValueError(one_line(f"{path}: cannot be read: {error}")) from error
    names = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF", "sge": "SGE", "oar": "OAR", "htcondor": "HTCondor", "local": "Local"}
    kind = getattr(dask_jobqueue, f"{names[wanted.system]}Cluster", None) or dask_jobqueue.local.LocalCluster
    exports = [f"export {name}={value}" for name, value in worker_environment(wanted.devices).items()]
    exports += ["export DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE=False", "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False"]
    options = {"memory": "4GB", **(wanted.model_extra or {})}
    options["job_script_prologue"] = [*exports, *options.get("job_script_prologue", [])]
    options["worker_extra_args"] = ["--resources", "DEVICE=1", *options.get("worker_extra_args", [])]
    try:
        started = kind(cores=1, processes=1, nanny=False, security=tls.security, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(one_line(f"{path}: {error}")) from error
    with started:
        started.scale(jobs=wanted.jobs)
        yield started


def _has_dashboard() -> bool:
    try:
        import bokeh  # noqa: F401
    except ImportError:
        return False
    return True
