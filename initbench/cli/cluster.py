"""The command of the workers of a cluster: `worker`."""

from typing import Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import Insecure, TlsCa, TlsCert, TlsKey
from initbench.executors import needs_dask


@clean
def worker(
    scheduler: Annotated[str, typer.Argument(metavar="SCHEDULER", help="tcp://HOST:PORT, tls://HOST:PORT, or the scheduler's file.")],
    processes: Annotated[int | None, typer.Option("--processes", min=1, help="Processes; none: one per GPU, or one on all cores.")] = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
) -> None:
    """Train chunks of training runs for whoever runs an experiment --on this scheduler, until a signal comes."""
    with needs_dask("worker"):
        from bench.cluster.connect import Tls, address
        from bench.cluster.worker import work
    tls = Tls(tls_ca, tls_cert, tls_key)
    work(address(scheduler, tls, insecure), tls, processes)
