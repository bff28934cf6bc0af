"""Progress of a run, as whoever watches it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """The training runs of an experiment that have ended, and the rate at which others follow."""

    lanes: int
    """Number of training runs of the experiment."""
    done: int
    solved: int = 0
    seed_steps: int = 0
    """Training steps of all training runs together, since the run was started."""
    seconds: float = 0.0
    """Time since training was started."""
    note: str = ""
    """A word on the work at hand, such as compiling, if that is not training."""
    can_solve: bool = True
    """Whether some training run has a loss below which it is solved."""
    said: list[str] = field(default_factory=list)
    """Facts for the user to know afterwards: what was damaged, repaired, mixed."""

    def say(self, watch: "Watch", text: str) -> None:
        """Tell the watcher a fact for the user to know afterwards."""
        self.said.append(text)
        self.note = text
        watch(self)
        self.note = ""


Watch = Callable[[Progress], None]
"""Is called after every segment of training, at the latest; an exception of it ends the run, and training runs that have ended are kept."""
