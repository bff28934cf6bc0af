"""Experiments as users give them: by name, as a file, as a text, or as keyword arguments of Python."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.messages import explain, one_line, shown
from bench.spec import Experiment, catalog

NAMELESS = "nameless"
"""The name of an experiment while the one that follows from its settings is not known."""
NAME_LETTERS = 8
"""Letters of a name that follows from settings."""


def seeded(parse: Callable[[Mapping[str, Any]], Experiment], seeds: int | None, overrides: Mapping[str, Any] | None = None) -> Experiment:
    """Return the experiment that `parse` gives with some values put into it, and with this number of init seeds; None: its own number."""
    values = {**(overrides or {}), **({"seeds.init": seeds} if seeds is not None else {})}
    experiment = parse(values)
    if seeds is not None and experiment.seeds.map is not None:
        # A map has whole lattices, so the next power of four is taken.
        experiment = parse({**values, "seeds.init": 4 ** (((seeds - 1).bit_length() + 1) // 2)})
    return experiment


def given(source: Experiment | Path | str | None, seeds: int | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment of a source, or of keyword arguments; ValueError with one line if there is none, or if it is wrong.

    A text of several lines is an experiment file's content, one of a single line a file, or an experiment that comes with the package.
    """
    if source is None:
        return _of_settings({**settings, **({} if seeds is None else {"seeds": {"init": seeds} if isinstance(seeds, int) else seeds})})
    if settings:
        raise ValueError(f"run: an experiment has its settings; {', '.join(settings)} beside it would stand twice")
    if isinstance(seeds, Mapping) or isinstance(seeds, bool):
        raise ValueError(f"run: seeds = {shown(seeds)}: beside an experiment, the number of init seeds")
    if isinstance(source, Experiment):
        text = source.text
        return source if seeds is None else seeded(lambda values: Experiment.parse(text, f"experiment '{source.name}'", values), seeds)
    if isinstance(source, str) and "\n" in source:
        return seeded(lambda values: Experiment.parse(source, overrides=values), seeds)
    if isinstance(source, str | Path):
        return seeded(lambda values: catalog.read(str(source), values), seeds)
    raise ValueError(f"run: {shown(source)}: an Experiment, the text of an experiment file, a path, or an experiment's name")


def _of_settings(settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment of keyword arguments; without a name it is called after its cells, so that more seeds are added to it."""
    try:
        experiment = Experiment.model_validate({"name": NAMELESS, **settings})
    except ValidationError as error:
        raise ValueError(one_line(f"run: {explain(error, Experiment)}")) from None
    if "name" in settings:
        return experiment
    return experiment.model_copy(update={"name": f"run-{experiment.training_hash[:NAME_LETTERS]}"})
