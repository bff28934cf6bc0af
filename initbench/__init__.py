"""The face of the suite: what a user imports, and the command `initbench`.

A name is imported when it is first asked for, so that the command answers signals from its first moment on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from analysis import judge, summarize
    from analysis.judging.numbers import judge_file
    from bench import Experiment
    from bench.losses import loss
    from bench.models.activations import Hidden, activate
    from bench.tasks.definition import Data, Task
    from initbench.pieces import Audit, Check, audit, check
    from initbench.training import load, run
    from initbench.view import Run
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'initbench' has no attribute '{name}'; it has {', '.join(__all__)}")
        from importlib import import_module

        return getattr(import_module(_HOMES.get(name, "analysis")), name)


__all__ = [
    "Audit",
    "Check",
    "Data",
    "Experiment",
    "Hidden",
    "Run",
    "Task",
    "activate",
    "audit",
    "check",
    "judge",
    "judge_file",
    "load",
    "loss",
    "run",
    "summarize",
]

_HOMES = {
    "Experiment": "bench",
    "Run": "initbench.view",
    "judge_file": "analysis.judging.numbers",
    "loss": "bench.losses",
    **dict.fromkeys(("Audit", "Check", "audit", "check"), "initbench.pieces"),
    **dict.fromkeys(("Data", "Task"), "bench.tasks.definition"),
    **dict.fromkeys(("Hidden", "activate"), "bench.models.activations"),
    **dict.fromkeys(("load", "run"), "initbench.training"),
}
"""Modules of the names; all others come from `analysis`."""


def __dir__() -> list[str]:
    return [*globals(), *__all__]
