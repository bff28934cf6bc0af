"""Train thousands of seeded initializations in parallel and keep one row of each."""

from bench.run import Progress, run
from bench.spec import Experiment

__all__ = ["Experiment", "Progress", "run"]
