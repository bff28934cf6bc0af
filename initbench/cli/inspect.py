"""The commands that look closer: `compare` two runs, `replay` one training run, measure `throughput`."""

from pathlib import Path
from typing import Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import LOCAL, PLACE, Trust
from initbench.cli.tables import cells_table, curve_table, disagreements_table, err, frame_table, out


@clean
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run folder, or a report.", **PLACE)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.", **PLACE)],
) -> None:
    """Two runs side by side, pair by pair where their seeds are the same: shares, intervals, the largest disagreements."""
    from analysis.rows.compare import compare as hold_against

    found = hold_against(first, second)
    for line in (f"A: {first}", f"B: {second}", f"made with: {'; '.join(found.differs) or 'the same versions and device'}"):
        out.print(line, highlight=False)
    out.print(cells_table(found))
    out.print("Of the pairs that differ, the share that is B's, with its 95% interval and the number of draws; 1/2 if neither is favored.")
    if len(found.disagreements):
        out.print(disagreements_table(found))


@clean
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a report.", **PLACE)],
    lane: Annotated[str | None, typer.Option("--lane", metavar="ID", help="A row's number, or CELL:DATA_SEED:INIT_SEED.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The training run with the least final loss.")] = False,
    worst: Annotated[bool, typer.Option("--worst", help="The training run with the largest final loss, or that diverged.")] = False,
    cell: Annotated[str | None, typer.Option("--cell", help="A cell's id, or its beginning; with --seed.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The init seed; with --cell.")] = None,
    data_seed: Annotated[
        int | None, typer.Option("--data-seed", min=0, help="The data seed, if not the init seed or the first one.")
    ] = None,
    where: Annotated[Path, typer.Option("--out", help="Where the figure goes.", **LOCAL)] = Path("results/replays"),
    trust: Trust = [],  # noqa: B006
) -> None:
    """Train one training run again, alone, and compare it with its row, bit by bit; exit code 1 if it differs."""
    from analysis.figures.replay import loss_curve
    from analysis.report.drawing import save
    from analysis.rows.replay import replay as again

    found = again(folder, trust, lane=lane, best=best, worst=worst, cell=cell, seed=seed, data_seed=data_seed)
    name = found.run.experiment.name
    axes = ", ".join(f"{axis} = {found.stored[axis]}" for axis in found.run.experiment.axes)
    out.print(f"training run {found.lane} of {name}" + (f": {axes}" if axes else ""), soft_wrap=True, highlight=False)
    out.print(curve_table(found.curve))
    picture = where / f"{name}-{found.lane.replace(':', '-')}"
    save(loss_curve(found), picture)
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


@clean
def ends(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a report.", **PLACE)],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Also write a line per failed training run, as CSV.", **LOCAL)
    ] = None,
    trust: Trust = [],  # noqa: B006
) -> None:
    """Where failed training runs were heading: trains them again, and certifies minimum, saddle, plateau, late or unknown."""
    from analysis.rows.ends import certify, counts

    run, found = certify(folder, trust)
    table = counts(run, found).reset_index(names="cell")
    out.print(
        frame_table(
            f"Ends of the failed training runs of {run.experiment.name}",
            table.map(lambda value: value if isinstance(value, str) else f"{value:,}"),
        )
    )
    if data is not None:
        found.to_csv(data, index=False)
        out.print(f"Lines: {data}", soft_wrap=True)


@clean
def throughput(
    peers: Annotated[bool, typer.Option("--peers", help="Measure PyTorch (needs torch) and a program in C as well.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Measure whole processes as well, from their start to rows on disk.")] = False,
    folder: Annotated[Path, typer.Option("--out", help="Where the page goes.", **LOCAL)] = Path("results/reports"),
) -> None:
    """Measure the engine beside plain JAX, and PyTorch if asked for, on this device; takes about half an hour."""
    from analysis.report.throughput_page import write_throughput
    from analysis.report.throughput_tables import growth_table, growths, processes_table, speed_table, speeds
    from bench.throughput.measure import measure

    with err.status("throughput") as status:
        measured = measure(peers, cold, lambda note: status.update(f"throughput: {note}"))
    where = write_throughput(measured, folder)
    rows = speeds(measured)
    table = speed_table(rows, measured["ceilings"]).assign(workload=rows["workload"])
    for title, names in (
        ("Speed", ["speed", "v jit(vmap)", "seeds/minute"]),
        ("Use of the device", ["GFLOP/s (of ceiling)", "of memory ceiling", "compile s", "peak MiB"]),
    ):
        out.print(frame_table(title, table[["workload", "contender", *names]]))
    out.print(frame_table("Growth", growth_table(growths(measured))))
    if "processes" in measured:
        out.print(frame_table("From the start of a process to rows on disk", processes_table(measured["processes"])))
    out.print(f"Report: {where / 'README.md'}", soft_wrap=True)
