"""Where the command line and Python let an experiment be trained: in this process, or on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.runs.executor import Executor


@contextmanager
def executor(
    on: str | None,
    tls: Sequence[Path | None] = (),
    insecure: bool = False,
    mixed: bool = False,
    told: Callable[[str], None] = lambda text: None,
) -> Iterator["Executor | None"]:
    """Give the executor that `on` names, as `--on` does; None stands for this process. `told` hears where the cluster shows its work.

    Errors as from `bench.cluster.connect.cluster`; ValueError if dask is not installed.
    """
    if on is None:
        yield None
        return
    with needs_dask("--on"):
        from bench.cluster.connect import Tls, cluster, dashboard_address
        from bench.cluster.executor import OnCluster
    with cluster(on, Tls(*tls), insecure) as client:
        if dashboard := dashboard_address(client):
            told(f"dashboard: {dashboard}")
        yield OnCluster(client, mixed)


@contextmanager
def needs_dask(what: str) -> Iterator[None]:
    """Context of imports that need dask; ValueError says what to install where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise ValueError(f"{what} needs dask.distributed, which is not installed: pip install 'initbench[dask]'") from error
