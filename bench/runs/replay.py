"""One training run of an experiment, trained again and alone."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.engine.pool import Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh
from bench.runs.parquet import LANE, as_frame
from bench.runs.plan import plan
from bench.spec import Experiment


class Again(NamedTuple):
    """A training run that was trained again."""

    row: pd.Series
    """Its row, with the columns of the file format."""
    curve: pd.DataFrame
    """Its curve: step, loss and tracked probes."""


def train_again(experiment: Experiment, lane: pd.Series, block_width: tuple[int, ...]) -> Again:
    """Train the run with this cell and these seeds (columns LANE) once more, at the widths of blocks that `run.json` recorded.

    ValueError if `block_width` is not one width for each program, since bits depend on the width.
    """
    planned = plan(experiment)
    if len(block_width) != len(planned.programs):
        raise ValueError(f"run.json has {len(block_width)} widths of blocks for {len(planned.programs)} programs")
    number = next(index for index, one in enumerate(planned.programs) if lane["cell"] in [cell.id for cell in one.cells])
    program, table = planned.programs[number], planned.lanes
    lanes = table.lanes(program, table.numbering.of(pd.DataFrame([lane[LANE]])))
    pool = Pool(program, lane_mesh(), block_width[number])
    batch = joined(list(pool.run(replace(lanes, logged=np.ones(len(lanes), bool)), program.log_steps)))
    return Again(as_frame(table.rows(batch)).iloc[0], as_frame(table.curves(batch)))
