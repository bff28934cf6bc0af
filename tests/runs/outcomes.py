"""A run with every outcome and its report, and how a folder is refused."""

import shutil
from pathlib import Path

import pytest

from analysis.report.write import write_experiment
from analysis.rows.load import load
from bench import Experiment, run
from tests.conftest import XOR

LANES, SEEDS = 24, 6
CASES = [
    {"label": "learns"},
    {"label": "stuck", "initializer": "zeros"},
    {"label": "short", "training.steps": 7},
    {"label": "diverges", "optimizer.learning_rate": 1e30},
]


def every_outcome(folder: Path) -> Path:
    """Make a run with every outcome, `run`, and its report, `xor-test`, in a folder; returns the folder."""
    wanted = {**XOR, "case": CASES, "probes": ["distinct_units"], "training": {"steps": 500, "solved_below": 0.1}}
    shutil.move(run(Experiment.model_validate({**wanted, "seeds": {"init": SEEDS}}), folder), folder / "run")
    write_experiment(folder / "run", folder, ())
    return folder


def refused(folder: Path) -> str:
    """Return why a folder is not read, which must be one line that names it."""
    with pytest.raises(ValueError) as caught:
        load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert len(message) < 1000 + 4 * len(str(folder)) and len(message.splitlines()) == 1
    return message
