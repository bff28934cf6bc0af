"""The lock of a run folder: one process writes a run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.runs.storage import is_here

LOCK = ".lock"
"""Name of the lock's file. The file stays when the lock is released; the operating system releases the lock of a process that ends."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there; object storage has no locks, so nothing is held there.

    ValueError if another process has the lock, or if its file is a link; OSError if the folder cannot be written.
    """
    if not is_here(folder):
        yield
        return
    path = folder / LOCK
    lock = FileLock(path, blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ValueError(f"{folder}: another process is writing this run") from error
    except OSError as error:
        if path.is_symlink():
            raise ValueError(f"{path}: is a link; remove it") from error
        raise OSError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
