"""Read the files of a results folder, which may come from a stranger: regular files inside it, of bounded size, never through a link."""

import os
import stat
from pathlib import Path

MOST_TEXT = 1 << 24
"""Bytes of a file of text that is read."""


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """Content of the file `name` of a folder.

    ValueError if the file or a folder on the way from `folder` is a link, if it is a pipe or a device, or has more than `most` bytes;
    OSError if it cannot be read. Both name the path.
    """
    path = folder / name
    *parents, last = Path(name).parts
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        for parent in parents:
            _refuse_link(path, parent, opened[-1])
            opened.append(os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        _refuse_link(path, last, opened[-1])
        # A pipe without a writer would otherwise be waited for.
        opened.append(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        found = os.fstat(opened[-1])
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path}: is no regular file")
        if found.st_size > most:
            raise ValueError(f"{path}: has {found.st_size:,} bytes; at most {most:,} are read")
        with open(opened.pop(), "rb") as file:
            return file.read(most)
    except OSError as error:
        # The same type, so that a file that is missing is known from one that cannot be read now.
        raise type(error)(f"{path}: cannot be read: {error.strerror or error}") from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _refuse_link(path: Path, name: str, folder: int) -> None:
    if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
        raise ValueError(f"{path}: {name} is a link, which is not followed")
