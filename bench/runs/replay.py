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

    `logged`: whether the curves of all of them are kept, and not only of those whose curves the run keeps as well. ValueError if
    `block_width` is not one width for each program, since bits depend on the width.
    """
    planned = plan(experiment)
    if len(block_width) != len(planned.programs):
        raise ValueError(f"run.json has {len(block_width)} widths of blocks for {len(planned.programs)} programs")
    table, rows, curves = planned.lanes, [], []
    wanted = np.sort(table.numbering.of(lanes[LANE]))
    for index, (program, width) in enumerate(zip(planned.programs, block_width, strict=True)):
        numbers = wanted[table.of_program(index).contains(wanted)]
        if len(numbers):
            lanes_again, pool = table.lanes(program, numbers), Pool(program, lane_mesh(), width)
            batch = joined(list(pool.run(lanes_again, program.log_steps)))
            rows.append(table.rows(batch))
            if logged and not np.all(lanes_again.logged):
                # A run whose curve is kept has its loss checked more often, and can be seen to overflow earlier than its row says.
                batch = joined(list(pool.run(replace(lanes_again, logged=np.full(len(numbers), True)), program.log_steps)))
            curves.append(table.curves(batch))
    return Again(as_frame(pa.concat_tables(rows)), as_frame(pa.concat_tables(curves)))
