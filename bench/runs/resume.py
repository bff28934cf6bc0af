"""Whether a run folder goes on with an experiment, and in words what differs where it does not."""

import tomllib
from typing import Any

from bench.messages import first_few
from bench.runs.files import MOST_TEXT, read_inside
from bench.runs.folder import RunFolder
from bench.runs.inventory import Inventory, inventory_of
from bench.runs.manifest import CellRecord
from bench.runs.progress import Progress
from bench.runs.provenance import Provenance, differences
from bench.runs.rows import LaneTable, axis_type
from bench.runs.spans import Spans
from bench.spec import Cell, Experiment


def check_same(store: RunFolder, experiment: Experiment) -> None:
    """Check that a folder was begun with this experiment, as far as training goes, or with some of its cells.

    Values that were added to an axis are new cells, which train beside those that are there. ValueError names what differs otherwise.
    """
    if named := another(store, experiment):
        raise ValueError(
            f"{store.folder}: holds another experiment of this name ({named}); take another --out, or another name, or "
            "--fresh to train anew"
        )


def another(store: RunFolder, experiment: Experiment) -> str:
    """Say in words how the experiment of a folder differs from this one; nothing if it is this one or has some of its cells."""
    reordered = _layers_reordered(store, experiment)
    if store.manifest.spec_hash == experiment.training_hash and not reordered:
        return ""
    changes = [*_changes(store, experiment), *reordered]
    ids = {cell.id for cell in experiment.cells}
    if not changes and all(cell.id in ids for cell in store.manifest.cells) and _types_kept(store, experiment):
        return ""
    return first_few([*changes, *_axes_gained(store, experiment)]) or "other pieces"


def of_one_provenance(
    store: RunFolder, table: LaneTable, wanted: Spans, inventory: Inventory, here: Provenance, mixed: bool, progress: Progress
) -> Inventory:
    """Return the inventory that a run goes on with whose missing rows will be made under the provenance `here`.

    ValueError if rows in the folder were made under one that differs in what can change bits, unless `mixed` allows that. Rows without
    their curves are then given up: their training runs would not end as the rows say.
    """
    if store.new:
        return inventory
    found = list(dict.fromkeys(difference for made in store.manifest.in_use for difference in differences(made, here)))
    if store.manifest.in_use and store.manifest.spec_hash == table.experiment.training_hash:
        # Only cells that join may bring code and data of their own; those that have joined already are listed without rows, too.
        known = {name for made in store.manifest.provenance.values() for name in made.own}
        found += [f"'{name}' was not used before" for name in sorted(here.own.keys() - known)]
    if not found:
        return inventory
    named = first_few(found)
    if not mixed:
        raise ValueError(
            f"{store.folder}: its {len(inventory.done):,} training runs were made otherwise ({named}). To go on: --mixed keeps them and "
            "marks the results as mixed, --fresh trains all of them anew, another --out leaves them alone"
        )
    progress.said.append(f"mixed with training runs that were made otherwise ({named})")
    # A curve must not begin under one provenance and end under another, so unfinished curves go as well.
    kept = inventory.done - inventory.lost
    store.keep(lambda lanes: kept.contains(table.numbering.of(lanes)))
    return inventory_of(store, table, wanted)


def grown(store: RunFolder, experiment: Experiment, inventory: Inventory) -> Experiment:
    """Return the experiment as the folder is to keep it: with the folder's seeds, where those are more."""
    if not inventory.beyond:
        return experiment
    seeds = _stored_file(store).get("seeds", {})
    return Experiment.parse(experiment.text, overrides={f"seeds.{name}": seeds[name] for name in ("init", "data") if name in seeds})


def _changes(store: RunFolder, experiment: Experiment) -> list[str]:
    """List in words how an experiment differs from the one in the folder, in what trains."""
    kept = _stored_file(store)
    found = [*_axes_lost(store, experiment), *_settings_changed(store, experiment)]
    for name, value in (("probes", experiment.probes), ("track", experiment.track)):
        if list(kept.get(name) or ()) != list(value or ()):
            found.append(f"{name}: {kept.get(name, 'its default')} -> {list(value) if value is not None else 'its default'}")
    if kept.get("ends", False) != experiment.ends:
        found.append(f"ends: {kept.get('ends', False)} -> {experiment.ends}")
    seeds, old_seeds = experiment.seeds, kept.get("seeds", {})
    if (old_seeds.get("data") == "paired") != (seeds.data == "paired"):
        found.append(f"seeds.data: {old_seeds.get('data', 1)} -> {seeds.data}")
    if old_seeds.get("first", 0) != seeds.first:
        found.append(f"seeds.first: {old_seeds.get('first', 0)} -> {seeds.first}")
    if old_seeds.get("map") != (seeds.model_dump(exclude_defaults=True, by_alias=True)["map"] if seeds.map else None):
        found.append("seeds.map is another")
    return list(dict.fromkeys(found))


def _axes_lost(store: RunFolder, experiment: Experiment) -> list[str]:
    """List in words the axes and values of the folder that the grid lacks, and the axes that it has besides."""
    before, now = store.manifest.cells, experiment.cells
    found: list[str] = []
    for axis in dict.fromkeys([*(axis for cell in before for axis in cell.axes), *(axis for cell in now for axis in cell.axes)]):
        old, new = (_values(cells, axis) for cells in (before, now))
        if old and new:
            lost = [value for value in old if value not in new]
            found += [f"axis '{axis}' lost {', '.join(map(repr, lost))}"] if lost else []
        else:
            found.append(f"axis '{axis}' is {'new' if new else 'gone'}")
    return found


def _axes_gained(store: RunFolder, experiment: Experiment) -> list[str]:
    """List in words the values that axes have now and had not in the folder."""
    found = []
    for axis in experiment.axes:
        old, new = (_values(cells, axis) for cells in (store.manifest.cells, experiment.cells))
        gained = [value for value in new if value not in old]
        found += [f"axis '{axis}' gained {', '.join(map(repr, gained))}"] if gained and old else []
    return found


def _types_kept(store: RunFolder, experiment: Experiment) -> bool:
    """Tell whether every axis keeps the type of its column, which rows of the folder have."""
    stored = store.manifest.cells
    return all(axis_type([cell.axes[axis] for cell in stored]) == axis_type(values) for axis, values in experiment.axes.items())


def _settings_changed(store: RunFolder, experiment: Experiment) -> list[str]:
    """List in words how the settings of cells differ from those of the folder's cells with the same axes."""
    found: list[str] = []
    stored = {_place(cell.axes): cell for cell in store.manifest.cells}
    for cell in experiment.cells:
        if (twin := stored.get(_place(cell.axes))) is not None:
            old_settings, new_settings = _flat(twin.settings), _flat(cell.settings.identity())
            for path in dict.fromkeys([*old_settings, *new_settings]):
                values = [str(settings.get(path, "its default")) for settings in (old_settings, new_settings)]
                if values[0] != values[1]:
                    found.append(f"{path.replace('.options.', '.')}: {values[0]} -> {values[1]}")
    return found


def _layers_reordered(store: RunFolder, experiment: Experiment) -> list[str]:
    """Say whether `initializer.layers` of a cell stand in another order than in the folder: of patterns that match, the last counts.

    The id of a cell does not tell their order.
    """
    now = {cell.id: list(cell.settings.initializer.layers) for cell in experiment.cells}
    before = {cell.id: list(cell.settings.get("initializer", {}).get("layers", {})) for cell in store.manifest.cells}
    moved = any(order != now.get(identity, order) for identity, order in before.items())
    return ["initializer.layers stand in another order"] if moved else []


def _values(cells: list[Cell] | tuple[CellRecord, ...], axis: str) -> list[Any]:
    return list({str(cell.axes[axis]): cell.axes[axis] for cell in cells if axis in cell.axes}.values())


def _place(axes: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((axis, str(value)) for axis, value in axes.items())


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by their dotted paths."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _stored_file(store: RunFolder) -> dict[str, Any]:
    """Return the content of the folder's experiment file; empty if it cannot be read."""
    try:
        return tomllib.loads(read_inside(store.folder, "experiment.toml", MOST_TEXT).decode())
    except (OSError, ValueError):
        return {}
