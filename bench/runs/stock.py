"""What a run folder holds of an experiment: which lanes are done, which have lost their curves, and what has to be given up."""

import tomllib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench.messages import first_few
from bench.runs.folder import LANE, RunFolder
from bench.runs.manifest import CellRecord, Part
from bench.runs.rows import BEYOND, FOREIGN, LaneTable
from bench.spec import Cell, Experiment


@dataclass
class Stock:
    """The lanes of an experiment that are on disk, by their numbers (sorted)."""

    done: np.ndarray
    """Lanes whose row is there."""
    lost: np.ndarray
    """Those of them whose curve should be there and is not whole."""
    missing: bool
    """Whether a lane has to run, be it for its curve alone."""
    whole: bool
    """Whether nothing is missing, and the rows are in order."""
    solved: int
    beyond: bool
    """Whether there are lanes of more seeds than the experiment has."""
    faults: list[str] = field(default_factory=list)


def take_stock(store: RunFolder, table: LaneTable) -> Stock:
    """Read all parts, take those off the list that are damaged or not of this experiment, and see what is left.

    ValueError if the folder was begun with seeds that the experiment does not have, and is not complete. OSError if a part cannot be read.
    """
    nothing = np.zeros(0, np.int64)
    if store.new:
        return Stock(nothing, nothing, True, False, 0, False)
    lost_parts: list[Part] = []
    faults: list[str] = []
    rows, curves = (_sound(store, table, kind, lost_parts, faults) for kind in ("lanes", "curves"))
    if lost_parts:
        store.give_up(lost_parts)
    lanes = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"lane": nothing, "outcome": [], "steps_run": nothing})
    beyond = bool((lanes["lane"] == BEYOND).any())
    lanes = lanes[lanes["lane"] >= 0].sort_values("lane")
    done = lanes["lane"].to_numpy(np.int64)
    total = table.experiment.lanes
    lost = _without_curve(table, lanes, curves)
    missing = len(done) < total or len(lost) > 0
    whole = not missing and store.manifest.complete
    if beyond and not whole:
        raise ValueError(
            f"{store.folder}: was begun with more seeds than this experiment has ({store.manifest.lanes:,} training runs, this makes "
            f"{total:,}); take at least as many, or --fresh trains anew"
        )
    return Stock(done, lost, missing, whole, int((lanes["outcome"] == "solved").sum()), beyond, faults)


def _sound(store: RunFolder, table: LaneTable, kind: str, lost: list[Part], faults: list[str]) -> list[pd.DataFrame]:
    """Rows of the parts of a kind that can be kept, with their lanes' numbers; the others, and why, are added to `lost` and `faults`."""
    kept: list[tuple[Part, pd.DataFrame]] = []

    def give_up(part: Part, why: str) -> None:
        lost.append(part)
        faults.append(f"{why}; what is lost with it is made anew")

    for part, rows in store.intact(kind, [*LANE, *(["outcome", "steps_run"] if kind == "lanes" else ["step"])]):
        if isinstance(rows, str):
            give_up(part, rows)
            continue
        lane = FOREIGN if rows[LANE].isna().any(axis=None) else table.numbers(rows)
        rows = rows.assign(lane=lane).drop(columns=LANE)
        if (rows["lane"] == FOREIGN).any():
            give_up(part, f"{store.folder / part.file}: has training runs that are not of this experiment")
        else:
            kept.append((part, rows))
    if kind == "lanes" and kept:
        numbers = pd.concat([rows["lane"] for _, rows in kept])
        again = (numbers.duplicated() & (numbers >= 0)).to_numpy()
        edges = np.cumsum([len(rows) for _, rows in kept])[:-1]
        twice = [part for (part, _), here in zip(kept, np.split(again, edges), strict=True) if here.any()]
        for part in twice:
            give_up(part, f"{store.folder / part.file}: has training runs twice, or that stand in another part as well")
        kept = [(part, rows) for part, rows in kept if part not in twice]
    return [rows for _, rows in kept]


def _without_curve(table: LaneTable, lanes: pd.DataFrame, curves: list[pd.DataFrame]) -> np.ndarray:
    """Lanes whose curve should be kept, and does not begin at step 0, end where the lane ended, and have every logged step between."""
    numbers = lanes["lane"].to_numpy(np.int64)
    wanted = lanes[table.logged(numbers)].set_index("lane")["steps_run"]
    points = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame({"lane": [], "step": []}, dtype=np.int64)
    found = points.drop_duplicates().groupby("lane")["step"].agg(["size", "min", "max"]).reindex(wanted.index, fill_value=-1)
    logged = {cell: steps for cells, steps in table.log_steps for cell in cells}
    expected = pd.Series(0, index=wanted.index)
    for cell, group in wanted.groupby(wanted.index // table.seeds):
        expected[group.index] = np.searchsorted(logged[cell], group.to_numpy(), "left") + 1
    whole = (found["size"] == expected) & (found["min"] == 0) & (found["max"] == wanted)
    return wanted.index[~whole.to_numpy()].to_numpy(np.int64)


def check_same(store: RunFolder, experiment: Experiment) -> None:
    """A folder goes on with the experiment that it was begun with; ValueError names what differs."""
    if store.manifest.spec_hash == experiment.training_hash:
        return
    named = first_few(_changes(store, experiment))
    raise ValueError(
        f"{store.folder}: holds another experiment of this name ({named or 'other pieces'}); take another --out, or another name, or "
        "--fresh to train anew"
    )


def _changes(store: RunFolder, experiment: Experiment) -> list[str]:
    """How an experiment differs from the one in the folder, in what trains."""
    before, now = store.manifest.cells, experiment.cells
    found: list[str] = []
    axes = list(dict.fromkeys([*(axis for cell in before for axis in cell.axes), *(axis for cell in now for axis in cell.axes)]))
    for axis in axes:
        old, new = (_values(cells, axis) for cells in (before, now))
        if old and new:
            gained, lost = ([value for value in one if value not in other] for one, other in ((new, old), (old, new)))
            found += [f"axis '{axis}' gained {', '.join(map(repr, gained))}"] if gained else []
            found += [f"axis '{axis}' lost {', '.join(map(repr, lost))}"] if lost else []
        else:
            found.append(f"axis '{axis}' is {'new' if new else 'gone'}")
    stored = {_place(cell.axes): cell for cell in before}
    for cell in now:
        if (twin := stored.get(_place(cell.axes))) is not None:
            old_settings, new_settings = _flat(twin.settings), _flat(cell.settings.identity())
            for path in dict.fromkeys([*old_settings, *new_settings]):
                values = [str(settings.get(path, "its default")) for settings in (old_settings, new_settings)]
                if values[0] != values[1]:
                    found.append(f"{path.replace('.options.', '.')}: {values[0]} -> {values[1]}")
    kept = _stored_file(store)
    for name, value in (("probes", experiment.probes), ("track", experiment.track)):
        if list(kept.get(name) or ()) != list(value or ()):
            found.append(f"{name}: {kept.get(name, 'its default')} -> {list(value) if value is not None else 'its default'}")
    seeds, old_seeds = experiment.seeds, kept.get("seeds", {})
    if (old_seeds.get("data") == "paired") != (seeds.data == "paired"):
        found.append(f"seeds.data: {old_seeds.get('data', 1)} -> {seeds.data}")
    if old_seeds.get("map") != (seeds.model_dump(exclude_defaults=True, by_alias=True)["map"] if seeds.map else None):
        found.append("seeds.map is another")
    return list(dict.fromkeys(found))


def _values(cells: list[Cell] | tuple[CellRecord, ...], axis: str) -> list[Any]:
    return list({str(cell.axes[axis]): cell.axes[axis] for cell in cells if axis in cell.axes}.values())


def _place(axes: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((axis, str(value)) for axis, value in axes.items())


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted paths."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _stored_file(store: RunFolder) -> dict[str, Any]:
    try:
        return tomllib.loads((store.folder / "experiment.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def grown(store: RunFolder, experiment: Experiment, stock: Stock) -> Experiment:
    """The experiment as the folder is to keep it: with the folder's seeds, where those are more."""
    if not stock.beyond:
        return experiment
    seeds = _stored_file(store).get("seeds", {})
    return Experiment.parse(experiment.text, overrides={f"seeds.{name}": seeds[name] for name in ("init", "data") if name in seeds})
