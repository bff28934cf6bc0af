"""Progress of training, told on a terminal and in a notebook as a bar, and elsewhere as a line now and then."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from analysis.escape import plain_text

if TYPE_CHECKING:
    from bench import Progress

LINE_SECONDS = 10.0
"""Time between two lines that say how far training is, where there is neither a terminal nor a notebook."""
NOTEBOOK_SECONDS = 0.25
"""Time between two updates of the bar in a notebook."""


class Told:
    """Context in which `watch` shows on a console how far the training of an experiment is; at its end a line says what was done."""

    def __init__(self, name: str, folder: Path, console: Console) -> None:
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
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(name, total=None, rate="", solved="", note="")
        self._started = self._last_told = time.monotonic()
        self._output: Any = None
        """The place in the notebook where the bar stands, if there is one."""
        self.now: Progress | None = None
        """The progress that was told last; None if there was none."""
        self._before = self._said = 0

    def __enter__(self) -> Self:
        self._bar.start()
        if self._bar.console.is_jupyter:
            from IPython.display import display

            # Rich itself shows a bar in a notebook only with ipywidgets.
            self._output = display(self._bar, display_id=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        if self._output is not None:
            self._output.update(self._bar)
        if kind is None and self.now is not None:
            self._tell_facts(self.now)
            done = self.now.done
            seconds = time.monotonic() - self._started
            new = f"{done - self._before:,} new in {seconds:,.0f} s" if done > self._before else "all there before"
            self._tell(f"{done:,} training runs in {self._folder}, {new}")

    def watch(self, progress: "Progress") -> None:
        """Show this progress."""
        rate = f"{progress.seed_steps / progress.seconds:,.0f} seed-steps/s" if progress.seconds else ""
        solved = f"{progress.solved / progress.done:.1%} solved" if progress.done and progress.can_solve else ""
        note = plain_text(progress.note)
        self._bar.update(self._task, total=progress.lanes, completed=progress.done, rate=rate, solved=solved, note=note)
        self._tell_facts(progress)
        if self.now is None:
            self._before = progress.done
            if progress.done < progress.lanes:
                self._tell(f"{progress.done:,} of {progress.lanes:,} training runs are there, the others go into {self._folder}")
        self.now = progress
        self._tell_pace(", ".join(part for part in (f"{progress.done:,} of {progress.lanes:,}", rate, solved, progress.note) if part))

    def _tell_pace(self, text: str) -> None:
        """Tell how far training is where no terminal shows the bar, if it is time to."""
        since = time.monotonic() - self._last_told
        if self._output is not None and since > NOTEBOOK_SECONDS:
            self._output.update(self._bar)
        elif self._output is None and not self._bar.console.is_terminal and since > LINE_SECONDS:
            self._tell(text)
        else:
            return
        self._last_told = time.monotonic()

    def _tell_facts(self, progress: "Progress") -> None:
        """Tell the facts that have come since the last call."""
        for text in progress.said[self._said :]:
            self._tell(text)
        self._said = len(progress.said)

    def _tell(self, text: str) -> None:
        self._bar.console.print(f"{self._name}: {text}", markup=False, highlight=False, soft_wrap=True)
