"""The columns of a run's rows and curves that have the same names in every experiment.

An experiment adds a column for each axis of its grid (between `cell` and `data_seed`), for each setting of its map (after `init_seed`), and
`<probe>_initial` and `<probe>_final` for each probe (after `grad_norm_final`); its curves add a column for each probe of `track`.
"""

from dataclasses import dataclass
from typing import Any, Literal

Null = Literal["never", "not finite", "diverged", "not reached", "not failed"]
"""When a value is missing, in a run whose task and model have the column at all: never; where the number is not finite; where the run
diverged or the number is not finite; where the event whose step the column holds did not happen; where the run was solved or diverged, or
the number is not finite."""
Source = Literal["every run", "metric", "test data", "metric and test data", "tie spread", "ends"]
"""Which runs have values in a column: every run; those whose loss has a metric; those whose task has test data; those whose loss has a
metric and whose task has test data; those that track `tie_spread`; those of experiments with `ends = true`."""


@dataclass(frozen=True)
class Column:
    """A column of the rows or curves: its name, what it holds, its type, and when it has a value."""

    name: str
    holds: str
    type: Literal["text", "integer", "real"]
    null: Null = "never"
    source: Source = "every run"
    needed: bool = True
    """Whether a report cannot do without the column."""
    counts_steps: bool = False
    """Whether the column holds a number of steps."""
    stem: str = ""
    """The name by which `unreported` leaves the column out, like `metric` for `metric_final`; empty: only a pattern can."""


ENDS: Any = {"source": "ends", "needed": False}
ROW_COLUMNS = (
    Column("experiment", "name of the experiment", "text"),
    Column("cell", "id of the cell", "text"),
    Column("data_seed", "seed of the data", "integer"),
    Column("init_seed", "seed of the initial parameters", "integer"),
    Column("outcome", "how the training run ended: solved, unsolved, stuck or diverged", "text"),
    Column("steps_to_solve", "steps until the run was solved", "integer", "not reached", counts_steps=True),
    Column("steps_run", "steps until the run ended", "integer", counts_steps=True),
    Column("learning_rate", "the learning rate, as a number", "real", "not finite"),
    Column("loss_initial", "training loss at the start", "real", "not finite", needed=False, stem="loss_initial"),
    Column("loss_final", "training loss at the end", "real", "diverged"),
    Column("metric_final", "metric on the training data", "real", "diverged", "metric", needed=False, stem="metric"),
    Column("test_loss_final", "loss on the test data", "real", "diverged", "test data", needed=False, stem="test_loss"),
    Column("test_metric_final", "metric on the test data", "real", "diverged", "metric and test data", needed=False, stem="test_metric"),
    Column("grad_norm_initial", "norm of the gradient at the start", "real", "not finite", needed=False, stem="grad_norm"),
    Column("grad_norm_final", "norm of the gradient at the end", "real", "diverged", needed=False, stem="grad_norm"),
    Column("break_step", "steps until the tied units came apart", "integer", "not reached", "tie spread", needed=False, counts_steps=True),
    Column(
        "end", "where the run was heading: minimum, saddle, plateau, late or unknown; its outcome if solved or diverged", "text", **ENDS
    ),
    Column("end_loss", "training loss at that end, to four digits", "real", "not failed", **ENDS),
    Column(
        "end_index",
        "negative eigenvalues of the Hessian there; of a plateau below -0.01 / time",
        "real",
        "not failed",
        **ENDS,
    ),
    Column("end_flat", "number of eigenvalues that cannot be told from 0", "real", "not failed", **ENDS),
    Column("end_distance", "distance of that end as a share of the norm of the parameters, to two digits", "real", "not failed", **ENDS),
    Column("end_time", "time of the gradient flow until there, in steps times learning rate, to two digits", "real", "not failed", **ENDS),
    Column("params_digest", "digest of the final parameters, in hexadecimal digits", "text"),
)
"""The columns of the rows, in the order of the file."""
CURVE_COLUMNS = (
    Column("cell", "id of the cell", "text"),
    Column("data_seed", "seed of the data", "integer"),
    Column("init_seed", "seed of the initial parameters", "integer"),
    Column("step", "steps before this point", "integer", counts_steps=True),
    Column("loss", "training loss at this step", "real", "not finite"),
)
"""The columns of the curves, in the order of the file."""

NEEDED = tuple(column.name for column in ROW_COLUMNS if column.needed)
"""Columns of the rows that a report cannot do without."""
COMMON = ("curves", *dict.fromkeys(column.stem for column in ROW_COLUMNS if column.stem))
"""Names by which `unreported` leaves out the curves, or columns that every experiment has."""
