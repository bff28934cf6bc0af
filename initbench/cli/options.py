"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from initbench.cli.errors import fail


def _place(text: str) -> Path:
    """Return the folder of this name, which may stand on object storage; a wrong name is wrong input of the command."""
    from bench.runs.storage import place

    return _parsed(place, text)


def _local(text: str) -> Path:
    """Return the folder or file of this name on this machine; one on object storage is wrong input of the command."""
    from bench.runs.storage import local_place

    return _parsed(local_place, text)


def _parsed(parse: Callable[[str], Path], text: str) -> Path:
    try:
        return parse(text)
    except ValueError as error:
        fail(str(error))


PLACE: dict[str, Any] = {"parser": _place}
"""The settings of an option or argument that is a folder on this machine, or on object storage."""
LOCAL: dict[str, Any] = {"parser": _local}
"""The settings of an option that is a folder or file on this machine, to which the command writes."""

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
