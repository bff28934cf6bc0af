"""Executors train the training runs that a run folder lacks: this process (`bench.runs.this_process`) or a cluster (`bench.cluster`)."""

from typing import Protocol

from bench.runs.folder import RunFolder
from bench.runs.inventory import Inventory
from bench.runs.plan import Plan
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.spec import Experiment


class Executor(Protocol):
    """Trains lanes and writes their rows to a run folder."""

    def check(self, plan: Plan) -> None:
        """Raise ValueError if a plan cannot be trained there."""

    def provenance(self, experiment: Experiment, progress: Progress, watch: Watch) -> Provenance:
        """Return the provenance of rows that are made there; the watcher is told while that is waited for."""
        ...

    def train(self, store: RunFolder, plan: Plan, inventory: Inventory, progress: Progress, watch: Watch) -> None:
        """Train what is missing from the folder and write it part by part; an exception keeps the lanes that have ended."""
