"""Train thousands of seeded initializations in parallel and keep one row of each."""

import os

# Factorizations run one to a device, and the devices are the cores: more threads would wait for each other, spinning. Before SciPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bench.linalg import one_at_a_time  # noqa: E402
from bench.startup import check_platforms, configure  # noqa: E402

configure()  # before anything starts JAX
check_platforms()
one_at_a_time()

from bench.runs.progress import Progress  # noqa: E402
from bench.runs.train import run  # noqa: E402  (JAX must be configured first)
from bench.spec import Experiment  # noqa: E402

__all__ = ["Experiment", "Progress", "run"]
