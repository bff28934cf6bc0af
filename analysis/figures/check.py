"""The figures of an experiment file, checked before anything trains: the names that they use must be there."""

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from analysis.figures import figure_kind
from analysis.figures.trend import setting
from analysis.rows.load import Run
from analysis.rows.measures import RATES, columns_of, left_out
from bench.messages import nearest, shown
from bench.piece_names import all_options, options_of
from bench.registry import Entry, PieceError
from bench.runs.columns import ALWAYS, Columns
from bench.runs.contents import OUTCOMES
from bench.spec import CURVE_COLUMNS, ROW_COLUMNS, SECTIONS, Experiment, Figure

KEYS = ("x", "y", "color", "panel")
MORE_KEYS = {"log": "true for a logarithmic axis", "lines": "labeled reference values"}
"""Keys that name nothing and may be left out; a kind that reads one has a trait of that name."""
MEASURED = ("column", "rate", "measure", "curve")
"""Sorts of names that depend on the probes."""
TEXTS = tuple(column.name for column in ROW_COLUMNS if column.type == "text")
"""Columns that are no numbers, besides axes that are texts."""
PLACES = tuple(column.name for column in CURVE_COLUMNS if column.name != "loss")
"""Columns of curves that say which training run and step a point belongs to."""
WORDS = {
    "axis": "an axis of the grid",
    "group": "an axis of the grid or 'outcome'",
    "column": "a column of the rows",
    "rate": "a share of training runs",
    "measure": "a column of the rows or a share of training runs",
    "curve": "a column of the curves",
    "setting": "a dotted path to a number, like initializer.gain",
}


def check_figures(experiment: Experiment, rows: Iterable[str] | None = None, curves: Iterable[str] | None = None) -> None:
    """Check the figures of an experiment; ValueError on an unknown kind, a missing or surplus key, or a name that does not exist.

    `rows` and `curves` are the names of the columns of the rows and curves that there are; without them, of those that there will be, and
    kinds of the user's own are imported.
    """
    names = [figure.name.lower() for figure in experiment.figure or ()]
    foretold = rows is None or curves is None
    if rows is None or curves is None:
        rows, curves = _foretold(experiment)
    known = _known(experiment, rows, curves)
    for figure in experiment.figure or ():
        place = f"experiment '{experiment.name}': figure '{figure.name}'"
        if names.count(figure.name.lower()) > 1:
            raise ValueError(f"{place}: the name is used twice, or is another's but for upper and lower case")
        drawn_as = figure.kind_name
        if ":" not in drawn_as and drawn_as not in figure_kind:
            raise ValueError(f"{place}: unknown kind {shown(drawn_as)}; {nearest(drawn_as, figure_kind)}")
        # A user's own declares no keys; of a folder, whose rows are there, it may be a stranger's, and is imported as it is drawn.
        if foretold or ":" not in drawn_as:
            _check_call(place, figure)
        if ":" in drawn_as:
            continue
        entry = figure_kind[drawn_as]
        for key in (*KEYS, *MORE_KEYS):
            if getattr(figure, key) not in (None, {}) and key not in entry.traits:
                read = [one for one in (*KEYS, *MORE_KEYS) if one in entry.traits]
                raise ValueError(f"{place}: kind '{drawn_as}' does not read the key '{key}'; it reads: {', '.join(read) or 'none'}")
        for key in KEYS:
            _check_key(f"{place}: {key}", getattr(figure, key), entry, key, known, experiment)
        for sort, one in (("axes", "axis"), ("columns", "column"), ("rates", "rate"), ("curves", "curve")):
            for name in _named(entry, sort, figure):
                if name not in known[one]:
                    raise ValueError(f"{place}: kind '{drawn_as}' needs {WORDS[one]} '{name}', which this experiment has not")
        if entry.traits.get("map") and experiment.seeds.map is None:
            raise ValueError(f"{place}: kind '{drawn_as}' needs seeds.map")


def kind(figure: Figure) -> Callable[[Run, Figure], Any]:
    """Return the function of (run, figure) that draws a figure, with the options of its kind filled in.

    `PieceError` if a user's own cannot be imported or not be called so; ValueError on an option that the kind does not have.
    """
    entry = figure_kind[figure.kind_name]
    try:
        options = all_options(entry, options_of(figure.kind))
    except PieceError:
        raise
    except ValueError as error:
        raise ValueError(f"kind: {error}") from error
    try:
        inspect.signature(entry.target).bind(None, None, **options)
    except TypeError as error:
        fix = f"write def {figure.kind_name.rpartition(':')[2]}(run, figure)"
        raise entry.fault(f"it cannot be called as (run, figure): {error}", fix=fix) from error
    return partial(entry.target, **options)


def _check_call(place: str, figure: Figure) -> None:
    try:
        kind(figure)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def keys_of(entry: Entry) -> str:
    """Describe the keys of a kind and what each names, in words."""
    words = [f"{key}: {_words(entry.traits[key])}" for key in KEYS if key in entry.traits]
    words += [f"{key}: {what} (may be left out)" for key, what in MORE_KEYS.items() if key in entry.traits]
    return "; ".join(words) or "no keys"


def _words(wanted: str | tuple[str, ...]) -> str:
    if isinstance(wanted, tuple):
        return " or ".join(f"'{word}'" for word in wanted)
    return WORDS[wanted.removesuffix("?")] + (" (may be left out)" if wanted.endswith("?") else "")


def _foretold(experiment: Experiment) -> tuple[list[str], list[str]]:
    """Return the columns that rows and curves will have, as far as figures may be about them."""
    drawn = [(figure_kind[figure.kind_name], figure) for figure in experiment.figure or () if figure.kind_name in figure_kind]
    asked = [name for entry, figure in drawn for sort in ("columns", "rates") for name in _named(entry, sort, figure)]
    asked += [name for entry, figure in drawn for key in KEYS if entry.traits.get(key) in MEASURED and (name := getattr(figure, key))]
    if set(asked) <= {*ALWAYS, *OUTCOMES, "loss"}:
        # These columns are known without tracing a program.
        return [*experiment.axes, *ALWAYS], ["loss"]
    columns = Columns(experiment, asked)
    rows = dict.fromkeys(name for cell in experiment.cells for name in sorted(columns.of_rows(cell)))
    tracked = [name.rpartition(":")[2] for name in experiment.track_names]
    curves = [name for name in ("loss", *tracked) if any(columns.in_curves(cell, name) for cell in experiment.cells)]
    return [*experiment.axes, *rows], curves


def _known(experiment: Experiment, rows: Iterable[str], curves: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that there are of each sort."""
    shown = [name for name in rows if not left_out(name, experiment.unreported)]
    texts = [axis for axis, values in experiment.axes.items() if any(isinstance(value, str) for value in values)]
    columns = [name for name in shown if name not in (*TEXTS, *texts)]
    rates = [rate for rate in RATES if columns_of(rate)[0] in ("outcome", *shown)]
    return {
        "axis": list(experiment.axes),
        "group": [*experiment.axes, "outcome"],
        "column": columns,
        "rate": rates,
        "measure": [*rates, *columns],
        "curve": [] if "curves" in experiment.unreported else [name for name in curves if name not in PLACES],
    }


def _named(entry: Entry, kind: str, figure: Figure) -> list[str]:
    return [name.format(y=figure.y) for name in entry.traits.get(kind, ())]


def _check_key(place: str, given: str | None, entry: Entry, key: str, known: dict[str, list[str]], experiment: Experiment) -> None:
    wanted = entry.traits.get(key)
    if wanted is None:
        return
    if given is None:
        if isinstance(wanted, tuple) or not wanted.endswith("?"):
            raise ValueError(f"{place}: missing; kind '{entry.name}' needs {_words(wanted)}")
        return
    if wanted == "setting":
        if not any(_is_number(experiment, given, cell) for cell in range(len(experiment.cells))):
            raise ValueError(f"{place} = {shown(given)}: no setting of these cells that is a number; {_words(wanted)}")
        return
    allowed = wanted if isinstance(wanted, tuple) else known[wanted.removesuffix("?")]
    if given not in allowed:
        what = "value" if isinstance(wanted, tuple) else WORDS[wanted.removesuffix("?")].partition(" ")[2]
        raise ValueError(f"{place} = {shown(given)} is no {what}; {nearest(given, allowed)}")


def _is_number(experiment: Experiment, path: str, cell: int) -> bool:
    if path.partition(".")[0] not in SECTIONS:
        return False
    value = setting(experiment.cells[cell], path)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
