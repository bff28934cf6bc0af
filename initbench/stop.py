"""SIGINT and SIGTERM: what is said, how soon, and with which exit code (130 and 143)."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 5.0
"""Training that has not come to a safe moment after this long is ended where it stands."""
CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal came while an experiment was trained, and all that has ended is about to be written."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"initbench: {text}\n")


def leave(code: int) -> None:
    """End this process now, without waiting for threads that compile or for libraries that clean up, and end the processes it started."""
    if "multiprocessing.process" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.terminate()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def end(number: int, frame: FrameType | None = None) -> None:
    """A signal handler: one line, and the end."""
    say(f"stopped by {signal.Signals(number).name}; what was written before is kept, and the same command does the rest")
    leave(128 + number)


def end_at_once() -> None:
    """Answer signals from now on with one line and the end: nothing that would be left half-done is under way."""
    for number in CAUGHT:
        signal.signal(number, end)


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Context for training; yields a function that raises `Stopped` once a signal has come, to be called at safe moments.

    A second signal, or none of these moments for `GRACE_SECONDS`, ends the process where it stands.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Python hands signals to the main thread alone.
        yield lambda: None
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if came:
            end(number)
        came.append(number)
        deadline = threading.Timer(GRACE_SECONDS, end, (number,))
        deadline.daemon = True
        deadline.start()

    def check() -> None:
        if came:
            raise Stopped(came[0])

    before = {number: signal.signal(number, stop) for number in CAUGHT}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
