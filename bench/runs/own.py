"""The user's own code and data files that an experiment rests on, by their digests.

Files are found without running anything: from the modules that the experiment names, along their import statements, and to the files that
constants of their source or options of the experiment name. If a module computes a file's name, the arrays that a task made of it are seen.
"""

import ast
import hashlib
import re
import struct
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from bench.imports import OURS
from bench.lane.data import problem
from bench.runs.provenance import TRAINING_PACKAGES
from bench.spec import Experiment

NAMED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*(?:\.\w+)*")
"""`package.module:name`, by which an experiment file names a piece of the user's own."""
LONGEST_NAME = 4096
"""Most characters of a text that may name a file."""


def own_digests(experiment: Experiment) -> dict[str, str]:
    """Return the SHA-256 of each own module by its dotted name, of each data file by the name it has there, and of other tasks' own arrays.

    No path of this machine is among the names.
    """
    texts, modules = _named_texts(experiment), own_modules(experiment)
    found: list[tuple[str, Path]] = []
    for text in dict.fromkeys(texts):
        found += _data_file(text, Path())
    for path in modules.values():
        constants = (node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant))
        for text in dict.fromkeys(value for value in constants if isinstance(value, str)):
            found += _data_file(text, path.parent) or _data_file(text, Path())
    files: dict[str, set[Path]] = {}
    for name, path in [*found, *modules.items()]:
        files.setdefault(name, set()).add(path.resolve())
    digests = {name: set(map(_digest, paths)) for name, paths in files.items()}
    arrays = [(name, digest) for name, digest in _array_digests(experiment) if name not in digests]
    for name, digest in arrays:
        digests.setdefault(name, set()).add(digest)
    return {name: _joined(found) for name, found in sorted(digests.items())}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _joined(digests: set[str]) -> str:
    """Return one digest for what has one name."""
    return next(iter(digests)) if len(digests) == 1 else hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _array_digests(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield name and digest of the arrays of each task whose data come from a user's own function or from outside of the package."""
    specs = {repr(cell.settings.task): cell.settings.task for cell in experiment.cells}
    for spec in specs.values():
        if spec.data is not None or ":" in spec.name:
            digest = problem(spec).digest
            if digest is not None:
                yield spec.data or spec.name, digest()


def own_modules(experiment: Experiment) -> dict[str, Path]:
    """Return the source file of each own module that the experiment names, and of those that these import."""
    modules: dict[str, Path] = {}
    named = list(dict.fromkeys(match[1] for text in _named_texts(experiment) if (match := NAMED.fullmatch(text))))
    for name in named:
        _follow(name, {one.partition(".")[0] for one in named}, modules)
    return modules


def forget_changed(experiment: Experiment) -> bool:
    """Make Python import own modules anew if the file of one of them has changed since it was imported; returns whether one has.

    Rows carry the digests of the files, so these have to be what trains, also in a session in which a file is edited between two runs.
    Installed modules stay as they are.
    """
    modules = {name: path for name, path in own_modules(experiment).items() if name in sys.modules and not _installed(path)}
    digests = {name: _digest(path) for name, path in modules.items()}
    changed = [
        name for name, path in modules.items() if (_imported[name] != digests[name] if name in _imported else not _is_compiled(path))
    ]
    for name in modules if changed else ():
        del sys.modules[name]
    _imported.update(digests)
    return bool(changed)


_imported: dict[str, str] = {}
"""Digests of the files that own modules were imported from, as far as that is known."""


def _is_compiled(path: Path) -> bool:
    """Whether Python's compiled copy of a file, which it made when it imported the module last, is of the file as it stands now."""
    state = path.stat()
    try:
        head = Path(cache_from_source(str(path))).read_bytes()[:16]
    except (OSError, NotImplementedError):
        return False
    # After the version and the flags: the time of the last change and the size.
    return head[8:] == struct.pack("<II", int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)


def _named_texts(experiment: Experiment) -> list[str]:
    """Return all texts of an experiment that may name a module or a file."""
    texts = [text for cell in experiment.cells for text in _texts(cell.settings.model_dump(mode="json"))]
    return [*texts, *_texts([*(experiment.probes or ()), *experiment.track])]


def _texts(content: Any) -> Iterator[str]:
    """Yield every text in a tree of dicts, lists and tuples."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list | tuple):
        for item in content.values() if isinstance(content, dict) else content:
            yield from _texts(item)


def _data_file(text: str, folder: Path) -> list[tuple[str, Path]]:
    """Find the file of this name in a folder; returns its name and path, or nothing. The name of an absolute path is its last part."""
    path = folder / text
    if not 0 < len(text) <= LONGEST_NAME or "\0" in text or path.suffix in ("", ".py"):
        return []
    try:
        there = path.is_file()
    except OSError:
        return []
    return [(path.name if Path(text).is_absolute() else Path(text).as_posix(), path)] if there else []


def _follow(name: str, packages: set[str], modules: dict[str, Path]) -> None:
    """Add a module and all modules that it imports; of installed modules only those of `packages`."""
    path = _source(name, packages)
    if path is None or name in modules:
        return
    modules[name] = path
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_tree(path)):
        wanted: list[str] = []
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            wanted = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for one in wanted:
            # An import of a module also imports its packages.
            parts = one.split(".")
            for length in range(1, len(parts) + 1):
                _follow(".".join(parts[:length]), packages, modules)


def _source(name: str, packages: set[str]) -> Path | None:
    """Return the source file of a module; None for this package, for packages whose versions are compared, and for other names."""
    top = name.partition(".")[0]
    if not name or top in (*OURS, "sklearn", *TRAINING_PACKAGES, *sys.stdlib_module_names):
        return None
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None) if module else _found(name)
    if file is None or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    return None if _installed(path) and top not in packages else path


def _found(name: str) -> str | None:
    """Return the file of a module that has not been imported, without importing its packages."""
    *parents, last = name.split(".")
    package = sys.modules.get(".".join(parents)) if parents else None
    if parents and package is None:
        return None
    spec = PathFinder.find_spec(name, getattr(package, "__path__", None))
    return spec.origin if spec else None


def _installed(path: Path) -> bool:
    """Whether a file lies in one of the folders of installed packages."""
    folders = {Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(folder in path.parents for folder in folders)


def _tree(path: Path) -> ast.Module:
    """Return the syntax tree of a source file; an empty one if the file cannot be parsed."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module([], [])
