"""The commands that make pages and figures from stored rows, and check them: `report`, `figure` and `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import LOCAL, PLACE, Trust
from initbench.cli.tables import out

Runs = Annotated[list[Path], typer.Argument(metavar="[DIR]...", help="Run folders, or folders of them.", **PLACE)]
Reports = Annotated[list[Path], typer.Argument(metavar="[DIR]...", help="Reports, or folders of them.", **PLACE)]
RUNS, REPORTS = [Path("results/runs")], [Path("results/reports")]


@clean
def report(
    folders: Runs = RUNS,
    folder: Annotated[Path, typer.Option("--out", help="Where the report goes.", **LOCAL)] = Path("results/reports"),
    html: Annotated[bool, typer.Option("--html", help="Also write all pages there as one static site, into its folder `site`.")] = False,
    trust: Trust = [],  # noqa: B006
) -> None:
    """Statistics, verdicts, figures and pages from stored rows, without training the experiments."""
    from analysis.report.static_pages import write_site
    from analysis.rows.load import find_runs

    write_and_print(find_runs(folders), folder, trust)
    if html:
        out.print(f"{write_site(folder)}")


@clean
def verify(
    folders: Reports = REPORTS,
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


@clean
def figure(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a report.", **PLACE)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="A figure of its experiment file, or of those drawn by default.")],
    size: Annotated[str | None, typer.Option("--size", metavar="WxH", help="Width and height in inches, for example 3.3x2.5.")] = None,
    kind: Annotated[str, typer.Option("--format", help="svg, pdf or png.")] = "pdf",
    style: Annotated[Path | None, typer.Option("--style", metavar="FILE", help="A style file of Matplotlib (.mplstyle).")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Also write the numbers that it shows, as CSV.", **LOCAL)
    ] = None,
    target: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where NAME.FORMAT goes.", **LOCAL)] = Path(),
    trust: Trust = [],  # noqa: B006
) -> None:
    """Draw one figure of a run again, in a size, style and format of your own."""
    from analysis.report.single_figure import write_figure

    written = write_figure(folder, name, target, kind, size, style, data, trust)
    out.print("\n".join(map(str, written)), soft_wrap=True, markup=False, highlight=False)


def write_and_print(folders: list[Path], folder: Path, trust: list[str]) -> None:
    """Write the report of some run folders, and print its verdicts."""
    from analysis.report.terminal import verdict_page
    from analysis.report.write import write_report

    for line in verdict_page(write_report(folders, folder, trust), folder / "README.md"):
        out.print(line, soft_wrap=True, markup=False, highlight=False)
