"""Rows and curves that cannot be those of the experiment are refused, whatever their checksum."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.rows.load import load
from tests.commands import call
from tests.folders import manifest_of, with_manifest, with_rows
from tests.runs.outcomes import LANES, refused


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(original / "run", tmp_path / "run"))


def first(rows: pd.DataFrame, **where: object) -> int:
    return int(np.flatnonzero(np.all([rows[name] == value for name, value in where.items()], axis=0))[0])


def with_value(name: str, value: object, **where: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[first(rows, **where), name] = value
        return rows

    return change


def exchanged(rows: pd.DataFrame) -> pd.DataFrame:
    """Two cells under each other's label."""
    return rows.assign(case=rows["case"].replace({"learns": "stuck", "stuck": "learns"}))


ROWS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a training run twice": (
        lambda rows: pd.concat([rows, rows.iloc[[3]]], ignore_index=True),
        "run.json: parts: 25 rows of training runs",
    ),
    "a lane in place of another": (lambda rows: rows.iloc[[0, 1, 2, 2, *range(4, LANES)]].reset_index(drop=True), ":0:2: is there twice"),
    "one seed again and again": (lambda rows: rows.assign(init_seed=0), "is there twice"),
    "a training run less": (lambda rows: rows.iloc[1:], "parts: 23 rows of training runs"),
    "another order": (lambda rows: rows.iloc[::-1].reset_index(drop=True), "not in the order"),
    "cells swapped": (exchanged, "case is not that of the cell"),
    "a cell that does not exist": (with_value("cell", "0123456789ab", init_seed=3), "has no such cell"),
    "a seed that does not exist": (with_value("init_seed", 64, init_seed=5), "has no such seeds"),
    "a data seed that does not exist": (with_value("data_seed", 1, init_seed=5), "has no such seeds"),
    "another experiment": (with_value("experiment", "other", init_seed=5), "is of another experiment"),
    "no outcome": (with_value("outcome", "great", outcome="solved"), "outcome is none of solved, unsolved, stuck, diverged"),
    "another outcome": (with_value("outcome", "solved", outcome="unsolved"), "steps_to_solve stands with solved training runs"),
    "beyond the budget": (with_value("steps_run", 501, outcome="solved"), "steps_run is not between 0 and the budget"),
    "before the beginning": (with_value("steps_run", -1, outcome="stuck"), "steps_run is not between 0 and the budget"),
    "before its budget": (with_value("steps_run", 6, case="short"), "is unsolved before its budget"),
    "stuck at its budget": (with_value("outcome", "stuck", case="short"), "is stuck, but its budget is spent"),
    "solved early": (with_value("steps_to_solve", 1, outcome="solved"), "goes on after it is solved"),
    "solved and never": (with_value("steps_to_solve", None, outcome="solved"), "steps_to_solve stands with solved training runs"),
    "a loss that is null": (
        with_value("loss_final", None, outcome="stuck"),
        "loss_final is null for diverged training runs, and for no others",
    ),
    "a loss of a diverged lane": (with_value("loss_final", 0.5, outcome="diverged"), "loss_final is null for diverged training runs"),
    "a metric of a diverged lane": (with_value("metric_final", 1.0, outcome="diverged"), "metric_final is null for diverged training runs"),
    "a loss that is too large": (with_value("loss_final", 0.11, outcome="solved"), "is solved with a loss that is too large"),
    "a loss that is small enough": (with_value("loss_final", 0.01, outcome="stuck"), "is not solved with a loss that is small enough"),
    "an infinite number": (with_value("grad_norm_initial", np.inf, outcome="stuck"), "grad_norm_initial is infinite"),
    "another learning rate": (with_value("learning_rate", 0.25, outcome="stuck"), "learning_rate is not that of the cell"),
    "a break after the end": (with_value("break_step", 501, outcome="solved"), "break_step is not between 0 and steps_run"),
    "no digest": (with_value("params_digest", "x" * 16, outcome="solved"), "params_digest is no digest"),
    "digests that are null": (with_value("params_digest", None, outcome="solved"), "params_digest is no digest"),
    "a column less": (lambda rows: rows.drop(columns="steps_run"), "column 'steps_run' is missing"),
    "a column more": (lambda rows: rows.assign(accuracy=1.0), "column 'accuracy' is none of the experiment"),
    "an unknown probe": (lambda rows: rows.assign(weight_norm_initial=1.0), "column 'weight_norm_initial' is none of the experiment"),
    "text for numbers": (lambda rows: rows.assign(steps_run=rows["steps_run"].astype(str)), "column 'steps_run' is of type"),
    "seeds as fractions": (lambda rows: rows.assign(init_seed=rows["init_seed"] + 0.5), "column 'init_seed' is of type float64"),
    "a loss that its curve has not": (with_value("loss_initial", 0.3, outcome="stuck"), "its curve and loss_initial do not agree"),
}
OF_RUNS = {
    "half of a probe": (lambda rows: rows.drop(columns="distinct_units_final"), "column 'distinct_units_final' is missing"),
    "no metric": (lambda rows: rows.drop(columns="metric_final"), "column 'metric_final' is missing"),
}


@pytest.mark.parametrize("what", [*ROWS, *OF_RUNS])
def test_rows_that_cannot_be_are_refused(what: str, folder: Path, report: Path) -> None:
    change, message = {**ROWS, **OF_RUNS}[what]
    for where in (folder, report) if what in ROWS else (folder,):
        with_rows(where, change)
        assert message in refused(where)


CURVES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "none of a lane": (lambda rows: rows[rows["init_seed"] != 3], "they are not those of the 24 training runs"),
    "a point less": (lambda rows: rows.drop(index=3), "points of its curve are missing"),
    "no beginning": (lambda rows: rows.drop(index=0), "does not begin at step 0"),
    "no end": (lambda rows: rows.drop(index=len(rows) - 1), "curve"),
    "a point twice": (lambda rows: rows.iloc[[0, 1, 1, *range(2, len(rows))]], "steps of its curve do not increase"),
    "a loss that is null": (with_value("loss", None, step=1), "loss of its curve is null before its end"),
    "another loss at the beginning": (with_value("loss", 0.3, step=0), "its curve and loss_initial do not agree"),
    "a column less": (lambda rows: rows.drop(columns="loss"), "column 'loss' is missing"),
    "a tracked probe less": (lambda rows: rows.drop(columns="tie_spread"), "tie_spread stands with break_step"),
    "a column more": (lambda rows: rows.assign(more=1.0), "column 'more' is none of the experiment"),
    "no rows": (lambda rows: rows.iloc[:0], "24 training runs have one, but there are none"),
}


@pytest.mark.parametrize("what", CURVES)
def test_curves_that_cannot_be_are_refused(what: str, folder: Path, report: Path) -> None:
    change, message = CURVES[what]
    for where in (folder, report):
        with_rows(where, lambda rows: change(rows).reset_index(drop=True), "curves")
        assert message in refused(where)


def test_a_run_without_its_curves_is_refused(folder: Path) -> None:
    with_manifest(folder, parts=[part for part in manifest_of(folder)["parts"] if part["file"].startswith("lanes")])
    assert "24 training runs have one, but there are none" in refused(folder)


def test_a_run_that_is_not_complete_is_read_when_asked_for(folder: Path) -> None:
    """Its rows stand in the order in which they were made, and lanes that were cut off have left beginnings of curves."""
    whole = load(folder)
    with_manifest(folder, complete=False)
    assert "not complete" in refused(folder)
    cut_off = [3, 11]
    with_rows(folder, lambda rows: rows.drop(index=cut_off).sample(frac=1, random_state=1).reset_index(drop=True))
    with_rows(folder, lambda rows: pd.concat([rows, rows.head(5)]).sample(frac=1, random_state=1).reset_index(drop=True), "curves")
    found = load(folder, interim=True)
    pd.testing.assert_frame_equal(found.lanes, whole.lanes.drop(index=cut_off).reset_index(drop=True))
    left = whole.curves.merge(found.lanes[["cell", "data_seed", "init_seed"]].astype({"cell": str}))
    pd.testing.assert_frame_equal(found.curves, left)
    with_rows(folder, lambda rows: pd.concat([rows, rows.head(1)], ignore_index=True))
    with pytest.raises(ValueError, match="is there twice"):
        load(folder, interim=True)


def test_a_missing_column_is_one_line_of_the_report(report: Path) -> None:
    """Which probes a model shows something to is known to the model alone."""
    with (report / "experiment.toml").open("a") as file:
        file.write('[[figure]]\nname = "units"\nkind = "ecdf"\nx = "distinct_units_final"\ncolor = "case"\ncaption = "Units."\n')
    with_rows(report, lambda rows: rows.drop(columns=["distinct_units_initial", "distinct_units_final"]))
    done = call("report", report, "--out", report.parent)
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1 and "distinct_units_final" in done.stderr
