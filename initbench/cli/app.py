"""The command line: `initbench`."""

import typer

from initbench.cli.about import doctor, list_things
from initbench.cli.inspect import compare, replay, throughput
from initbench.cli.own import judge
from initbench.cli.report import report, verify
from initbench.cli.run import reproduce, run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure what an initialization changes, over thousands of seeds.",
)
for command in (run, report, reproduce, compare, replay, verify, throughput, judge):
    app.command()(command)
app.command("list")(list_things)
app.command()(doctor)
