"""Tasks: a data set drawn from a data seed, a loss, and what accuracy or R^2 mean there."""

import sys

from bench.registry import Registry, import_submodules

task = Registry(
    "task",
    contract="a task returns arrays, (x, y) or (x, y, x_test, y_test), a table with a target, a Bunch of scikit-learn, or an "
    "initbench.Task, whose sample(key, dtype) gives the initbench.Data of one data seed",
)

import_submodules(sys.modules[__name__])
