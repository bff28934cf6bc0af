"""Train thousands of seeded initializations in parallel and keep one row of each."""

from bench.engine.devices import configure

configure()  # before anything starts JAX

from bench.run import Progress, run  # noqa: E402  (JAX must be configured first)
from bench.spec import Experiment  # noqa: E402

__all__ = ["Experiment", "Progress", "run"]
