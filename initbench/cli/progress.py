"""Progress of training, told on a terminal as a bar and elsewhere as a line now and then."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from analysis.escape import plain_text
from initbench.cli.tables import err

if TYPE_CHECKING:
    from bench import Progress

LINE_SECONDS = 10.0
"""Time between two lines that say how far training is, where there is no terminal."""


class Told:
    """Context in which `watch` shows how far the training of an experiment is; at its end a line says what was done."""

    def __init__(self, name: str, folder: Path) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[solved]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._name, self._folder = name, folder
        self._bar = Bar(*columns, console=err, disable=not err.is_terminal)
        self._task = self._bar.add_task(name, total=None, rate="", solved="", note="")
        self._started = self._last_line = time.monotonic()
        self.now: Progress | None = None
        """The progress that was told last; None if there was none."""
        self._before = self._said = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        if kind is None and self.now is not None:
            self._tell_facts(self.now)
            done = self.now.done
            seconds = time.monotonic() - self._started
            new = f"{done - self._before:,} new in {seconds:,.0f} s" if done > self._before else "all there before"
            self._tell(f"{done:,} training runs in {self._folder}, {new}")

    def watch(self, progress: "Progress") -> None:
        """Show this progress."""
        rate = f"{progress.seed_steps / progress.seconds:,.0f} seed-steps/s" if progress.seconds else ""
        solved = f"{progress.solved / progress.done:.1%} solved" if progress.done else ""
        note = plain_text(progress.note)
        self._bar.update(self._task, total=progress.lanes, completed=progress.done, rate=rate, solved=solved, note=note)
        self._tell_facts(progress)
        if self.now is None:
            self._before = progress.done
            if progress.done < progress.lanes:
                self._tell(f"{progress.done:,} of {progress.lanes:,} training runs are there, the others go into {self._folder}")
        self.now = progress
        if not err.is_terminal and time.monotonic() - self._last_line > LINE_SECONDS:
            self._last_line = time.monotonic()
            self._tell(", ".join(part for part in (f"{progress.done:,} of {progress.lanes:,}", rate, solved, progress.note) if part))

    def _tell_facts(self, progress: "Progress") -> None:
        """Tell the facts that have come since the last call."""
        for text in progress.said[self._said :]:
            self._tell(text)
        self._said = len(progress.said)

    def _tell(self, text: str) -> None:
        self._bar.console.print(f"{self._name}: {text}", markup=False, highlight=False, soft_wrap=True)
