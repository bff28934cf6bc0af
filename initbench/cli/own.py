"""The commands about what users bring: `new`, an experiment of their own, `league`, an initializer, `audit`, a model, `check`, any piece,
and `judge`, other people's numbers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import LOCAL, Fresh, Mixed, Seeds, Trust
from initbench.cli.run import key_and_value, toml_value, train
from initbench.cli.tables import frame_table, out

if TYPE_CHECKING:
    from analysis.judging.numbers import Judged

COLUMNS = 80
"""Width of what is printed."""


@clean
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the experiment: letters, digits, _ and -.")]) -> None:
    """Write NAME.toml, an experiment file with comments that runs as it stands."""
    from importlib.resources import files

    from bench.spec import Experiment

    text = (files("initbench.cli") / "new.toml").read_text(encoding="utf-8").replace("NAME", name)
    path = Path(f"{name}.toml")
    # Before a file is written, so that a name that cannot stand in a path never becomes one.
    Experiment.parse(text, f"new '{name}'")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ValueError(f"{path}: is there already; take another name, or remove it") from None
    out.print(f"{path}; train it with: initbench run {path}", soft_wrap=True)


@clean
def league(
    name: Annotated[str, typer.Argument(metavar="MODULE:INIT", help="An initializer of your own, or one of the package.")],
    options: Annotated[list[str], typer.Option("--option", metavar="KEY=VALUE", help="An option of it; repeatable.")] = [],  # noqa: B006
    quick: Annotated[bool, typer.Option("--quick", help="Two shallow networks and 64 seeds.")] = False,
    seeds: Seeds = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder of `runs` and `reports`.", **LOCAL)] = Path("results"),
    mixed: Mixed = False,
    fresh: Fresh = False,
) -> None:
    """One initializer against the standard ones, each at its best learning rate: where it wins, ties and loses."""
    from analysis.judging.checks import check
    from analysis.judging.league import league_experiment, standings
    from analysis.report.write import write_report
    from bench.registry import module_of

    given = dict(key_and_value(option, "--option", "gain=2.0") for option in options)
    experiment = league_experiment(name, given, seeds, quick)
    check(experiment)
    run = train(experiment, folder / "runs", mixed, fresh)
    [result] = write_report([run], folder / "reports", [module_of(name)])
    found = standings(experiment, result.verdicts)
    counts = found["result"].value_counts()
    out.print(", ".join(f"{kind} {counts.get(kind, 0)}" for kind in ("wins", "ties", "loses", "undecided")) + f" of {len(found)}")
    text = [f"{line.result} {line.better:.2f} [{line.low:.2f}, {line.high:.2f}]" for line in found.itertuples()]
    table = found.assign(text=text).pivot_table(
        index=["activation", "against"], columns="network", values="text", aggfunc="first", sort=False
    )
    out.print(frame_table("P(it ends with the smaller test loss), 95% intervals", table.reset_index()))
    out.print(f"Each interval is that of one comparison; results stand after Holm's correction for all {len(found)}.", soft_wrap=True)
    out.print(f"Report: {folder / 'reports' / experiment.name / 'README.md'}", soft_wrap=True)


@clean
def audit(
    name: Annotated[str, typer.Argument(metavar="MODULE:MODEL", help="A model of your own, one of the package, or a run folder.")],
    shape: Annotated[str | None, typer.Option("--input", metavar="SHAPE", help="Shape of one example, such as 784 or 28x28x1.")] = None,
    outputs: Annotated[int, typer.Option("--outputs", min=1, help="Outputs of a model that is told their number.")] = 1,
    symbols: Annotated[int, typer.Option("--symbols", min=0, help="Examples are whole numbers below this one.")] = 0,
    task: Annotated[
        str | None, typer.Option("--task", metavar="T", help="Take examples and loss of a task: a name or a TOML table.")
    ] = None,
    options: Annotated[list[str], typer.Option("--option", metavar="KEY=VALUE", help="An option of the model; repeatable.")] = [],  # noqa: B006
    cell: Annotated[str, typer.Option("--cell", metavar="ID", help="A cell of a run folder by its id, or its beginning.")] = "",
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Draw signal and gradient by layer into this folder.", **LOCAL)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trust: Trust = [],  # noqa: B006
) -> None:
    """How a model starts, layer by layer: laws, gains, signal, gradient, tied and dead units, and zeros that never move."""
    import json

    from initbench.pieces import audit as audited

    given = dict(key_and_value(option, "--option", "widths=[64]") for option in options)
    data = None if task is None else toml_value(task)
    found = audited(name, _shape(shape), outputs=outputs, symbols=symbols, task=data, options=given, cell=cell, trust=trust)
    if folder is not None:
        from analysis.report.drawing import save

        folder.mkdir(parents=True, exist_ok=True)
        save(found.figure(), folder / "audit")
    if as_json:
        sys.stdout.write(json.dumps(found.record(), indent=2) + "\n")
        return
    out.print(found.headline, highlight=False)
    out.print(frame_table("Layers in the order of computation", found.table(), out.width))
    for line in found.lines:
        out.print(line, highlight=False)
    if folder is not None:
        out.print(f"Figure: {folder / 'audit.png'}", soft_wrap=True)


def _shape(text: str | None) -> tuple[int, ...] | None:
    """Read a shape such as 28x28x1; ValueError if it is none."""
    parts = [] if text is None else text.lower().replace(",", "x").split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--input {text}: the shape of one example, such as 784 or 28x28x1")
    return tuple(map(int, parts)) or None


@clean
def check(
    name: Annotated[str, typer.Argument(metavar="MODULE:NAME", help="A piece of your own.")],
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Its kind, such as initializer or model; else guessed.")
    ] = None,
    options: Annotated[list[str], typer.Option("--option", metavar="KEY=VALUE", help="An option of it; repeatable.")] = [],  # noqa: B006
    inputs: Annotated[int, typer.Option("--inputs", min=1, help="Inputs of a model.")] = 4,
    outputs: Annotated[int, typer.Option("--outputs", min=1, help="Outputs of a model.")] = 2,
) -> None:
    """Try every contract that a piece of yours must keep; exit code 1 if one is broken, 2 if the piece cannot be imported."""
    from initbench.pieces import check as checked

    given = dict(key_and_value(option, "--option", "gain=2.0") for option in options)
    found = checked(name, kind, inputs=inputs, outputs=outputs, options=given)
    for line in found.lines:
        out.print(line, soft_wrap=True, highlight=False)
    if not found.kept:
        raise typer.Exit(1)


@clean
def judge(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or Parquet: a row per run, or a column per setting and a row per seed.")
    ],
    setting: Annotated[str | None, typer.Option("--setting", metavar="COL", help="Column of the settings; else guessed.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", metavar="COL", help="Column of the metric; else guessed.")] = None,
    seed: Annotated[str | None, typer.Option("--seed", metavar="COL", help="Column of the seeds, which make pairs; else guessed.")] = None,
    higher: Annotated[
        bool | None, typer.Option("--higher-is-better/--lower-is-better", help="Which values are better, where the name does not say.")
    ] = None,
    above: Annotated[float | None, typer.Option("--solved-above", metavar="X", help="Judge the share of runs above X.")] = None,
    below: Annotated[float | None, typer.Option("--solved-below", metavar="X", help="Judge the share of runs below X.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", metavar="NAME", help="Hold every setting against this one.")] = None,
    margin: Annotated[float, typer.Option("--margin", help="Difference that is too small to matter, in the metric's units.")] = 0.0,
    alpha: Annotated[float, typer.Option("--alpha", help="Probability of any wrong verdict.")] = 0.05,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a page with a figure into this folder.", **LOCAL)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Other people's numbers: intervals, paired tests, correction, power, and a verdict per question; nothing is trained."""
    from analysis.judging.numbers import judge_file
    from analysis.report.numbers_page import json_text, write_numbers

    judged = judge_file(
        file,
        setting=setting,
        metric=metric,
        seed=seed,
        higher_is_better=higher,
        solved_above=above,
        solved_below=below,
        baseline=baseline,
        margin=margin,
        alpha=alpha,
    )
    page = write_numbers(judged, folder) if folder is not None else None
    if as_json:
        sys.stdout.write(json_text(judged))
        return
    _print(judged)
    if page is not None:
        out.print(f"Page: {page}", soft_wrap=True)


def _print(judged: "Judged") -> None:
    """Print what was read, and the tables of settings and of questions."""
    from analysis.report.numbers_page import decided_lines, question_frame, setting_frame

    for line in (*judged.samples.said, *decided_lines(judged)):
        out.print(line, width=COLUMNS, highlight=False)
    out.print(frame_table("Settings", setting_frame(judged), COLUMNS))
    out.print(frame_table("Questions", question_frame(judged), COLUMNS))
