"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
