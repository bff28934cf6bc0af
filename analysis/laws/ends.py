"""The ends of training runs that failed."""

import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import law
from analysis.rows.load import Run
from bench.runs.contents import ENDS

SOME = 0.0
"""Least share of training runs that must fail."""


@law(share=0.95)
def certified_ends(run: Run, found: Evidence) -> None:
    """At least 95% of the training runs that do not solve their task have an end that is certified: a stationary point (gradient norm at
    most 1e-10) without negative eigenvalues (minimum) or with some (saddle), a gradient flow along which the loss falls like 1/t, or more
    slowly, to a value that does not solve the task while the weights grow without bound (plateau), or one that solves it (late)."""
    lanes = found.lanes(run.lanes)
    failed = lanes.where(np.isin(lanes["outcome"].astype(str), ["unsolved", "stuck"]), SOME)
    ends = failed["end"].astype(str)
    failed.facts(ends != "unknown")
    found.note(", ".join(f"{kind} {int(np.sum(ends == kind)):,}" for kind in ENDS))
