"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from initbench.cli.errors import fail


def _place(text: str) -> Path:
    """Return the folder of this name, which may stand on object storage; a wrong name is wrong input of the command."""
    from bench.runs.places import place

    try:
        return place(text)
    except ValueError as error:
        fail(str(error))


PLACE: dict[str, Any] = {"parser": _place}
"""Of an option or argument: a folder on this machine, or on object storage."""

Trust = Annotated[
    list[str],
    typer.Option("--trust", metavar="MODULE", help="Import this module, or open these data, although the folder names it; repeatable."),
]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Init seeds per cell instead of the file's number.")]
Mixed = Annotated[bool, typer.Option("--mixed", help="Go on where earlier runs were made with other versions, devices or code; marked.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove what the run folder holds, and train all of it anew.")]
TlsCa = Annotated[Path | None, typer.Option("--tls-ca", help="Certificate of the authority that signed the cluster's certificates.")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate of this process.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Key of that certificate.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Talk to another machine without encryption; its neighbors can run code here.")]
