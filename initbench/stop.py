"""SIGINT and SIGTERM: what is said, how soon, and with which exit code (130 and 143).

This module is the first that the command imports, so it imports as little as it can.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

GRACE_SECONDS = 5.0
"""Training that has not come to a safe moment after this long is ended where it stands."""
AGAIN_SECONDS = 0.05
"""How long after `Stopped` was lost it is raised again."""
CAUGHT = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"
"""The escape sequence that makes a terminal show its cursor, which a progress bar hides."""


class Stopped(BaseException):
    """A signal came: while an experiment is trained, all that has ended is about to be written; else, what is half-done is about to be
    removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"initbench: {text}\n")


def leave(code: int) -> None:
    """End this process now, without waiting for threads that compile or for libraries that clean up, and end the processes it started."""
    _end_children()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
    finally:
        # Also where nobody reads any more, or a signal came in the middle of another flush.
        os._exit(code)


def _end_children() -> None:
    if "multiprocessing.process" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.terminate()


def end(number: int, frame: FrameType | None = None) -> None:
    """A signal handler: one line, and the end."""
    _answer()
    try:
        say(f"stopped by {signal.Signals(number).name}; what was written before is kept, and the same command does the rest")
    finally:
        leave(128 + number)


def end_at_once() -> None:
    """Answer signals from now on with one line and the end: nothing that would be left half-done is under way."""
    if "--multiprocessing-fork" in sys.orig_argv:
        # A process that multiprocessing has started: its parent answers, and ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return
    for number in CAUGHT:
        signal.signal(number, end)
    if os.name == "posix":
        _watch_over()


_answered = 0.0
"""When a handler was called last. Python calls handlers in the main thread alone, and not while a library's code runs there."""


def _answer() -> None:
    global _answered
    _answered = time.monotonic()


def _watch_over() -> None:
    """End the process from another thread where the main thread does not come back from a library to answer a signal."""
    import threading

    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_end_unanswered, args=(heard,), daemon=True).start()


def _end_unanswered(heard: int) -> None:
    while True:
        number = os.read(heard, 1)[0]
        if number in CAUGHT:
            before = time.monotonic() - AGAIN_SECONDS
            time.sleep(GRACE_SECONDS)
            if _answered < before:
                end(number)


def _catch(handler: Any) -> dict[int, Any]:
    """Answer signals with this handler, and return what answered them before; nothing outside of the main thread, to which Python hands
    all signals."""
    import threading

    is_main = threading.current_thread() is threading.main_thread()
    return {number: signal.signal(number, handler) for number in CAUGHT} if is_main else {}


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


class Unwinding:
    """Context for a command; a signal raises `Stopped` in it, so that temporary files go, and ends the process on the way out.

    The processes that the command started are ended first, for it would wait for them. A second signal ends it where it stands. Where
    Python drops exceptions (a finalizer, a callback of its garbage collector), `Stopped` is raised once more soon after.
    """

    def __enter__(self) -> None:
        self._before = _catch(self._stop)
        self._dropped, sys.unraisablehook = sys.unraisablehook, self._once_more

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Stopped):
            end(error.number)
        sys.unraisablehook = self._dropped
        _restore(self._before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        _answer()
        _catch(end)
        _end_children()
        raise Stopped(number)

    def _once_more(self, dropped: Any) -> None:
        if not isinstance(dropped.exc_value, Stopped):
            return self._dropped(dropped)
        import _thread
        import threading

        _catch(self._stop)
        number = dropped.exc_value.number
        if hasattr(signal, "pthread_kill"):
            # Also wakes a main thread that waits for something.
            again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (threading.main_thread().ident, number))
        else:
            again = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main, (number,))
        again.daemon = True
        again.start()


class Stoppable:
    """Context for training; gives a function that raises `Stopped` once a signal has come, to be called at safe moments.

    A second signal, or none of these moments for `GRACE_SECONDS`, ends the process where it stands, and so does a context that ends well
    without such a moment. Outside of the main thread, to which Python hands all signals, nothing is caught.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._before: dict[int, Any] = {}
        self._deadline: Any = None

    def __enter__(self) -> Callable[[], None]:
        self._before = _catch(self._stop)
        return self._check

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        _restore(self._before)
        if self._came:
            self._deadline.cancel()
            if kind is None:
                end(self._came[0])

    def _stop(self, number: int, frame: FrameType | None) -> None:
        import threading

        _answer()
        if self._came:
            end(number)
        self._came.append(number)
        self._deadline = threading.Timer(GRACE_SECONDS, end, (number,))
        self._deadline.daemon = True
        self._deadline.start()

    def _check(self) -> None:
        if self._came:
            # Training runs that have ended are written now, however long that takes.
            self._deadline.cancel()
            raise Stopped(self._came[0])
