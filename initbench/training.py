"""Training from Python, with the same checks beforehand as on the command line."""

from pathlib import Path
from typing import Any

from analysis import Run, load
from analysis.judging.checks import check
from bench import Experiment
from bench.runs import train


def run(experiment: Experiment, out: Path | str = "results/runs", **options: Any) -> Run:
    """Train an experiment into `out/<name>` and return its run; resumes, repairs, and trains only what is not there yet.

    `options` are those of `bench.runs.train.run`: `devices`, `watch`, `mixed`, `fresh`. ValueError with one line, before anything is
    trained, if a claim, a measure or a figure cannot be judged or drawn from the rows that there will be. Errors of training pass through.
    """
    check(experiment)
    return load(train.run(experiment, out, **options))
