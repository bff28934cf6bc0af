"""Checks of what the parts of an experiment file say about each other: columns, axes, conditions and maps.

Each function raises ValueError with one line that names the value, where it stands and what is allowed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from bench.messages import explain, nearest, one_line, shown
from bench.probes import probe
from bench.registry import is_opaque
from bench.spec.claims import Claim, Published
from bench.spec.columns import COMMON, CURVE_COLUMNS, NEEDED
from bench.spec.figures import Figure
from bench.spec.grid import Cell
from bench.spec.labels import label_key, wanted_labels
from bench.spec.seeds import Map, MapAxis, Span
from bench.spec.settings import validated
from bench.spec.sizes import check_sizes, extremes

Axes = Mapping[str, Sequence[Any]]
"""Labels of each axis of the grid."""
RESERVED = {*COMMON, *NEEDED, *(column.name for column in CURVE_COLUMNS), "lane"}
"""Names that no column of a user's own probe can have."""


def check_once(place: str, names: Sequence[str]) -> None:
    """Refuse a name that stands twice in a list."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{place}: '{one_line(twice)}' stands there twice")


def check_probes(probes: Sequence[str], track: Sequence[str]) -> None:
    """Refuse a probe that does not exist, or whose column would have the name of another one."""
    for name in (*probes, *track):
        if not is_opaque(name):
            probe[name]  # noqa: B018  (looks the name up)
    for key, names in (("probes", probes), ("track", track)):
        check_once(key, names)
        columns = [name.rpartition(":")[2] for name in names]
        for place, (name, column) in enumerate(zip(names, columns, strict=True)):
            if column in columns[:place] or ":" in name and column in {*probe, *RESERVED}:
                raise ValueError(f"probe '{one_line(name)}': there is another column '{column}'; give the function another name")


def check_unreported(unreported: Sequence[str], probes: Sequence[str], axes: Iterable[str]) -> None:
    """Refuse an `unreported` name that is no column, or that would leave out a column that every report needs."""
    check_once("unreported", unreported)
    known = {*COMMON, *probe, *(name.rpartition(":")[2] for name in probes)}
    for name in unreported:
        if "*" not in name and name not in known:
            raise ValueError(f"unreported: '{one_line(name)}' is no column; {nearest(name, known)}")
        needed = next((column for column in (*NEEDED, *axes) if fnmatchcase(column, name)), None)
        if needed is not None:
            raise ValueError(f"unreported: '{one_line(name)}' would leave out '{needed}', which every report needs")


def check_axes(claim: Claim, axes: Axes) -> None:
    """Refuse a claim's `by`, `pool` or `best` that is no axis, or that stands there twice."""
    place = f"claim '{claim.id}'"
    for key, names in (("by", claim.by), ("pool", claim.pool), ("best", (claim.best,) if claim.best else ())):
        check_once(f"{place}: {key}", names)
        for axis in names:
            if axis not in axes:
                raise ValueError(f"{place}: {key}: '{one_line(axis)}' is no axis; {nearest(axis, axes)}")


def conditions(
    claims: Iterable[Claim], figures: Iterable[Figure], published: Iterable[Published]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every `where` of a file, with the place where it stands, for a message."""
    for claim in claims:
        yield f"claim '{claim.id}': where", claim.where
        for key, other in claim.other_rows.items():
            yield f"claim '{claim.id}': {key}.where", other.where
    for figure in figures:
        yield f"figure '{figure.name}': where", figure.where
    for number in published:
        yield "published: where", number.where


def check_condition(place: str, where: Mapping[str, Any], axes: Axes, places: Map | None) -> None:
    """Refuse a `where` that names no axis of the grid or map, or a value that its axis does not have."""
    mapped = [axis.path for axis in (places.x, places.y)] if places else []
    for axis, wanted in where.items():
        if axis in mapped:
            _check_span(f"{place}: {axis}", wanted)
            continue
        if axis not in axes:
            raise ValueError(f"{place}: '{one_line(axis)}' is no axis; {nearest(axis, axes)}")
        labels = wanted_labels(wanted, axes[axis])
        if not labels:
            raise ValueError(f"{place}: {axis} = []: at least one of its values")
        known = set(map(label_key, axes[axis]))
        for value in labels:
            if label_key(value) not in known:
                raise ValueError(f"{place}: {axis} = {shown(value)}; {nearest(repr(value), map(repr, axes[axis]))}")


def _check_span(place: str, wanted: Any) -> None:
    try:
        Span.model_validate(wanted)
    except ValidationError as error:
        raise ValueError(f"{place}: a part of the map, {{ at_least = ..., at_most = ... }}: {explain(error, Span)}") from error


def check_map(places: Map, axes: Axes, cells: Sequence[Cell]) -> None:
    """Refuse a map over an axis of the grid, and ends of its axes that the setting itself cannot have."""
    for axis in (places.x, places.y):
        if axis.path in axes:
            raise ValueError(f"seeds.map: '{axis.path}' is an axis of the grid as well")
        if axis.path == "optimizer.learning_rate" and any(cell.settings.optimizer.schedule for cell in cells):
            raise ValueError(f"seeds.map: '{axis.path}' has a schedule, and a map's axis is a number that does not change")
        for cell in (cells[0], *(cell for cell in cells if cell.settings.training.dtype == "float32"))[:2]:
            _check_ends(axis, cell)


def _check_ends(axis: MapAxis, cell: Cell) -> None:
    section, _, key = axis.path.partition(".")
    piece = getattr(cell.settings, section)
    if section == "initializer" and key in piece.options:
        raise ValueError(f"seeds.map: '{axis.path}' is an option of '{one_line(piece.name, 100)}', no setting")
    own = {} if section == "training" else {"name": piece.name, **piece.options}
    for end in (axis.start, axis.stop):
        try:
            changed = validated(section, {**own, key: end})
            check_sizes(extremes(section, changed), cell.settings.training.dtype)
        except ValueError as error:
            raise ValueError(f"seeds.map: {error}") from error
