"""The command line: `initbench`."""

import io
import json
import math
import os
import platform
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from analysis.escape import plain_text
from initbench.stop import Stoppable, Stopped, Unwinding, leave, say

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure what an initialization changes, over thousands of seeds.",
)


class Terminal(Console):
    """A console that shows every text as it is, in one line: no markup is read from it, and it cannot control the terminal."""

    def render_str(self, text: str, **style: Any) -> Text:
        return super().render_str(plain_text(text), **{**style, "markup": False, "emoji": False})


# Wide enough for its tables when the output is a file.
out = Terminal() if sys.stdout.isatty() else Terminal(width=160)
err = Terminal(stderr=True)

Names = Annotated[list[str], typer.Argument(metavar="NAME-or-FILE...", help="Experiments by name, or TOML files.")]
Sets = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the experiment file.")]
Trust = Annotated[list[str], typer.Option("--trust", metavar="MODULE", help="Import this module although the folder names it; repeatable.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Init seeds per cell instead of the file's number.")]
Mixed = Annotated[bool, typer.Option("--mixed", help="Go on where earlier runs were made with other versions, devices or code; marked.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove what the run folder holds, and train all of it anew.")]
LINE_SECONDS = 10.0
"""Off a terminal, how often a line says how far training is."""


def clean(command: Callable[..., None]) -> Callable[..., None]:
    """Bad input, or too little memory for it, ends in one line on stderr and exit code 2, never in a traceback. A user's own modules are
    found in the current folder."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # What the terminal's encoding does not have.
                stream.reconfigure(errors="replace")
        try:
            here = os.getcwd()
        except FileNotFoundError:
            fail("the current folder has been removed; change to one that is there")
        if here not in sys.path:
            sys.path.append(here)
        try:
            with Unwinding():
                command(*arguments, **options)
        except (ValueError, OSError, MemoryError) as error:
            fail("there is not enough memory" if isinstance(error, MemoryError) and not str(error) else str(error))

    return guarded


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 2."""
    from bench.messages import one_line

    sys.stderr.write(f"{one_line(plain_text(f'initbench: {message}'))}\n")
    raise typer.Exit(2)


@app.command()
@clean
def run(
    names: Names,
    seeds: Seeds = None,
    settings: Sets = [],  # noqa: B006  (typer wants a list)
    folder: Annotated[Path, typer.Option("--out", help="Where run folders go.")] = Path("results/runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print cells, lanes, programs, memory and time; train nothing.")] = False,
    mixed: Mixed = False,
    fresh: Fresh = False,
) -> None:
    """Train an experiment's lanes; resumes, repairs what is damaged, and computes only what is not there yet."""
    experiments = [_read(name, seeds, settings) for name in names]
    for experiment in experiments:
        if dry_run:
            _describe(experiment)
        else:
            _train(experiment, folder, mixed, fresh)


@app.command()
@clean
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="[DIR]...", help="Run folders, or folders of them.")] = [Path("results/runs")],  # noqa: B006
    folder: Annotated[Path, typer.Option("--out", help="Where the report goes.")] = Path("results/reports"),
    html: Annotated[bool, typer.Option("--html", help="Also write all pages there as one static site, into its folder `site`.")] = False,
    trust: Trust = [],  # noqa: B006
) -> None:
    """Statistics, verdicts, figures and pages from stored rows, without training."""
    from analysis.report.site import write_site
    from analysis.rows.load import find_runs

    _report(find_runs(folders), folder, trust)
    if html:
        out.print(f"{write_site(folder)}")


@app.command()
@clean
def reproduce(
    names: Annotated[list[str], typer.Argument(metavar="[NAME]...", help="Experiments; none: the headline ones.")] = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="All experiments that come with the package.")] = False,
    seeds: Seeds = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder of `runs` and `reports`.")] = Path("results"),
    mixed: Mixed = False,
    fresh: Fresh = False,
) -> None:
    """Run and report in one: train, judge, and print the verdicts."""
    from bench.spec import catalog, modules_named

    wanted = names or (catalog.names() if everything else catalog.headlines())
    experiments = [_read(name, seeds, []) for name in wanted]
    runs = [_train(experiment, folder / "runs", mixed, fresh) for experiment in experiments]
    # What the user has just trained with is trusted.
    _report(runs, folder / "reports", [module for experiment in experiments for module in modules_named(experiment, figures=True)])


@app.command()
@clean
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run folder, or a report.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """Two runs side by side, lane by lane where their seeds are the same: shares, intervals, the largest disagreements."""
    from analysis.rows.compare import compare as hold_against

    found = hold_against(first, second)
    for line in (f"A: {first}", f"B: {second}", f"made with: {'; '.join(found.differs) or 'the same versions and device'}"):
        out.print(line, highlight=False)
    table = Table(title="Cells", title_justify="left")
    headings = ("cell", "lanes", "same bits", "solved A", "solved B", "B alone solved", "B's loss larger")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for match in found.matches:
        lanes = f"{match.lanes:,} pairs" if match.paired else f"{match.lanes:,}, unpaired"
        bits = f"{match.same_bits:.1%}" if match.paired else ""
        numbers = (f"{match.solved_a:.4f}", f"{match.solved_b:.4f}", _share(match.solved_more), _share(match.loss_larger))
        table.add_row(match.label or match.a.id, lanes, bits, *numbers)
    out.print(table)
    out.print("Of the pairs that differ, the share that is B's, with its 95% interval and the number of draws; 1/2 if neither is favored.")
    if len(found.disagreements):
        table = Table(title="Largest disagreements", title_justify="left")
        for heading in ("lane", "outcome A", "outcome B", "loss A", "loss B"):
            table.add_column(heading)
        for _, row in found.disagreements.iterrows():
            losses = (f"{row[f'loss_final_{side}']:.6g}" for side in "ab")
            table.add_row(f"{row['cell']}:{row['data_seed']}:{row['init_seed']}", row["outcome_a"], row["outcome_b"], *losses)
        out.print(table)


def _share(interval: Any) -> str:
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}], {interval.n:,}" if interval.n else "none differ"


@app.command()
@clean
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a report.")],
    lane: Annotated[str | None, typer.Option("--lane", metavar="ID", help="A row's number, or CELL:DATA_SEED:INIT_SEED.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The lane with the least final loss.")] = False,
    worst: Annotated[bool, typer.Option("--worst", help="The lane with the largest final loss, or that diverged.")] = False,
    cell: Annotated[str | None, typer.Option("--cell", help="A cell's id, or its beginning; with --seed.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The init seed; with --cell.")] = None,
    data_seed: Annotated[int | None, typer.Option("--data-seed", min=0, help="The data seed, where it is not the init seed or 0.")] = None,
    where: Annotated[Path, typer.Option("--out", help="Where the figure goes.")] = Path("results/replays"),
    trust: Trust = [],  # noqa: B006
) -> None:
    """Train one lane alone and compare it with its row, bit by bit; exit code 1 if it differs."""
    from analysis.replay import drawn
    from analysis.replay import replay as again
    from analysis.report.drawing import save

    found = again(folder, trust, lane=lane, best=best, worst=worst, cell=cell, seed=seed, data_seed=data_seed)
    axes = ", ".join(f"{axis} = {found.stored[axis]}" for axis in found.run.experiment.axes)
    out.print(f"lane {found.lane} of {found.run.experiment.name}" + (f": {axes}" if axes else ""), soft_wrap=True, highlight=False)
    out.print(_curve_table(found.curve))
    picture = where / f"{found.run.experiment.name}-{found.lane.replace(':', '-')}"
    save(drawn(found), picture)
    out.print(f"Figure: {picture}.png", soft_wrap=True)
    if found.elsewhere:
        out.print(
            f"not as where the row was made: {found.elsewhere}; the same bits are promised where nothing of this differs", soft_wrap=True
        )
    for line in found.differences:
        out.print(line, soft_wrap=True, highlight=False)
    if found.differences:
        out.print(f"{len(found.differences)} columns differ from the stored row")
        raise typer.Exit(1)
    out.print(f"{found.stored['outcome']} after {found.stored['steps_run']:,} steps; every column is that of the stored row, bit by bit")


@app.command()
@clean
def verify(
    folders: Annotated[list[Path], typer.Argument(metavar="[DIR]...", help="Reports, or folders of them.")] = [Path("results/reports")],  # noqa: B006
    trust: Trust = [],  # noqa: B006
) -> None:
    """Recompute every number, verdict, table and figure of reports from their rows; exit code 1 if one differs."""
    from analysis.report.verify import verify as recompute

    count, differences = recompute(folders, trust)
    reports = f"{count} report" if count == 1 else f"{count} reports"
    for line in differences:
        out.print(line, soft_wrap=True, highlight=False)
    if differences:
        out.print(f"{len(differences)} {'difference' if len(differences) == 1 else 'differences'} in {reports}")
        raise typer.Exit(1)
    out.print(f"{reports}: every number, verdict, table and figure follows from the rows")


@app.command()
@clean
def throughput(
    peers: Annotated[bool, typer.Option("--peers", help="Measure PyTorch as well (needs torch).")] = False,
    folder: Annotated[Path, typer.Option("--out", help="Where the page goes.")] = Path("results/reports"),
) -> None:
    """Measure the engine beside plain JAX, and PyTorch if asked for, on this device; takes about half an hour."""
    from analysis.report.throughput_page import write_throughput
    from analysis.report.throughput_tables import growth_table, growths, speed_table, speeds
    from bench.throughput.measure import measure

    with err.status("throughput") as status:
        measured = measure(peers, lambda note: status.update(f"throughput: {note}"))
    where = write_throughput(measured, folder)
    rows = speeds(measured)
    table = speed_table(rows, measured["ceilings"]).assign(workload=rows["workload"])
    for title, names in (
        ("Speed", ["speed", "v jit(vmap)", "seeds/minute"]),
        ("Use of the device", ["GFLOP/s (of ceiling)", "of memory ceiling", "compile s", "peak MiB"]),
    ):
        out.print(_frame_table(title, table[["workload", "contender", *names]]))
    out.print(_frame_table("Growth", growth_table(growths(measured))))
    out.print(f"Report: {where / 'README.md'}", soft_wrap=True)


@app.command("list")
@clean
def list_things(
    kind: Annotated[str | None, typer.Argument(help="One kind, for example initializers or laws.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What there is to name in an experiment file."""
    from bench.messages import nearest

    things = _things()
    if kind is not None and kind not in things:
        raise ValueError(f"unknown kind '{kind}'; {nearest(kind, things)}")
    chosen = things if kind is None else {kind: things[kind]}
    if as_json:
        sys.stdout.write(json.dumps(chosen if kind is None else chosen[kind], indent=2) + "\n")
        return
    for title, entries in chosen.items():
        table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2))
        for entry in entries:
            table.add_row(entry["name"], entry["summary"])
        out.print(table)
        out.print()


@app.command()
@clean
def doctor() -> None:
    """Devices, versions, flags, and a self-test that trains a few lanes twice."""
    import jax

    from bench import Experiment
    from bench import run as train
    from bench.runs import provenance

    table = Table(box=None, show_header=False, padding=(0, 2))
    device = provenance.describe_device(jax.devices())
    table.add_row("python", platform.python_version())
    here = provenance.environment(jax.devices())
    for name, version in here.versions.items():
        table.add_row(name, version)
    table.add_row("devices", f"{device.count} x {device.kind} ({device.platform})")
    for key in ("xla_flags", "matmul_precision", "relu_gradient_at_zero"):
        table.add_row(key, str(getattr(here, key)))
    out.print(table)
    text = (
        'name = "doctor"\ntask = "xor"\nmodel = "mlp"\ninitializer = "he_normal"\n'
        "[training]\nsteps = 500\nsolved_below = 0.05\n[optimizer]\nlearning_rate = 0.5\n"
    )
    from bench.runs.folder import read_manifest, read_rows

    digests = []
    with tempfile.TemporaryDirectory() as scratch:
        for seeds, devices in ((64, None), (32, jax.devices()[:1])):
            experiment = Experiment.parse(text, overrides={"seeds.init": seeds})
            where = train(experiment, Path(scratch) / str(seeds), devices)
            digests.append(read_rows(where, read_manifest(where))["params_digest"].head(32).tolist())
    if digests[0] != digests[1]:
        out.print("self-test: FAILED, the same lanes have other bits with fewer seeds on one device")
        raise typer.Exit(1)
    out.print("self-test: passed, 32 lanes have the same bits with more seeds and on one device")


def _things() -> dict[str, list[dict[str, str]]]:
    from analysis.figures import figure_kind
    from analysis.figures.check import keys_of
    from analysis.laws import law_text, laws
    from bench.initializers import initializer
    from bench.models import model
    from bench.optimizers import optimizers
    from bench.probes import probe
    from bench.schemes import scheme
    from bench.spec import catalog
    from bench.tasks import task

    def entries(registry: Any) -> list[dict[str, str]]:
        return [{"name": name, "summary": registry[name].summary} for name in registry]

    return {
        "experiments": [{"name": name, "summary": catalog.read(name).question} for name in catalog.names()],
        "figures": [{"name": name, "summary": f"{figure_kind[name].summary} Needs {keys_of(figure_kind[name])}."} for name in figure_kind],
        "initializers": entries(initializer),
        "laws": [{"name": name, "summary": law_text(name)} for name in laws()],
        "models": entries(model),
        "optimizers": [
            {"name": name, "summary": (function.__doc__ or "").strip().partition("\n")[0]}
            for name, function in sorted(optimizers().items())
        ],
        "probes": entries(probe),
        "schemes": entries(scheme),
        "tasks": entries(task),
    }


def _read(name: str, seeds: int | None, settings: list[str]) -> Any:
    from analysis.judging.checks import check
    from bench.spec import catalog

    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--set {setting}: needs KEY=VALUE, for example training.steps=100")
        overrides[key.strip()] = _toml_value(value.strip())
    if seeds is not None:
        overrides["seeds.init"] = seeds
    experiment = catalog.read(name, overrides)
    if seeds is not None and experiment.seeds.map is not None:
        # A whole lattice: the next power of four.
        overrides["seeds.init"] = 4 ** (((seeds - 1).bit_length() + 1) // 2)
        experiment = catalog.read(name, overrides)
    check(experiment)
    return experiment


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _train(experiment: Any, folder: Path, mixed: bool, fresh: bool) -> Path:
    from bench import run as train

    where, progress = folder / experiment.name, None
    with Stoppable() as check, _told(experiment.name, where) as watch:

        def heard(now: Any) -> None:
            nonlocal progress
            progress = now
            watch(now)
            check()

        try:
            return train(experiment, folder, watch=heard, mixed=mixed, fresh=fresh)
        except Stopped as stopped:
            kept = f"{progress.done:,} of {progress.lanes:,} training runs" if progress else "all training runs that were there"
            say(f"stopped by {stopped.name}: {kept} of '{experiment.name}' are kept in {where}")
            say("the same command goes on with the rest")
            # Threads may be compiling, and nobody waits for what they compile.
            leave(stopped.exit_code)
            raise


@contextmanager
def _told(name: str, folder: Path) -> Iterator[Callable[[Any], None]]:
    """Shows how far training is: a bar on a terminal, otherwise a line now and then; and lines for what was done in the end."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[solved]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    first = last = time.monotonic()
    before, now, said = 0, None, 0
    with Bar(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task(name, total=None, rate="", solved="", note="")

        def tell(text: str) -> None:
            bar.console.print(f"{name}: {text}", markup=False, highlight=False, soft_wrap=True)

        def watch(progress: Any) -> None:
            nonlocal before, now, said, last
            rate = f"{progress.seed_steps / progress.seconds:,.0f} seed-steps/s" if progress.seconds else ""
            solved = f"{progress.solved / progress.done:.1%} solved" if progress.done else ""
            bar.update(task, total=progress.lanes, completed=progress.done, rate=rate, solved=solved, note=plain_text(progress.note))
            for text in progress.said[said:]:
                tell(text)
            said = len(progress.said)
            if now is None:
                before, now = progress.done, progress
                if before < progress.lanes:
                    tell(f"{before:,} of {progress.lanes:,} training runs are there, the others go into {folder}")
            if not err.is_terminal and time.monotonic() - last > LINE_SECONDS:
                last = time.monotonic()
                tell(", ".join(part for part in (f"{progress.done:,} of {progress.lanes:,}", rate, solved, progress.note) if part))

        yield watch
    if now is not None:
        for text in now.said[said:]:
            tell(text)
        new = f"{now.done - before:,} new in {time.monotonic() - first:,.0f} s" if now.done > before else "all there before"
        tell(f"{now.done:,} training runs in {folder}, {new}")


def _report(folders: list[Path], folder: Path, trust: list[str]) -> None:
    from analysis.report.terminal import verdict_page
    from analysis.report.write import write_report

    for line in verdict_page(write_report(folders, folder, trust), folder / "README.md"):
        out.print(line, soft_wrap=True, markup=False, highlight=False)


def _frame_table(title: str, frame: Any) -> Table:
    table = Table(*frame.columns, title=title, title_justify="left")
    for row in frame.itertuples(index=False):
        table.add_row(*row)
    return table


def _curve_table(curve: Any, most: int = 24, width: int = 40) -> Table:
    """Steps and losses, with bars that are as long as the loss, or as its logarithm where it falls below a hundredth."""
    import numpy as np

    table = Table(box=None, padding=(0, 2))
    for heading in ("step", "loss", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    loss = curve["loss"].to_numpy(float)
    low, high = np.nanmin(loss), np.nanmax(loss)
    lengths = np.log(loss / low) / np.log(high / low) if 0 < low < high / 100 else loss / high if high > 0 else 0 * loss
    for place in range(0, len(loss), -(-len(loss) // most)):
        bar = "█" * round(width * max(lengths[place], 0)) if np.isfinite(lengths[place]) else ""
        table.add_row(f"{curve['step'].iloc[place]:,}", f"{loss[place]:.6g}", bar)
    return table


def _describe(experiment: Any) -> None:
    """What a run would do: cells, lanes, programs, and from a short trial of some of them memory and time."""
    from bench.runs.estimate import estimate

    plan = estimate(experiment)
    table = Table(title=experiment.name, title_justify="left")
    for axis in ("cell", *experiment.axes, "lanes"):
        table.add_column(axis)
    for cell in experiment.cells:
        table.add_row(cell.id, *(str(cell.axes[axis]) for axis in experiment.axes), f"{len(experiment.seeds):,}")
    out.print(table)
    seconds = f"about {plan.seconds:,.0f} s of training if every training run spends its budget"
    if math.isnan(plan.seconds):
        seconds = "unknown time of training, since no training run of the trial made a step"
    tried = "" if plan.tried == plan.programs else f" (from a trial of {plan.tried} programs)"
    out.print(
        f"{len(experiment.cells)} cells, {experiment.lanes:,} lanes, {plan.programs} programs; "
        f"about {plan.memory_bytes / 2**20:,.0f} MiB of lanes in flight, {seconds}, and {plan.compile_seconds:,.0f} s of compilation{tried}"
    )


if __name__ == "__main__":
    from initbench.__main__ import main

    main()
