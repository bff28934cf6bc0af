"""Train thousands of seeded initializations in parallel and keep one row of each."""

from bench.engine.devices import configure

configure()  # before anything starts JAX

from bench.spec import Experiment  # noqa: E402
from bench.train import Progress, run  # noqa: E402  (JAX must be configured first)

__all__ = ["Experiment", "Progress", "run"]
