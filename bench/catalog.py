"""Experiments by name: the files that come with the package, and files of the user's own."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.messages import nearest
from bench.spec import Experiment

_FOLDER = files("bench") / "experiments"


def names() -> list[str]:
    """Names of the experiments that come with the package."""
    return sorted(item.name.removesuffix(".toml") for item in _FOLDER.iterdir() if item.name.endswith(".toml"))


def read(name_or_file: str, overrides: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment of this name or in this file; ValueError with one line if there is none or it is wrong."""
    if name_or_file in names():
        text = (_FOLDER / f"{name_or_file}.toml").read_text(encoding="utf-8")
        return Experiment.parse(text, f"experiment '{name_or_file}'", overrides)
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.exists():
        raise ValueError(f"unknown experiment '{name_or_file}'; {nearest(name_or_file, names())}, or a .toml file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    return Experiment.parse(text, str(path), overrides)


def headlines() -> list[str]:
    """Names of the experiments that `initbench reproduce` runs when none is named."""
    return [name for name in names() if read(name).headline]
