"""`python -m tests.faults.often ARGUMENT...`: the command line, which writes what a cluster sends as soon as it comes."""

import bench.cluster.executor as executor
from initbench.cli.app import app

if __name__ == "__main__":
    vars(executor).update(FLUSH_SECONDS=0.0)
    app()
