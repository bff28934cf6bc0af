"""Training runs of an experiment, trained again from their seeds."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.engine.pool import Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh
from bench.runs.parquet import LANE, as_frame
from bench.runs.plan import plan
from bench.spec import Experiment


class Again(NamedTuple):
    """Training runs that were trained again."""

    rows: pd.DataFrame
    """Their rows, with the columns of the file format, in the order of the experiment's programs."""
    curves: pd.DataFrame
    """Their curves: cell, seeds, step, loss and tracked probes."""


def train_again(experiment: Experiment, lanes: pd.DataFrame, block_width: tuple[int, ...], logged: bool = True) -> Again:
    """Train the runs with these cells and seeds (columns LANE) once more, at the widths of blocks that `run.json` recorded.

    `logged`: whether their curves are kept. ValueError if `block_width` is not one width for each program, since bits depend on the width.
    """
    planned = plan(experiment)
    if len(block_width) != len(planned.programs):
        raise ValueError(f"run.json has {len(block_width)} widths of blocks for {len(planned.programs)} programs")
    table, rows, curves = planned.lanes, [], []
    wanted = np.sort(table.numbering.of(lanes[LANE]))
    for index, (program, width) in enumerate(zip(planned.programs, block_width, strict=True)):
        numbers = wanted[table.of_program(index).contains(wanted)]
        if len(numbers):
            asked = replace(table.lanes(program, numbers), logged=np.full(len(numbers), logged))
            batch = joined(list(Pool(program, lane_mesh(), width).run(asked, program.log_steps)))
            rows.append(table.rows(batch))
            curves.append(table.curves(batch))
    return Again(as_frame(pa.concat_tables(rows)), as_frame(pa.concat_tables(curves)))
