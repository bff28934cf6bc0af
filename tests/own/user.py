"""The programs and networks of a user's own pieces."""

from pathlib import Path
from typing import Any

import tomlkit

from bench import Experiment
from bench.lane.grouping import programs
from bench.lane.network import Network
from bench.lane.program import Program
from bench.spec import ModelSpec
from tests.conftest import XOR

PIECES = Path(__file__).with_name("pieces.txt").read_text()
"""Source of a module of pieces, right ones and wrong ones."""


def planned(**changes: Any) -> list[Program]:
    """The programs of an experiment, as its file would be read."""
    wanted = Experiment.parse(tomlkit.dumps({**XOR, **changes}))
    return programs(wanted.cells, wanted.probes, wanted.track)


def network(name: str, inputs: int = 2, outputs: int = 1, **options: Any) -> Network:
    return Network(ModelSpec.model_validate({"name": name, **options}), inputs, outputs)
