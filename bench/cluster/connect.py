"""Clusters that a run goes on, by what `--on` says: worker processes here, a scheduler that is there, a batch system."""

import json
import logging
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster, Security
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tornado.ioloop import PeriodicCallback

from bench.messages import explain, one_line

SETTINGS = {
    # The next chunk waits at the worker beside the one that it trains: `worker-saturation`, which would keep it at the scheduler, is not
    # for tasks that need resources, as chunks do (`is_rootish` in distributed's scheduler). Where it waits, it stays.
    "distributed.scheduler.work-stealing": False,
    # A worker that compiles may be silent for long.
    "distributed.scheduler.worker-ttl": None,
    # The scheduler itself hands out again what a lost worker had, up to so many times; the run counts that by the scheduler's events.
    "distributed.scheduler.allowed-failures": 1000,
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "30s",
    # Each of these takes turns with the training in a worker's process, many times a second by default.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
"""Settings of dask for chunks of many seconds whose workers may be lost."""
OF_WORKERS = [name for name in SETTINGS if ".worker.memory." in name or ".worker.profile." in name or ".admin." in name]
"""Settings that a worker reads itself."""
LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
HOSTS_HERE = ("localhost", "127.0.0.1", "::1")
DANGER = "whoever reaches it can run any code on all machines"
HERE_ALONE = "127.0.0.1:0"
"""Where dask's pages about schedulers and workers are shown; they have no password."""
ENVIRONMENT = "JAX_NUM_CPU_DEVICES"
LOGS = ("distributed", "tornado.application", "asyncio")
SECONDS_TO_CONNECT = 30
SECONDS_TO_LOOK = 30
"""Time between two looks at whether the batch system has ended jobs, which are then submitted again."""


class Tls(NamedTuple):
    """Files of certificates and the key by which scheduler, workers and clients of a cluster know each other."""

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
        # Jobs of a batch system may begin in another folder.
        ca, cert, key = (str(path.resolve()) for path in self if path)
        return Security(
            require_encryption=True,
            tls_ca_file=ca,
            **{f"tls_{role}_{part}": path for role in ("client", "scheduler", "worker") for part, path in (("cert", cert), ("key", key))},
        )


class BatchSystem(BaseModel):
    """A file such as `slurm.toml`: which batch system, how many jobs, and the options of its cluster class in dask-jobqueue."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    system: Literal["slurm", "pbs", "lsf", "sge", "oar", "htcondor"]
    jobs: int = Field(gt=0, le=100_000)
    devices: int = Field(default=1, gt=0, le=10_000)
    """Cores of a job, each of which is a device; 1 for a job with one accelerator."""


@contextmanager
def cluster(on: str, tls: Tls, insecure: bool) -> Iterator[Client]:
    """Give a client of the cluster that `on` names; what was started for it ends with the context.

    `on` is `local` or `local:N`, the address of a scheduler, a scheduler's file, or a TOML file of a batch system. ValueError if it is none
    of these, or a connection to another machine is not encrypted and not `insecure`; OSError if nobody answers.
    """
    with dask.config.set(SETTINGS), _quiet(), ExitStack() as stack:
        if local := LOCAL.fullmatch(on):
            found: Any = stack.enter_context(_local(int(local[1] or cores()), tls))
        elif on.endswith(".toml"):
            found = stack.enter_context(_batch(Path(on), tls, insecure))
        else:
            found = address(on, tls, insecure)
        try:
            client = stack.enter_context(Client(found, security=tls.security, timeout=SECONDS_TO_CONNECT, set_as_default=False))
        except (OSError, TimeoutError) as error:
            raise OSError(one_line(f"--on {on}: nobody answers: {error}")) from error
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Context without dask's own log: what goes wrong is told by the run, in one line."""
    # Some of dask's loggers have levels of their own, which that of their parent does not reach.
    below = [name for name in logging.root.manager.loggerDict if name.startswith(tuple(f"{log}." for log in LOGS))]
    loggers = [logging.getLogger(name) for name in (*LOGS, *below)]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def address(on: str, tls: Tls, insecure: bool) -> str:
    """Return the address of a scheduler that is given as such, or by the file that it writes; errors as from `cluster`."""
    if on.endswith(".json"):
        try:
            on = str(json.loads(Path(on).read_text(encoding="utf-8"))["address"])
        except OSError as error:
            raise ValueError(f"{on}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{on}: is no scheduler file, which dask scheduler --scheduler-file writes") from error
    try:
        parts = urlsplit(on)
        whole = parts.scheme in ("tcp", "tls") and bool(parts.hostname and parts.port)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            f"{on}: is none of tcp://HOST:PORT, tls://HOST:PORT and a scheduler's file (.json), nor, with --on, local:N or a batch "
            "system's file (.toml)"
        )
    if parts.scheme == "tls" and not any(tls):
        raise ValueError(f"{on}: needs --tls-ca, --tls-cert and --tls-key")
    if parts.scheme == "tcp" and any(tls):
        raise ValueError(f"{on}: is not encrypted; tls:// goes with --tls-ca, --tls-cert and --tls-key")
    if parts.scheme == "tcp" and parts.hostname not in HOSTS_HERE and not insecure:
        raise ValueError(f"{on}: {DANGER}; take tls:// with --tls-ca, --tls-cert and --tls-key, or --insecure in a network that you trust")
    return on


def dashboard_address(client: Client) -> str | None:
    """Return the address of the cluster's dashboard; None if bokeh, which draws it, is not installed."""
    return client.dashboard_link if _has_dashboard() else None


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_environment(devices: int) -> dict[str, str]:
    """Return the environment variables of a worker with so many CPU devices; they must be set before JAX is imported.

    NPROC is the number of threads that XLA starts: more of them than devices would take turns on the same cores.
    """
    return {ENVIRONMENT: str(devices), "NPROC": str(devices), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@contextmanager
def _local(workers: int, tls: Tls) -> Iterator[LocalCluster]:
    """Start worker processes that share the cores of this machine, encrypted if there are certificates."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tls" if any(tls) else "tcp",
        security=tls.security,
        memory_limit=0,
        silence_logs=logging.ERROR,
        resources={"DEVICE": 1},
        env=worker_environment(max(1, cores() // workers)),
        dashboard_address=HERE_ALONE,
    ) as started:
        yield started


@contextmanager
def _batch(path: Path, tls: Tls, insecure: bool) -> Iterator[Any]:
    """Start a scheduler here, and ask a batch system for jobs of one worker each until they are there."""
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
    if not any(tls) and not insecure:
        raise ValueError(
            f"{path}: its jobs reach the scheduler over the network, where {DANGER}; take --tls-ca, --tls-cert and --tls-key, or "
            "--insecure in a network that you trust"
        )
    names = {"oar": "OAR", "htcondor": "HTCondor"}
    kind = getattr(dask_jobqueue, f"{names.get(wanted.system, wanted.system.upper())}Cluster")
    command = shlex.split(kind.job_cls.submit_command)[0]
    if shutil.which(command) is None:
        raise ValueError(f"{path}: there is no command '{command}' here; run this on a host that submits jobs")
    exports = [f"export {name}={value}" for name, value in worker_environment(wanted.devices).items()]
    # A job has no nanny that would hand it the settings.
    exports += [f"export DASK_{name.upper().replace('.', '__').replace('-', '_')}={SETTINGS[name]}" for name in OF_WORKERS]
    options = {"memory": "4GB", **(wanted.model_extra or {})}
    options["job_script_prologue"] = [*exports, *options.get("job_script_prologue", [])]
    # A worker trains one chunk at a time, on all of its devices.
    arguments = ["--nthreads", "1", "--resources", "DEVICE=1", "--dashboard-address", HERE_ALONE]
    options["worker_extra_args"] = [*arguments, *options.get("worker_extra_args", [])]
    options["scheduler_options"] = {"dashboard_address": HERE_ALONE, **options.get("scheduler_options", {})}
    try:
        started = kind(cores=wanted.devices, processes=1, nanny=False, security=tls.security, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(one_line(f"{path}: {error}")) from error
    with started:
        # Scaling to the same number starts anew what was lost.
        again = PeriodicCallback(lambda: started.scale(jobs=wanted.jobs), 1000 * SECONDS_TO_LOOK)
        started.scale(jobs=wanted.jobs)
        started.loop.add_callback(again.start)
        try:
            yield started
        finally:
            started.loop.add_callback(again.stop)


def _has_dashboard() -> bool:
    return find_spec("bokeh") is not None
