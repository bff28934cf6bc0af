"""Whether the rows of a folder are those that its experiment has, as far as that can be known without training.

A checksum shows that a file is as it was written, but whoever wrote it may have written anything. Here every value that follows from the
experiment is checked, and every relation between values that holds in each training run.
"""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.lane.descent import Kind
from bench.messages import nearest
from bench.probes import breaking, probe
from bench.runs.manifest import Manifest
from bench.runs.parquet import LANE
from bench.spec import CURVE_COLUMNS, NEEDED, ROW_COLUMNS, Experiment

OUTCOMES = ("solved", "unsolved", "stuck", "diverged")
ENDS = tuple(kind.name.lower() for kind in Kind)
"""Ends of training runs that failed; the end of any other one is its outcome."""
DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
"""Digests of the parameters of training runs; a report keeps the first half of each."""
TYPES = {column.name: column.type for column in (*ROW_COLUMNS, *CURVE_COLUMNS)}


def check_columns(experiment: Experiment, manifest: Manifest, lanes: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Raise ValueError if a column of the lanes or curves is missing, surplus, or of another type than the experiment gives it.

    The column of a known probe may be missing: without the model nobody knows which probes can measure it.
    """
    needed = [*NEEDED, *experiment.axes, *_mapped(experiment)]
    known = [column.name for column in ROW_COLUMNS if column.source != "tie spread" and (column.source != "ends" or experiment.ends)]
    needed += [] if manifest.of_report else [name for name in known if name not in needed]
    tie = breaking(experiment.track_names)
    optional = {*known, *(("break_step",) if tie else ())}
    _check_names(needed, optional, lanes, _probe_columns(experiment))
    _check_types(lanes.drop(columns=list(experiment.axes)))
    if not manifest.of_report:
        for name in (str(name) for name in lanes if name not in TYPES):
            stem, _, when = name.rpartition("_")
            other = {"initial": f"{stem}_final", "final": f"{stem}_initial"}.get(when)
            if other and other not in lanes:
                raise ValueError(f"column '{other}' is missing")
    if curves.empty:
        return
    tracked = {name.rpartition(":")[2] for name in experiment.track_names}
    _check_names([column.name for column in CURVE_COLUMNS], tracked, curves, None)
    if tie and (tie in curves) != ("break_step" in lanes):
        raise ValueError(f"curves: {tie} stands with break_step of the training runs")
    _check_types(curves)


def check_lanes(experiment: Experiment, lanes: pd.DataFrame, whole: bool = True) -> None:
    """Raise ValueError if a row cannot be that of a training run of the experiment; axes are categories in the order of the grid.

    With `whole` the rows are all training runs of the experiment, in the order of its cells and seeds; otherwise some of them, in that
    order.
    """
    cell = _numbers(experiment, lanes, whole)
    _refuse(lanes, (lanes["experiment"] != experiment.name).to_numpy(), "is of another experiment")
    for axis, values in experiment.axes.items():
        order = list(dict.fromkeys(values))
        expected = np.array([order.index(one.axes[axis]) for one in experiment.cells])
        _refuse(lanes, np.asarray(lanes[axis].cat.codes) != expected[cell], f"{axis} is not that of the cell")
    if experiment.seeds.map is not None:
        for path, places in experiment.seeds.map.places(lanes["init_seed"].to_numpy()).items():
            _refuse(lanes, ~np.isclose(lanes[path].to_numpy(float), places, rtol=1e-6), f"{path} is not that of the map")
    for name in lanes.select_dtypes("float"):
        _refuse(lanes, np.isinf(lanes[name].to_numpy(float)), f"{name} is infinite")
    _check_ends(experiment, lanes, cell)
    _check_losses(experiment, lanes, cell)
    if "end" in lanes:
        _check_certificates(experiment, lanes, cell)
    digests = lanes["params_digest"]
    _refuse(lanes, ~digests.str.fullmatch(DIGEST.pattern).fillna(False).to_numpy(bool), "params_digest is no digest")
    _refuse(lanes, (digests.str.len() != len(digests.iloc[0])).to_numpy() if len(digests) else np.zeros(0, bool), "params_digest is cut")


def _numbers(experiment: Experiment, lanes: pd.DataFrame, whole: bool) -> np.ndarray:
    """Return the number of each row's cell, once every row is known to be a training run of the experiment that stands there once."""
    position = {cell.id: number for number, cell in enumerate(experiment.cells)}
    cell = lanes["cell"].map(position)
    _refuse(lanes, cell.isna().to_numpy(), "the experiment has no such cell")
    seeds = experiment.seeds
    place = seeds.places(lanes["data_seed"].to_numpy(np.int64), lanes["init_seed"].to_numpy(np.int64))
    _refuse(lanes, place < 0, "the experiment has no such seeds")
    number = cell.to_numpy(np.int64) * len(seeds) + place
    again = np.append(False, number[1:] == number[:-1])
    _refuse(lanes, again, "is there twice")
    _refuse(lanes, np.append(False, number[1:] < number[:-1]), "is there twice or not in the order of cells and seeds")
    if whole and len(lanes) != experiment.lanes:
        raise ValueError(f"{len(lanes):,} training runs, but the experiment has {experiment.lanes:,}")
    return cell.to_numpy(np.int64)


def _check_ends(experiment: Experiment, lanes: pd.DataFrame, cell: np.ndarray) -> None:
    """Check outcomes and numbers of steps against each other and against the settings of the cells."""
    _refuse(lanes, ~lanes["outcome"].isin(OUTCOMES).to_numpy(), f"outcome is none of {', '.join(OUTCOMES)}")
    solved, unsolved, stuck, _ = _outcomes(lanes)
    training = [one.settings.training for one in experiment.cells]
    budget = np.array([one.steps for one in training])[cell]
    steps, at = lanes["steps_run"].to_numpy(), lanes["steps_to_solve"].to_numpy(float, na_value=np.nan)
    _refuse(lanes, (steps < 0) | (steps > budget), "steps_run is not between 0 and the budget")
    _refuse(lanes, unsolved & (steps != budget), "is unsolved before its budget is spent")
    _refuse(lanes, stuck & (steps == budget), "is stuck, but its budget is spent")
    _refuse(lanes, np.isnan(at) == solved, "steps_to_solve stands with solved training runs, and with no others")
    _refuse(lanes, solved & ~((at >= 0) & (at <= steps)), "steps_to_solve is not between 0 and steps_run")
    _refuse(lanes, solved & _stops(experiment)[cell] & (at != steps), "goes on after it is solved")
    if "break_step" in lanes:
        broken = lanes["break_step"].to_numpy(float, na_value=0)
        _refuse(lanes, (broken < 0) | (broken > steps), "break_step is not between 0 and steps_run")


def _check_losses(experiment: Experiment, lanes: pd.DataFrame, cell: np.ndarray) -> None:
    """Check losses, norms and learning rates against the outcomes and against the settings of the cells."""
    solved, unsolved, stuck, diverged = _outcomes(lanes)
    training = [one.settings.training for one in experiment.cells]
    loss = lanes["loss_final"].to_numpy(float)
    _refuse(lanes, np.isnan(loss) != diverged, "loss_final is null for diverged training runs, and for no others")
    for name in lanes:
        if str(name).endswith("_final"):
            _refuse(lanes, diverged & lanes[name].notna().to_numpy(), f"{name} is null for diverged training runs")
    for name in ("grad_norm_initial", "grad_norm_final", "weight_norm_initial", "weight_norm_final"):
        if name in lanes:
            _refuse(lanes, (lanes[name].to_numpy(float) < 0), f"{name} is a norm, at least 0")
    if "loss_initial" in lanes:
        _refuse(lanes, lanes["loss_initial"].isna().to_numpy() & ~diverged, "loss_initial is null for diverged training runs alone")
    kinds = [np.dtype(one.dtype).type for one in training]
    below = np.array([-np.inf if one.solved_below is None else kind(one.solved_below) for one, kind in zip(training, kinds, strict=True)])
    with np.errstate(invalid="ignore"):
        _refuse(lanes, solved & _stops(experiment)[cell] & ~(loss < below[cell]), "is solved with a loss that is too large")
        _refuse(lanes, (unsolved | stuck) & (loss < below[cell]), "is not solved with a loss that is small enough")
    _refuse(lanes, solved & np.isinf(below[cell]), "is solved, but the experiment does not say when")
    if "optimizer.learning_rate" not in _mapped(experiment):
        optimizers = [one.settings.optimizer for one in experiment.cells]
        rates = np.array([np.nan if one.relative else kind(one.rate) for one, kind in zip(optimizers, kinds, strict=True)], float)[cell]
        _refuse(lanes, ~np.isnan(rates) & (lanes["learning_rate"].to_numpy(float) != rates), "learning_rate is not that of the cell")


def _check_certificates(experiment: Experiment, lanes: pd.DataFrame, cell: np.ndarray) -> None:
    """Check how training runs that failed have ended against their numbers and against the settings of the cells."""
    _, unsolved, stuck, _ = _outcomes(lanes)
    failed, end = unsolved | stuck, lanes["end"].astype(str).to_numpy()
    _refuse(lanes, ~failed & (end != lanes["outcome"].astype(str).to_numpy()), "has not failed, so its end is its outcome")
    _refuse(lanes, failed & ~np.isin(end, ENDS), f"end is none of {', '.join(ENDS)}")
    numbers = {name: lanes[name].to_numpy(float) for name in lanes if TYPES.get(str(name)) == "real" and str(name).startswith("end_")}
    for name, values in numbers.items():
        _refuse(
            lanes, ~failed & ~np.isnan(values) | (values < 0) & (name != "end_loss"), f"{name} is of failed training runs, and not negative"
        )
        _refuse(lanes, np.isnan(values) & failed & (end != "unknown"), f"{name} is missing")
    if "end_index" in numbers:
        index = numbers["end_index"]
        _refuse(lanes, (end == "minimum") & (index != 0) | (end == "saddle") & ~(index > 0), "end and end_index do not agree")
    if "end_loss" in numbers:
        below = np.array([one.settings.training.solved_below or 0.0 for one in experiment.cells])[cell]
        # The loss has four digits.
        loss, slack = numbers["end_loss"], 1e-3 * np.abs(below)
        _refuse(lanes, (end == "late") & (loss > below + slack), "end is late with a loss that is too large")
        _refuse(lanes, failed & (end != "late") & (loss < below - slack), "end is not late with a loss that is small enough")


def _outcomes(lanes: pd.DataFrame) -> list[np.ndarray]:
    """Return for each of `OUTCOMES` which rows have it."""
    return [(lanes["outcome"] == name).to_numpy() for name in OUTCOMES]


def _stops(experiment: Experiment) -> np.ndarray:
    """Return for each cell whether its training runs stop when they are solved."""
    return np.array([one.settings.training.stop == "solved" for one in experiment.cells])


def ended_curves(lanes: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of these training runs, each point once, in the order of the rows.

    A run that was cut off also holds the beginnings of other curves; those are left out.
    """
    order = lanes[LANE].assign(_lane=np.arange(len(lanes)))
    order = order[(order[["data_seed", "init_seed"]] <= curves[["data_seed", "init_seed"]].max()).all(axis=1)].astype({"cell": str})
    found = curves.merge(order, on=LANE).sort_values(["_lane", "step"], kind="stable")
    return found.drop_duplicates(["_lane", "step"]).drop(columns="_lane").reset_index(drop=True)


def check_curves(experiment: Experiment, manifest: Manifest, lanes: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Raise ValueError if the curves are not exactly those of the training runs that have one, from step 0 to the run's end.

    Training runs have a curve if both of their seeds are among the first `curve_seeds`; a report may have left all of them out.
    """
    left_out = manifest.of_report and "curves" in experiment.unreported
    seeds = (lanes[name].to_numpy(np.int64) for name in ("data_seed", "init_seed"))
    logged = lanes[experiment.seeds.among_first(manifest.curve_seeds, *seeds)] if not left_out else lanes.iloc[:0]
    if curves.empty or logged.empty:
        if len(logged) or len(curves):
            raise ValueError(f"curves: {len(logged):,} training runs have one, but there are {'none' if curves.empty else 'others'}")
        return
    starts = np.append(True, (curves[LANE].iloc[1:].to_numpy() != curves[LANE].iloc[:-1].to_numpy()).any(axis=1))
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(curves)) - 1
    if len(first) != len(logged) or not (curves[LANE].iloc[first].to_numpy() == logged[LANE].to_numpy()).all():
        raise ValueError(f"curves: they are not those of the {len(logged):,} training runs that have one, in their order")
    step, end = curves["step"].to_numpy(), logged["steps_run"].to_numpy()
    _refuse(logged, step[first] != 0, "its curve does not begin at step 0")
    _refuse(logged, step[last] != end, "its curve does not end where the training run does")
    _refuse(curves, ~starts & (np.diff(step, prepend=-1) <= 0), "the steps of its curve do not increase")
    # All training runs of a cell are logged at the same steps.
    for _, group in logged[LANE].assign(_first=first, _last=last).groupby("cell", sort=False):
        rows = np.concatenate([np.arange(a, b) for a, b in zip(group["_first"], group["_last"], strict=True)])
        grid = np.unique(step[rows])
        expected = np.searchsorted(grid, step[group["_last"]], "left")
        _refuse(group, (group["_last"] - group["_first"]).to_numpy() != expected, "points of its curve are missing")
    _check_points(logged, curves, first, last)


def _check_points(logged: pd.DataFrame, curves: pd.DataFrame, first: np.ndarray, last: np.ndarray) -> None:
    """Check the values of curves, and those at their first and last points against the rows `logged`."""
    for name in curves.select_dtypes("float"):
        values = curves[name].to_numpy(float)
        _refuse(curves, np.isinf(values), f"{name} of its curve is infinite")
    loss = curves["loss"].to_numpy()
    inner = np.ones(len(curves), bool)
    inner[last] = False
    _refuse(curves, np.isnan(loss) & inner, "the loss of its curve is null before its end")
    for place, column in ((first, "loss_initial"), (last, "loss_final")):
        if column in logged:
            ours, theirs = loss[place], logged[column].to_numpy(float).astype(loss.dtype)
            same = (ours == theirs) | np.isnan(theirs) & (np.isnan(ours) | (column == "loss_final"))
            _refuse(logged, ~same, f"its curve and {column} do not agree")


def _mapped(experiment: Experiment) -> list[str]:
    """Return the settings that have a column because the training runs are the points of a map."""
    return [experiment.seeds.map.x.path, experiment.seeds.map.y.path] if experiment.seeds.map is not None else []


def _probe_columns(experiment: Experiment) -> re.Pattern[str]:
    """Return the pattern of the columns of the experiment's probes, which are numbered where there is one for each layer."""
    given = experiment.probe_names
    names = probe if given is None else (name.rpartition(":")[2] for name in given)
    return re.compile(f"({'|'.join(map(re.escape, names)) or '(?!)'})(_[0-9]+)?_(initial|final)")


def _check_names(needed: list[str], optional: Iterable[str], rows: pd.DataFrame, pattern: re.Pattern[str] | None) -> None:
    """Raise ValueError if a needed column is missing, or another one is neither optional nor of the pattern."""
    missing = [name for name in needed if name not in rows]
    if missing:
        raise ValueError(f"column '{missing[0]}' is missing")
    known = {*needed, *optional}
    for name in rows:
        if name not in known and not (pattern and pattern.fullmatch(str(name))):
            raise ValueError(f"column '{name}' is none of the experiment; {nearest(str(name), known)}")


def _check_types(rows: pd.DataFrame) -> None:
    """Raise ValueError if a column has another type than the list of columns gives it; probes and settings are real numbers."""
    for name in rows:
        dtype, wanted = rows[name].dtype, TYPES.get(str(name), "real")
        dtype = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        if wanted == "text":
            right = pd.api.types.is_string_dtype(dtype) or pd.api.types.is_object_dtype(dtype)
        elif wanted == "integer":
            right = pd.api.types.is_integer_dtype(dtype)
        else:
            right = pd.api.types.is_float_dtype(dtype)
        if not right:
            raise ValueError(f"column '{name}' is of type {dtype}")


def _refuse(rows: pd.DataFrame, wrong: np.ndarray, why: str) -> None:
    """Raise ValueError that names the first training run for which something is wrong, if there is one."""
    if wrong.any():
        row = rows.iloc[int(np.argmax(wrong))]
        raise ValueError(f"training run {':'.join(str(row[name]) for name in LANE)}: {why}")
