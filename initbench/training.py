"""Training and reading from Python, with the same checks beforehand as on the command line."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax

from analysis.judging.checks import check
from analysis.rows import load as rows
from bench.runs import train
from bench.runs.own import forget_changed
from bench.runs.progress import Progress, Watch
from bench.runs.storage import place
from bench.spec import Experiment, modules_named
from initbench.cli.progress import Told
from initbench.cli.tables import Terminal
from initbench.executors import executor
from initbench.reading import given
from initbench.view import Run


def run(
    experiment: Experiment | Path | str | None = None,
    /,
    out: Path | str = "results/runs",
    *,
    seeds: int | Mapping[str, Any] | None = None,
    progress: bool = True,
    devices: list[jax.Device] | None = None,
    watch: Watch | None = None,
    mixed: bool = False,
    fresh: bool = False,
    on: str | None = None,
    **settings: Any,
) -> Run:
    """Train an experiment into `out/<name>` and return its run; resumes, repairs, and trains only what is not there yet.

    The experiment is an `Experiment`, the text of an experiment file, the path of one, the name of one that comes with the package, or
    nothing: then keyword arguments are what a file would say. Where a file has a name, such as `my_pieces:my_initializer`, a function or
    class of an importable module may stand. Without `name` the folder is called after the settings, so that more seeds are added to it.

    >>> import initbench as ib
    >>> found = ib.run(
    ...     name="small",
    ...     task="xor",
    ...     model={"name": "mlp", "widths": [3]},
    ...     optimizer={"name": "sgd", "learning_rate": 0.5},
    ...     training={"steps": 500, "solved_below": 0.1},
    ...     grid={"initializer": ["zeros", "glorot_normal"]},
    ...     claim=[
    ...         {
    ...             "id": "random",
    ...             "says": "Random starts find XOR.",
    ...             "where": {"initializer": "glorot_normal"},
    ...             "measure": "solved",
    ...             "at_least": 0.3,
    ...         }
    ...     ],
    ...     seeds=40,
    ...     progress=False,
    ... )
    >>> len(found.lanes)
    80

    `seeds` is the number of init seeds per cell, or in keyword arguments the table `seeds`. Progress is shown in a terminal or notebook
    unless `progress` is false, and told to `watch`. `mixed`, `fresh` and `on` (a cluster, such as "local:4") are those of the command
    line; a script may start a cluster below `if __name__ == "__main__":` alone. An interrupt keeps the training runs that have ended, and
    the same call goes on.

    ValueError with one line if the experiment is wrong, or if a claim, a measure or a figure cannot be judged or drawn from the rows that
    there will be: before anything is trained. Errors of training pass through.
    """
    wanted = given(experiment, seeds, settings)
    if forget_changed(wanted):
        wanted = given(experiment.text if isinstance(experiment, Experiment) else experiment, seeds, settings)
    check(wanted)

    telling = Told(wanted.name, place(out) / wanted.name, Terminal()) if progress else nullcontext()
    with executor(on, mixed=mixed) as trainer, telling as told:
        folder = train.run(wanted, out, devices, _all_of(told.watch if told else None, watch), mixed, fresh, trainer)
    return load(folder, modules_named(wanted, figures=True))


def load(folder: Path | str, trust: Iterable[str] = (), interim: bool = False) -> Run:
    """Read the run of a folder, or of a report's copy of its rows, without training.

    Nothing that the folder names is imported, except the modules in `trust`. With `interim` a run that is not complete is read as well.
    ValueError with one line if the folder is missing, broken, not complete, or not what its experiment can give.

    >>> import initbench as ib
    >>> ib.load("results/runs/small").lanes["outcome"].value_counts()["stuck"]
    np.int64(40)
    """
    return Run.of(rows.load(folder, trust, interim))


def _all_of(*watches: Watch | None) -> Watch:
    """Return a watch that tells all of these that there are."""

    def watch(progress: Progress) -> None:
        for one in watches:
            if one is not None:
                one(progress)

    return watch
