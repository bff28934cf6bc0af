"""The command line: `initbench`."""

from typing import Annotated

import typer

from initbench.cli.about import doctor, list_things
from initbench.cli.cluster import worker
from initbench.cli.inspect import compare, ends, replay, throughput
from initbench.cli.own import audit, check, judge, league, new
from initbench.cli.report import figure, report, verify
from initbench.cli.run import reproduce, run
from initbench.cli.shards import merge, status
from initbench.cli.site import site

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"initbench {version('initbench')}")
        raise typer.Exit


@app.callback()
def initbench(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Measure what an initialization changes, over thousands of seeds."""


for command in (
    *(run, report, reproduce, status, merge, worker, figure, compare, replay, ends, verify, site, throughput),
    *(new, league, check, audit, judge),
):
    app.command()(command)
app.command("list")(list_things)
app.command()(doctor)
