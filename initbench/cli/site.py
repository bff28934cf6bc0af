"""The command that builds the site of the project: `site`."""

from pathlib import Path
from typing import Annotated

import typer

from initbench.cli.errors import clean
from initbench.cli.options import LOCAL
from initbench.cli.tables import out


@clean
def site(
    context: typer.Context,
    root: Annotated[Path, typer.Argument(metavar="[DIR]", help="The top of the project, with its folders reports and docs.")] = Path(),
    target: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pages go.", **LOCAL)] = Path("results/site"),
) -> None:
    """Build the project's site from the committed reports and the documentation, with an explorer of all cells; no server is needed."""
    from analysis.site.build import build_site
    from initbench.reference import commands, python

    reference = {"commands": commands(context.find_root()), "python": python()}
    out.print(f"{build_site(root, target, reference)}")
