"""Folders on this machine, and on object storage: `s3://bucket/runs` and whatever else fsspec has a protocol for."""

from pathlib import Path
from typing import cast

from bench.messages import one_line

PROTOCOL = "://"
"""Stands between the protocol and the rest of a folder's name on object storage."""


def place(folder: Path | str) -> Path:
    """Return the folder of this name; on object storage it answers as a `Path` does, but is none.

    ValueError if its protocol is unknown, or what the protocol needs is not installed.
    """
    if not isinstance(folder, str) or PROTOCOL not in folder:
        return Path(folder) if isinstance(folder, str) else folder
    try:
        from upath import UPath
    except ImportError as error:
        raise ValueError(f"{folder}: object storage needs universal-pathlib: pip install 'initbench[remote]'") from error
    try:
        found = UPath(folder)
        # Only now is the protocol's own package imported.
        _ = found.fs
    except (ValueError, ImportError) as error:
        raise ValueError(one_line(f"{folder}: {error}")) from error
    return cast(Path, found)


def local_place(folder: Path | str) -> Path:
    """Return the folder or file of this name on this machine; ValueError for one on object storage."""
    if PROTOCOL in str(folder):
        raise ValueError(
            f"{folder}: a folder of this machine is needed here; object storage is for --out of run and merge, and for the run folders and "
            "reports that commands read"
        )
    return Path(folder)


def is_here(folder: Path) -> bool:
    """Return whether a folder is on this machine, where there are links, locks and renamed files."""
    return isinstance(folder, Path)
