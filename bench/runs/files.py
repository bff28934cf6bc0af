"""Files of a results folder, which may come from a stranger: read within bounds and never through a link, written whole or not at all."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from bench.messages import one_line
from bench.runs.storage import is_here

T = TypeVar("T")
MOST_TEXT = 1 << 24
"""Largest size in bytes of a text file that is read."""


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """Return the content of the file `name` of a folder; errors as from `taken_inside`."""
    return taken_inside(folder, name, most, lambda file, size: file.read(size))


def taken_inside(folder: Path, name: str, most: int, take: Callable[[BinaryIO, int], T]) -> T | bytes:
    """Return what `take` makes of the file `name` of a folder and its size in bytes; of object storage, always the content.

    ValueError if the file or a folder on the way from `folder` is a link, if it is a pipe or a device, or has more than `most` bytes;
    OSError if it cannot be read. Both name the path.
    """
    path = folder / name
    if not is_here(folder):
        return _read_object(path, most)
    *parents, last = Path(name).parts
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        for parent in parents:
            _refuse_link(path, parent, opened[-1])
            opened.append(os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        _refuse_link(path, last, opened[-1])
        # O_NONBLOCK: opening a pipe without a writer would otherwise wait for one.
        opened.append(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        found = os.fstat(opened[-1])
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path}: is no regular file")
        if found.st_size > most:
            raise ValueError(f"{path}: has {found.st_size:,} bytes; at most {most:,} are read")
        with open(opened.pop(), "rb") as file:
            return take(file, found.st_size)
    except OSError as error:
        # The type is kept, so that callers can tell a missing file from one that cannot be read now.
        raise type(error)(f"{path}: cannot be read: {error.strerror or error}") from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read_object(path: Path, most: int) -> bytes:
    """Return the content of a file on object storage; errors as from `taken_inside`."""
    try:
        size = path.stat().st_size
        if size <= most:
            return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: cannot be read: there is no such object") from error
    except Exception as error:
        # Every storage has errors of its own.
        raise OSError(one_line(f"{path}: cannot be read: {error}")) from error
    raise ValueError(f"{path}: has {size:,} bytes; at most {most:,} are read")


def _refuse_link(path: Path, name: str, folder: int) -> None:
    if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
        raise ValueError(f"{path}: {name} is a link, which is not followed")


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file by a temporary file, fsync and rename, so that it is there whole or not at all; object storage writes so by itself.

    `content` may be what writes into the file.

    OSError names the file if it cannot be written, or if it is a link: nothing is written through links.
    """
    if not is_here(path):
        try:
            with path.open("wb") as file:
                _write(file, content)
        except Exception as error:
            raise OSError(one_line(f"{path}: cannot be written: {error}")) from error
        return
    if path.is_symlink():
        raise OSError(f"{path}: is a link; nothing is written through links")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An earlier process of the same number may have left a file of this name, or somebody may have put a link there.
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            _write(file, content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"{path}: cannot be written: {error.strerror or error}") from error


def _write(file: BinaryIO, content: bytes | Callable[[BinaryIO], object]) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)
