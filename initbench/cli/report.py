"""The commands that make pages from stored rows, and check them: `report` and `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import Trust
from initbench.cli.tables import out


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

    write_and_print(find_runs(folders), folder, trust)
    if html:
        out.print(f"{write_site(folder)}")


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


def write_and_print(folders: list[Path], folder: Path, trust: list[str]) -> None:
    """Write the report of some run folders, and print its verdicts."""
    from analysis.report.terminal import verdict_page
    from analysis.report.write import write_report

    for line in verdict_page(write_report(folders, folder, trust), folder / "README.md"):
        out.print(line, soft_wrap=True, markup=False, highlight=False)
