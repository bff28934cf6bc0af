"""The experiment of a run folder as a reader sees it: as data, of which nothing is imported."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.messages import one_line
from bench.registry import trusting
from bench.runs.files import MOST_TEXT, read_inside
from bench.runs.manifest import Manifest
from bench.spec import Experiment, Settings, digest


def stored_experiment(folder: Path, manifest: Manifest, trust: Iterable[str] = ()) -> Experiment:
    """Read the experiment of a folder and give its cells the ids of the manifest, once both are known to be about the same cells.

    Nothing that the folder names is imported, except the modules in `trust`. ValueError with one line if the file is missing, broken, or
    not that of the manifest.
    """
    path = folder / "experiment.toml"
    try:
        text = read_inside(folder, path.name, MOST_TEXT).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8") from error
    except OSError as error:
        raise ValueError(str(error)) from error
    with trusting(trust):
        experiment = Experiment.parse(text, str(path))
        try:
            _check_cells(experiment, manifest)
        except ValueError as error:
            raise ValueError(one_line(f"{folder / 'run.json'}: {error}")) from error
    experiment = experiment.identified([cell.id for cell in manifest.cells])
    if experiment.name != manifest.experiment or experiment.training_hash != manifest.spec_hash:
        raise ValueError(f"{path}: changed after the run, its hash is not the one in run.json")
    if experiment.lanes != manifest.lanes:
        raise ValueError(f"{path}: has {experiment.lanes:,} training runs, but run.json counts {manifest.lanes:,}")
    return experiment


def _check_cells(experiment: Experiment, manifest: Manifest) -> None:
    """Raise ValueError if the cells of a manifest are not those of the experiment, as far as that is known without importing anything."""
    if len(experiment.cells) != len(manifest.cells):
        raise ValueError(f"cells: {len(manifest.cells)}, but the experiment has {len(experiment.cells)}")
    for cell, record in zip(experiment.cells, manifest.cells, strict=True):
        place = f"cells: {record.id}"
        if json.dumps(cell.axes) != json.dumps(record.axes):
            raise ValueError(f"{place}: axes are not those of the experiment's cell: {cell.axes}")
        if digest(record.settings, len(record.id)) != record.id:
            raise ValueError(f"{place}: is not the digest of its settings")
        foreign = {kind for kind, _ in cell.settings.foreign()}
        if not foreign and (cell.id != record.id or cell.settings.initializer.random != record.draws):
            raise ValueError(f"{place}: is not the experiment's cell with {cell.axes}")
        opaque = {kind.partition(".")[0] for kind in foreign}
        identity = cell.settings.identity() if foreign else record.settings
        for section in opaque:
            if _names_in(section, identity.get(section)) != _names_in(section, record.settings.get(section)):
                raise ValueError(f"{place}: {section} names other pieces than the experiment's cell with {cell.axes}")
        for section in Settings.model_fields:
            if section not in opaque and identity.get(section) != record.settings.get(section):
                raise ValueError(f"{place}: {section} is not that of the experiment's cell with {cell.axes}")
    if manifest.dtype != (dtype := ", ".join(sorted({cell.settings.training.dtype for cell in experiment.cells}))):
        raise ValueError(f"dtype = '{manifest.dtype}': the experiment has {dtype}")


def _names_in(section: str, content: Any) -> list[str]:
    """Return the names of the pieces in the settings of a section; options of the pieces do not count, whatever they are called."""
    if not isinstance(content, dict):
        return []
    found = [str(content.get("name"))]
    if section == "initializer":
        layers = content.get("layers", {})
        scheme = content.get("scheme")
        scheme = scheme.get("name") if isinstance(scheme, dict) else scheme
        found += [str(scheme), *(f"{layer}: {piece.get('name')}" for layer, piece in sorted(layers.items()))]
    return found
