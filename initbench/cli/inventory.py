"""Things that `initbench list` shows, kept in a file until a package changes: to import all pieces takes seconds."""

import hashlib
import json
import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PACKAGES, LIBRARIES = ("analysis", "bench", "initbench"), ("jax", "optax")
"""Packages whose files, and libraries whose versions, what is listed depends on."""

Things = dict[str, list[dict[str, str]]]
"""Entries of all things by their kinds: `name` and `summary`, then facts and `options`."""


def inventory() -> Things:
    """Return all things that an experiment file can name; read from a file if they were listed since the packages changed."""
    key, file = _key(), Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "initbench" / "list.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["key"] == key:
            things: Things = kept["things"]
            return things
    except (OSError, ValueError, KeyError, TypeError):
        # There is no such file, or something else wrote it.
        pass
    from initbench.cli.listing import kinds

    found = {kind: [one.entry(name) for name in one.names] for kind, one in kinds().items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f"list-{os.getpid()}.json")
        made.write_text(json.dumps({"key": key, "things": found}), encoding="utf-8")
        made.replace(file)
    except OSError:
        # Where nothing can be kept, the next command imports all pieces again.
        pass
    return found


def _key() -> str:
    """Return a digest of the versions of the libraries, and of names, sizes and times of the packages' files."""
    seen = [version(library) for library in LIBRARIES]
    for package in PACKAGES:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            files = sorted(file for file in Path(place).rglob("*") if file.suffix in (".py", ".toml"))
            seen += [f"{file} {stat.st_size} {stat.st_mtime_ns}" for file in files for stat in [file.stat()]]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()
