"""The commands about shards and run folders of several machines: `merge` joins them, `status` says how far they are."""

import json
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table

from initbench.cli.errors import clean
from initbench.cli.options import PLACE, Mixed
from initbench.cli.tables import out

if TYPE_CHECKING:
    from bench.runs.status import FolderStatus, Status

RENEWED_SECONDS = 2.0
"""Time between two looks of `status --watch`."""
MOST_FOLDERS = 20
"""Number of folders up to which all of them are shown; of more, those that are not whole, and of these the first ones."""
Folders = Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run folders, with shards or without, or folders of them.", **PLACE)]


@clean
def merge(
    folders: Folders,
    folder: Annotated[Path, typer.Option("--out", help="The joined run goes into OUT/<name>.", **PLACE)],
    mixed: Mixed = False,
) -> None:
    """Join shards, or runs of one experiment on several machines; names gaps and overlaps, exit code 1 if training runs are missing."""
    from bench.messages import first_few
    from bench.runs.join import join

    joined = join(folders, folder, mixed)
    for fault in joined.faults:
        _print(f"{fault}; left out")
    twice = f"; there already, with the same rows: {first_few(joined.overlaps)}" if joined.again else ""
    _print(f"{joined.experiment.name}: {joined.there:,} training runs in {joined.folder}, from {joined.folders:,} folders{twice}")
    if joined.missing:
        _print(f"{len(joined.missing):,} training runs are missing: {first_few(joined.gaps)}")
        _print(f"to train them: initbench run {joined.folder / 'experiment.toml'} --out {folder}")
        raise typer.Exit(1)


@clean
def status(
    folders: Folders,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until all is done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each look that shows a change.")] = False,
) -> None:
    """How far run folders are, with their shards: what is there, missing and damaged, and which shards to submit again."""
    from bench.runs.status import Looker

    looker = Looker(folders)
    live = Live(console=out, auto_refresh=False) if watch and not as_json and out.is_terminal else None
    before = None
    with live or nullcontext():
        while True:
            found, broken = looker.look()
            now = [(one.done, one.faults, one.missing_shards) for one in found]
            if live:
                live.update(page(found, broken), refresh=True)
            elif now != before:
                # Where there is no terminal, what has changed is printed.
                _print_all(found, broken, as_json)
            if not watch or not broken and all(one.ended for one in found):
                return
            before = now
            time.sleep(RENEWED_SECONDS)


def _print_all(found: list["Status"], broken: list[str], as_json: bool) -> None:
    """Print how far experiments are."""
    if as_json:
        typer.echo(json.dumps({"experiments": [_record(one) for one in found], "broken": broken}))
    else:
        out.print(page(found, broken))


def page(found: list["Status"], broken: list[str]) -> Group:
    """Return what is shown of how far experiments are."""
    return Group(*broken, *(part for one in found for part in _lines(one)))


def _lines(one: "Status") -> list[str | Table]:
    """Return the lines about one experiment, and the table of its folders."""
    solved = "" if one.solved is None else f", {one.solved:.1%} solved"
    lines: list[str | Table] = [f"{one.experiment}: {one.done:,} of {one.lanes:,} training runs ({one.done / one.lanes:.1%}){solved}"]
    for count, array in one.missing_shards.items():
        lines.append(f"of {count:,} shards, not whole: --array={array}" if array else f"all of {count:,} shards are whole")
    lines += one.faults
    shown = one.folders if len(one.folders) <= MOST_FOLDERS else [folder for folder in one.folders if not folder.whole]
    lines.append(_table(shown[:MOST_FOLDERS]))
    if more := len(one.folders) - len(shown[:MOST_FOLDERS]):
        lines.append(f"and {more:,} more folders, {sum(folder.whole for folder in one.folders):,} of all are whole")
    return lines


def _table(folders: list["FolderStatus"]) -> Table:
    """Return a table with a line for each folder."""
    table = Table(box=None, pad_edge=False)
    table.add_column("folder", overflow="fold")
    for heading in ("done", "of", "solved"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("host", overflow="fold")
    for heading in ("written", ""):
        table.add_column(heading, no_wrap=True)
    for one in folders:
        state = "damaged" if one.faults else "whole" if one.whole else ""
        solved = f"{one.solved / one.done:.1%}" if one.done else ""
        table.add_row(one.folder, f"{one.done:,}", f"{one.wanted:,}", solved, one.host or "", _ago(one.age), state)
    return table


def _ago(seconds: float) -> str:
    """Return a time that has gone by, in its largest unit."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    name, length = next(unit for unit in units if seconds >= unit[1] or unit[1] == 1)
    return f"{seconds // length:.0f} {name} ago"


def _record(one: "Status") -> dict[str, object]:
    """Return what is told about an experiment in JSON."""
    return {**asdict(one), "missing": one.lanes - one.done, "solved": one.solved, "ended": one.ended}


def _print(line: str) -> None:
    out.print(line, soft_wrap=True, highlight=False)
