"""The commands that train: `run` and `reproduce`."""

import math
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from initbench.cli.errors import clean
from initbench.cli.options import LOCAL, PLACE, Fresh, Insecure, Mixed, Seeds, TlsCa, TlsCert, TlsKey
from initbench.cli.progress import Told
from initbench.cli.report import write_and_print
from initbench.cli.tables import err, out
from initbench.executors import executor
from initbench.stop import Stoppable, Stopped, leave, say

if TYPE_CHECKING:
    from bench import Experiment, Progress
    from bench.runs.executor import Executor
    from bench.runs.shards import Shard

Names = Annotated[list[str], typer.Argument(metavar="NAME-or-FILE...", help="Experiments by name, or TOML files.")]
Sets = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the experiment file.")]


@clean
def run(
    names: Names,
    seeds: Seeds = None,
    settings: Sets = [],  # noqa: B006  (typer wants a list)
    folder: Annotated[Path, typer.Option("--out", help="Where run folders go.", **PLACE)] = Path("results/runs"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print cells, training runs, programs, memory and time; train nothing.")
    ] = False,
    mixed: Mixed = False,
    fresh: Fresh = False,
    share: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Train shard I of N, counted from 0, alone; auto: as a batch system numbers it."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="CLUSTER", help="local:N, tcp://HOST:PORT, tls://HOST:PORT, scheduler.json, or slurm.toml; none: here."
        ),
    ] = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
) -> None:
    """Train an experiment; resumes, repairs what is damaged, takes over what shards have, and computes only what is not there yet."""
    if share and fresh:
        raise ValueError("--shard with --fresh: a shard that is submitted again would lose what it has; remove the folder of the shard")
    experiments = [read_experiment(name, seeds, settings) for name in names]
    if dry_run:
        for experiment in experiments:
            _describe(experiment, _shard(share, folder / experiment.name))
        return
    with executor(on, (tls_ca, tls_cert, tls_key), insecure, mixed, told=_tell) as place:
        for experiment in experiments:
            train(experiment, folder, mixed, fresh, place, _shard(share, folder / experiment.name))


def _shard(text: str | None, folder: Path) -> "Shard | None":
    """Return the shard of a run folder that a text names."""
    from bench.runs.shards import Shard

    return None if text is None else Shard.parse(text, os.environ, folder)


@clean
def reproduce(
    names: Annotated[list[str], typer.Argument(metavar="[NAME]...", help="Experiments; none: the headline ones.")] = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="All experiments that come with the package.")] = False,
    seeds: Seeds = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder of `runs` and `reports`.", **LOCAL)] = Path("results"),
    mixed: Mixed = False,
    fresh: Fresh = False,
) -> None:
    """Run and report in one: train, judge, and print the verdicts."""
    from bench.spec import catalog, modules_named

    wanted = names or (catalog.names() if everything else catalog.headlines())
    experiments = [read_experiment(name, seeds, []) for name in wanted]
    runs = [train(experiment, folder / "runs", mixed, fresh) for experiment in experiments]
    # The modules that the user has just trained with are trusted.
    trust = [module for experiment in experiments for module in modules_named(experiment, figures=True)]
    write_and_print(runs, folder / "reports", trust)


def read_experiment(name: str, seeds: int | None, settings: list[str]) -> "Experiment":
    """Read an experiment by its name or from a file, with `settings` (texts KEY=VALUE) in place of its own, and check it.

    ValueError if it cannot be read, trained, judged or drawn as it stands.
    """
    from analysis.judging.checks import check
    from bench.spec import catalog
    from initbench.reading import seeded

    overrides: dict[str, Any] = {}
    for setting in settings:
        key, value = key_and_value(setting, "--set", "training.steps=100")
        overrides[key] = value
    experiment = seeded(lambda values: catalog.read(name, values), seeds, overrides)
    check(experiment)
    return experiment


def key_and_value(text: str, option: str, example: str) -> tuple[str, Any]:
    """Return the key of a text KEY=VALUE, and its value as in TOML, or as a text if it is none; ValueError if it is no such text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise ValueError(f"{option} {text}: needs KEY=VALUE, for example {example}")
    return key, toml_value(value)


def toml_value(text: str) -> Any:
    """Return a value as in TOML, or the text itself if it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def train(
    experiment: "Experiment",
    folder: Path,
    mixed: bool,
    fresh: bool,
    place: "Executor | None" = None,
    shard: "Shard | None" = None,
) -> Path:
    """Train an experiment, or a shard of it, into a folder of its name and show how far it is.

    A signal keeps the training runs that have ended.
    """
    from bench import run as train_experiment

    where = folder / experiment.name
    where = shard.folder(where) if shard else where
    with Stoppable() as check, Told(experiment.name, where, err) as told:

        def watch(progress: "Progress") -> None:
            told.watch(progress)
            check()

        try:
            return train_experiment(experiment, folder, watch=watch, mixed=mixed, fresh=fresh, executor=place, shard=shard)
        except Stopped as stopped:
            now = told.now
            kept = f"{now.done:,} of {now.lanes:,} training runs" if now else "all training runs that were there"
            say(f"stopped by {stopped.name}: {kept} of '{experiment.name}' are kept in {where}")
            say("the same command goes on with the rest")
            if place is None:
                # Threads may be compiling, and nobody waits for what they compile.
                leave(stopped.exit_code)
            # Processes that were started for a cluster are ended on the way out: jobs of a batch system are canceled.
            raise typer.Exit(stopped.exit_code) from stopped


def _tell(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def _describe(experiment: "Experiment", shard: "Shard | None") -> None:
    """Print what a run would do: cells, training runs, programs, and from a short trial of some of them memory and time."""
    from bench.runs.estimate import estimate
    from bench.runs.plan import plan as planned

    plan = estimate(experiment)
    table = Table(title=experiment.name, title_justify="left")
    for axis in ("cell", *experiment.axes, "training runs"):
        table.add_column(axis)
    for cell in experiment.cells:
        table.add_row(cell.id, *(str(cell.axes[axis]) for axis in experiment.axes), f"{len(experiment.seeds):,}")
    out.print(table)
    seconds = f"about {plan.seconds:,.0f} s of training, if all training runs end as those of a trial did"
    if math.isnan(plan.seconds):
        seconds = "unknown time of training, since no training run of the trial made a step"
    tried = "" if plan.tried == plan.programs else f" (from a trial of {plan.tried} programs)"
    memory = f"about {plan.memory_bytes / 2**20:,.0f} MiB of training runs in flight"
    out.print(
        f"{len(experiment.cells)} cells, {experiment.lanes:,} training runs, {plan.programs} programs; {memory}, "
        f"{seconds}, and {plan.compile_seconds:,.0f} s of compiling and testing programs{tried}"
    )
    if shard:
        own = len(shard.lanes(planned(experiment)))
        out.print(f"shard {shard.index} of {shard.count}, counted from 0: {own:,} of these training runs ({own / experiment.lanes:.1%})")
