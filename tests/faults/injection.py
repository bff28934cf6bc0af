"""Faults of the disk and the clock, injected into this process by an audit hook and by wrapping what Python writes files with.

Nothing is injected until one of `die`, `fail`, `refuse`, `fill` or `jump` is called, and then only into what happens below one folder.
"""

import builtins
import datetime
import errno
import io
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = {"os.rename": "rename", "os.remove": "unlink", "os.mkdir": "mkdir", "os.rmdir": "rmdir", "os.truncate": "truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
DIED = 77
"""Exit code of a process that `die` ended: no handler, no flush, as at a kill or a power cut."""


@dataclass
class _Disk:
    """What goes wrong below `folder`, and how many operations were done there so far."""

    folder: str = ""
    before: Callable[[int, str, str], object] = lambda number, kind, path: None
    """Called with the number, kind and path of each operation before it is done."""
    capacity: int | None = None
    """Bytes that the folder can hold."""
    done: int = 0


_disk = _Disk()
_hooked = False


def count(folder: Path, numbers: Path) -> None:
    """Append a byte to a file for each operation below the folder, and inject nothing."""
    numbers.touch()

    def before(number: int, kind: str, path: str) -> None:
        with numbers.open("ab") as file:
            file.write(b".")

    _arm(folder, before)


def die(folder: Path, at: int) -> None:
    """End the process just before the operation of this number below the folder."""

    def before(number: int, kind: str, path: str) -> None:
        if number == at:
            os._exit(DIED)

    _arm(folder, before)


def fail(folder: Path, at: int) -> None:
    """The operation of this number below the folder fails: an error of the device."""

    def before(number: int, kind: str, path: str) -> None:
        if number == at:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    _arm(folder, before)


def refuse(folder: Path, part: str) -> None:
    """Everything below the folder whose path contains `part` is on a file system that is mounted read-only."""

    def before(number: int, kind: str, path: str) -> None:
        if part in path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    _arm(folder, before)


def fill(folder: Path, capacity: int) -> None:
    """The disk of this folder is full once the folder holds that many bytes."""
    _arm(folder, lambda number, kind, path: None)
    _disk.capacity = capacity


def relent() -> None:
    """From now on nothing goes wrong."""
    _disk.folder, _disk.capacity = "", None


def jump(seed: int) -> None:
    """The clocks of this process leap: the time of day by up to a day either way, and the steady clock forward by up to an hour."""
    rng = random.Random(seed)
    true_time, true_steady, true_monotonic = time.time, time.perf_counter, time.monotonic
    leaps = [0.0]

    def steady(true: Callable[[], float]) -> Callable[[], float]:
        def now() -> float:
            if rng.random() < 0.02:
                leaps[0] += rng.uniform(0, 3600)
            return true() + leaps[0]

        return now

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.fromtimestamp(time.time(), tz)

    patched: Any = time
    patched.time = lambda: true_time() + rng.uniform(-86400, 86400)
    patched.perf_counter, patched.monotonic = steady(true_steady), steady(true_monotonic)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("bench", "analysis") and getattr(module, "datetime", None) is datetime.datetime:
            vars(module)["datetime"] = Jumping


def _arm(folder: Path, before: Callable[[int, str, str], object]) -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        _wrap()
        sys.addaudithook(_audit)
    _disk.folder, _disk.before, _disk.capacity, _disk.done = os.path.abspath(folder), before, None, 0


def _met(kind: str, path: Any) -> None:
    """Note an operation, and let it go wrong."""
    path = os.path.abspath(os.fsdecode(path))
    if _disk.folder and (path + os.sep).startswith(_disk.folder + os.sep):
        _disk.done += 1
        _disk.before(_disk.done, kind, path)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _disk.folder:
        return
    if event in EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
        _met(EVENTS[event], arguments[0])
    elif (
        event == "open" and isinstance(arguments[0], str | bytes | os.PathLike) and isinstance(arguments[2], int) and arguments[2] & WRITING
    ):
        _met("open", arguments[0])


class _Raw(io.FileIO):
    """A file on a disk that may be full: it takes what there is room for, and then nothing more."""

    def write(self, data: Any) -> int:
        _make_sure_of_room(_path_of(self.fileno()))
        room = _room()
        return super().write(memoryview(data)[: max(room, 1)] if room is not None else data) or 0


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _room() -> int | None:
    """Bytes for which there is room in the folder."""
    if _disk.capacity is None or not _disk.folder:
        return None
    files = (os.path.join(place, name) for place, _, names in os.walk(_disk.folder) for name in names)
    return _disk.capacity - sum(os.path.getsize(file) for file in files)


def _make_sure_of_room(path: str) -> None:
    room = _room()
    if room is not None and room <= 0 and path.startswith(_disk.folder + os.sep):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _wrap() -> None:
    """Have every file that is written below the folder go through `_Raw`, and count fsyncs."""
    true_open, true_fsync, true_write = io.open, os.fsync, os.write

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        names = _disk.capacity is not None and _disk.folder and any(letter in mode for letter in "wax+")
        path = _path_of(file) if isinstance(file, int) else os.path.abspath(os.fsdecode(file))
        if not names or not path.startswith(_disk.folder + os.sep):
            return true_open(file, mode, buffering, *rest, **named)
        raw = _Raw(file, mode.replace("b", "").replace("t", ""))
        binary: Any = io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, *rest, **named)

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        _met("fsync", _path_of(number))
        true_fsync(descriptor)

    def write(descriptor: int, data: Any) -> int:
        if _disk.capacity is not None:
            path = _path_of(descriptor)
            if path.startswith(_disk.folder + os.sep):
                _make_sure_of_room(path)
        return true_write(descriptor, data)

    patched: Any = io
    patched.open = opened
    vars(builtins)["open"] = opened
    patched = os
    patched.fsync, patched.write = fsync, write
