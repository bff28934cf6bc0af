"""Experiments by name: the files that come with the package, and files of the user's own."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.messages import LONGEST_PART, nearest, one_line
from bench.spec.experiment import Experiment

_FOLDER = files("bench") / "experiments"


def names() -> list[str]:
    """Names of the experiments that come with the package."""
    return sorted(item.name.removesuffix(".toml") for item in _FOLDER.iterdir() if item.name.endswith(".toml"))


def read(name_or_file: str, overrides: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment of this name or in this file; ValueError with one line if there is none, or if it is wrong."""
    if name_or_file in names():
        text = (_FOLDER / f"{name_or_file}.toml").read_text(encoding="utf-8")
        return Experiment.parse(text, f"experiment '{name_or_file}'", overrides)
    path, place = Path(name_or_file), one_line(name_or_file, LONGEST_PART)
    try:
        if path.suffix != ".toml" and not path.exists():
            raise ValueError(f"unknown experiment '{place}'; {nearest(name_or_file, names())}, or a .toml file")
        if path.exists() and not path.is_file():
            raise ValueError(f"{place}: not a file")
        # Some editors begin a file with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{place}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: not UTF-8: byte {error.start} is {error.object[error.start]:#x}") from error
    return Experiment.parse(text, place, overrides)


def headlines() -> list[str]:
    """Names of the experiments that `initbench reproduce` runs when none is named."""
    return [name for name in names() if read(name).headline]
