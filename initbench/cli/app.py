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


COMMANDS = (
    (run, "run x11-xor-width --seeds 2000"),
    (report, "report results/runs"),
    (reproduce, "reproduce x11-xor-width"),
    (status, "status results/runs --watch"),
    (merge, "merge shards/0 shards/1 --out results/runs"),
    (worker, "worker tcp://127.0.0.1:8786"),
    (figure, "figure results/runs/x11-xor-width width --size 3.3x2.5"),
    (compare, "compare results/runs/x11-xor-width reports/x11-xor-width"),
    (replay, "replay reports/x11-xor-width --worst"),
    (ends, "ends reports/x11-xor-width --data ends.csv"),
    (verify, "verify reports"),
    (site, "site --out results/site"),
    (throughput, "throughput --peers"),
    (new, "new first"),
    (league, "league my_module:orthogonal --option gain=1.1 --quick"),
    (check, "check my_module:orthogonal"),
    (audit, "audit my_module:MLP --input 784"),
    (judge, "judge accuracies.csv --margin 0.005 --out page"),
    (list_things, "list initializers --long"),
    (doctor, "doctor"),
)
"""All commands, each with an example of its use."""

for command, example in COMMANDS:
    app.command(example.split()[0], epilog=f"Example: initbench {example}")(command)
