"""Ends of training runs that failed: certified while they train, or afterwards from a finished run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.rows.ends import counts, with_ends
from analysis.rows.load import Run, load
from analysis.rows.measures import check_measures, measured
from bench import run
from bench.lane.ends import MOST_PARAMETERS
from bench.runs.contents import ENDS, check_lanes
from bench.spec import ROW_COLUMNS
from tests.commands import call
from tests.conftest import experiment

SMALL: dict[str, Any] = {"model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 40}, "training": {"steps": 500, "solved_below": 0.05}}
NUMBERS = ["end_loss", "end_index", "end_flat", "end_distance", "end_time"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load(run(experiment(**SMALL), tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load(run(experiment(**SMALL, ends=True), tmp_path_factory.mktemp("certified")))


def test_certified_runs_are_trained_as_others_are(plain: Run, certified: Run) -> None:
    known = [column.name for column in ROW_COLUMNS]
    assert [name for name in certified.lanes if name in known] == [name for name in known if name in certified.lanes]
    assert (
        set(certified.lanes) - set(plain.lanes) == {column.name for column in ROW_COLUMNS if column.source == "ends"} == {"end", *NUMBERS}
    )
    pd.testing.assert_frame_equal(certified.lanes[list(plain.lanes)], plain.lanes)
    pd.testing.assert_frame_equal(certified.curves, plain.curves)


def test_runs_that_failed_have_an_end_and_others_their_outcome(certified: Run) -> None:
    rows = certified.lanes
    failed = rows["outcome"] == "unsolved"
    assert 0 < failed.sum() < len(rows)
    assert set(rows.loc[failed, "end"]) <= set(ENDS) - {"unknown"}
    assert (rows.loc[~failed, "end"].astype(str) == rows.loc[~failed, "outcome"].astype(str)).all()
    assert (rows[NUMBERS].notna().all(axis=1) == failed).all() and (rows[NUMBERS].isna().all(axis=1) == ~failed).all()
    assert sum(measured(rows, f"end_{kind}").sum() for kind in ENDS) == failed.sum()


def test_plateaus_have_the_losses_that_networks_with_saturated_units_have(certified: Run) -> None:
    """Two or three of the four examples right, the others at their mean: ln(2) / 2 or 3/4 h(1/3), at infinite weights."""
    rows = certified.lanes[certified.lanes["end"] == "plateau"]
    third = -(np.log(1 / 3) + 2 * np.log(2 / 3)) / 3
    known = np.array([np.log(2) / 2, 0.75 * third])
    assert len(rows) > 0
    assert np.abs(rows["end_loss"].to_numpy()[:, None] - known).min(axis=1).max() < 1e-3


def test_late_runs_solve_their_task_when_they_are_trained_longer(certified: Run, tmp_path: Path) -> None:
    """Time is steps times learning rate, and no late end is found more than three times as late as it comes."""
    rows = certified.lanes
    late = (rows["end"] == "late") & (rows["end_time"] < 2000)
    longer = load(run(experiment(**SMALL | {"training": {"steps": 6000, "solved_below": 0.05}}), tmp_path)).lanes
    assert late.sum() > 0
    assert (longer.loc[late, "outcome"] == "solved").all()
    further = 0.5 * (longer.loc[late, "steps_to_solve"].to_numpy(float) - 500)
    time = rows.loc[late, "end_time"].to_numpy(float)
    assert (further < 1.2 * time).all() and (time < 3.6 * further + 10).all()
    assert (longer.loc[(rows["end"] == "plateau"), "outcome"] == "unsolved").all()


def test_the_ends_of_a_finished_run_are_those_of_one_that_certifies(plain: Run, certified: Run, tmp_path: Path) -> None:
    said = call("ends", plain.folder, "--data", tmp_path / "ends.csv")
    failed = certified.lanes[certified.lanes["outcome"] == "unsolved"].reset_index(drop=True)
    ends = pd.read_csv(tmp_path / "ends.csv")
    assert ends["end"].tolist() == failed["end"].tolist()
    np.testing.assert_array_equal(ends[NUMBERS].to_numpy(float), failed[NUMBERS].to_numpy(float))
    [line] = counts(plain, ends).astype(str).to_numpy().tolist()
    assert said.exit_code == 0 and line[0] == str(len(failed))
    assert re.search(r"\s.*".join(line), said.output)


def test_other_final_parameters_than_those_of_the_row_are_refused(plain: Run, certified: Run) -> None:
    """The negative control: one digit of one digest, in what a report keeps of it."""
    failed = plain.lanes[plain.lanes["outcome"] == "unsolved"]
    again = certified.lanes
    assert len(with_ends(plain, failed, again)) == len(failed)
    place, digest = failed.index[-1], failed["params_digest"].iloc[-1]
    spoiled = failed.copy()
    spoiled.loc[place, "params_digest"] = ("1" if digest[0] == "0" else "0") + digest[1:16]
    with pytest.raises(ValueError, match=f"1 of {len(failed)} failed training runs do not end at the parameters of their rows .*:{place}"):
        with_ends(plain, spoiled, again)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": "nowhere"}, "end is none of minimum, saddle, plateau, late, unknown"),
        ({"end": "minimum", "end_index": 1.0}, "end and end_index do not agree"),
        ({"end": "saddle", "end_index": 0.0}, "end and end_index do not agree"),
        ({"end": "late", "end_loss": 0.3}, "end is late with a loss that is too large"),
        ({"end": "plateau", "end_loss": 0.03}, "end is not late with a loss that is small enough"),
        ({"end": "plateau", "end_loss": np.nan}, "end_loss is missing"),
        ({"end_distance": -1.0}, "end_distance is of failed training runs, and not negative"),
    ],
)
def test_an_end_that_cannot_be_is_refused(certified: Run, changes: dict[str, Any], said: str) -> None:
    rows = certified.lanes.astype({"end": object})
    place = int(np.flatnonzero(rows["outcome"] == "unsolved")[2])
    for name, value in changes.items():
        rows.iloc[place, rows.columns.get_loc(name)] = value
    with pytest.raises(ValueError, match=f":{place}: {said}"):
        check_lanes(certified.experiment, rows)
    solved = int(np.flatnonzero(rows["outcome"] == "solved")[0])
    rows = certified.lanes.astype({"end": object})
    rows.iloc[solved, rows.columns.get_loc("end")] = "late"
    with pytest.raises(ValueError, match="has not failed, so its end is its outcome"):
        check_lanes(certified.experiment, rows)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"steps": 5, "solved_below": 0.05, "batch_size": 2}}, "each minibatch of 2 has another loss"),
        ({"training": {"steps": 5, "solved_below": 0.05, "weight_noise": 0.1}}, "noise draws the loss anew"),
        ({"training": {"steps": 5, "solved_below": 0.05, "freeze_zeros": True}}, "training.freeze_zeros holds"),
        ({"training": {"steps": 5}}, "without training.solved_below no training run fails"),
        ({"model": {"name": "mlp", "widths": [300]}}, f"has 1,201 parameters, at most {MOST_PARAMETERS:,}"),
        ({"model": {"name": "gan"}, "task": "ring"}, "trained on losses of their own"),
    ],
)
def test_what_has_no_end_is_refused_before_it_trains(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^ends = true: .*{said}"):
        run(experiment(**{**SMALL, "track": [], **changes}, ends=True), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_measure_of_ends_needs_them() -> None:
    claim = {"id": "c", "says": "?", "measure": "end_minimum", "at_most": 0.01}
    check_measures(experiment(**SMALL, claim=[claim], ends=True))
    with pytest.raises(ValueError, match="'end_minimum' needs ends = true"):
        check_measures(experiment(**SMALL, claim=[claim]))


def test_ends_are_part_of_what_trains(plain: Run, certified: Run) -> None:
    with pytest.raises(ValueError, match=r"holds another experiment of this name \(ends: False -> True\)"):
        run(certified.experiment, plain.folder.parent)
    without = certified.experiment.model_copy(update={"ends": False})
    assert without.training_hash == experiment(**SMALL).training_hash != certified.experiment.training_hash
    assert [cell.id for cell in without.cells] == [cell.id for cell in certified.experiment.cells]
    assert without.judging_hash == certified.experiment.judging_hash
