"""Options that several commands share."""

from typing import Annotated

import typer

Trust = Annotated[
    list[str],
    typer.Option("--trust", metavar="MODULE", help="Import this module, or open these data, although the folder names it; repeatable."),
]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Init seeds per cell instead of the file's number.")]
Mixed = Annotated[bool, typer.Option("--mixed", help="Go on where earlier runs were made with other versions, devices or code; marked.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove what the run folder holds, and train all of it anew.")]
