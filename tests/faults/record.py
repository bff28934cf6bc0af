"""What a family of faults did, and the registry of families."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Record:
    """What happened when one kind of fault was injected many times."""

    fault: str
    how: str
    happened: Counter[str] = field(default_factory=Counter)
    """How often each outcome was seen."""
    lost: int = 0
    """Rows of lanes and points of curves that the end result lacks."""
    doubled: int = 0
    changed: int = 0
    broken: list[str] = field(default_factory=list)
    """One line per promise that was broken."""

    @property
    def tried(self) -> int:
        """How many faults were injected."""
        return self.happened.total()

    def add(self, *rows: tuple[int, int, int]) -> None:
        """Add rows that were lost, doubled, changed."""
        for lost, doubled, changed in rows:
            self.lost, self.doubled, self.changed = self.lost + lost, self.doubled + doubled, self.changed + changed

    @property
    def summary(self) -> str:
        """Each outcome and how often it was seen."""
        return ", ".join(f"{outcome} ({count:,})" for outcome, count in self.happened.most_common())

    def keeps(self, outcome: str) -> None:
        """Count a fault after which everything was as promised."""
        self.happened[outcome] += 1

    def breaks(self, outcome: str, detail: str) -> None:
        """Count a fault after which a promise was broken, and note the details."""
        self.happened[outcome] += 1
        self.note(outcome, detail)

    def note(self, outcome: str, detail: str) -> None:
        """Note a broken promise of a fault that is counted elsewhere."""
        self.broken.append(f"{self.fault}: {outcome}: {' '.join(detail.split())[:400]}")


@dataclass(frozen=True)
class Family:
    """A family of faults: `inject(scratch, tries)` injects that many."""

    name: str
    inject: Callable[[Path, int], Record]
    tries: int
    quick: int


families: dict[str, Family] = {}


def family(tries: int, quick: int) -> Callable[[Callable[[Path, int], Record]], Callable[[Path, int], Record]]:
    """Register a family with its usual number of tries and that of a quick look."""

    def register(inject: Callable[[Path, int], Record]) -> Callable[[Path, int], Record]:
        families[inject.__name__] = Family(inject.__name__, inject, tries, quick)
        return inject

    return register
