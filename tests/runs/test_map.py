"""Maps: lanes on their lattice, and the trainability network against a plain loop of its published formula."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures.map import lattice
from analysis.laws.law import starts
from analysis.rows.load import load
from bench import run
from bench.spec import Map
from tests.conftest import experiment

PLACE: dict[str, Any] = {
    "x": {"path": "initializer.first_layer_offset", "from": -1.0, "to": 1.0},
    "y": {"path": "optimizer.learning_rate", "from": 1.0, "to": 16.0, "log": True},
}


def test_lanes_stand_at_their_place() -> None:
    place = Map.model_validate(PLACE)
    lane = np.arange(16)
    found = place.places(lane)
    picture = lattice(place, pd.DataFrame({"init_seed": lane}), found["initializer.first_layer_offset"])
    np.testing.assert_allclose(picture, np.tile([-1, -0.5, 0, 0.5], (4, 1)))
    picture = lattice(place, pd.DataFrame({"init_seed": lane}), found["optimizer.learning_rate"])
    np.testing.assert_allclose(picture, np.tile([[1], [2], [4], [8]], 4))


def test_a_coarser_point_stands_in_for_lanes_that_are_not_there() -> None:
    place = Map.model_validate(PLACE)
    some = pd.DataFrame({"init_seed": np.arange(5)})
    picture = lattice(place, some, np.arange(5.0))
    assert picture.shape == (4, 4)
    assert not np.isnan(picture).any()
    # The first four are the corners of quarters; the fifth has replaced one cell of its quarter.
    assert sorted(np.unique(picture, return_counts=True)[1]) == [1, 3, 4, 4, 4]


MEANFIELD: dict[str, Any] = {
    "task": {"name": "gaussian_pairs", "n": 20, "d": 4},
    "model": {"name": "meanfield", "width": 3},
    "initializer": "normal",
    "optimizer": {"name": "sgd"},
    "training": {"steps": 30, "dtype": "float64"},
    "track": [],
}


def test_the_map_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    wanted = experiment(**MEANFIELD, seeds={"init": 16, "data": 3, "map": PLACE})
    found = load(run(wanted, tmp_path))
    start = starts(found, wanted.cells[0], found.lanes)
    assert found.lanes["loss_final"].nunique() == 48
    for lane in range(48):
        x, y = start.data.x[lane], start.data.y[lane]
        w, v = start.params["first"]["kernel"][lane], start.params["second"]["kernel"][lane]
        rate = found.lanes["learning_rate"].iloc[lane]
        for _ in range(30):
            hidden = np.tanh(np.sqrt(2 / 4) * x @ w)
            slope = 2 * (hidden @ v / 3 - y) / 20
            back = np.sqrt(2 / 4) * x.T @ (slope @ v.T / 3 * (1 - hidden**2))
            w, v = w - rate * back, v - rate * hidden.T @ slope / 3
        loss = np.mean((np.tanh(np.sqrt(2 / 4) * x @ w) @ v / 3 - y) ** 2)
        assert found.lanes["loss_final"].iloc[lane] == pytest.approx(loss, rel=1e-8)


def test_each_data_seed_is_a_draw_of_a_map(tmp_path: Path) -> None:
    several = load(run(experiment(**MEANFIELD, seeds={"init": 16, "data": 3, "map": PLACE}), tmp_path / "several"))
    one = load(run(experiment(**MEANFIELD, seeds={"init": 16, "map": PLACE}), tmp_path / "one"))
    assert (several.clusters.nunique(), one.clusters.nunique()) == (3, 1)
    first = several.lanes[several.lanes["data_seed"] == 0]
    pd.testing.assert_frame_equal(first.reset_index(drop=True), one.lanes, check_exact=True)
    # The points of a draw share their weights, and draws have others.
    norms = several.lanes.groupby("data_seed")["loss_initial"].agg(tuple)
    assert len(set(norms)) == 3
    kernels = starts(several, several.experiment.cells[0], several.lanes).params["second"]["kernel"]
    assert len({kernel.tobytes() for kernel in kernels}) == 3
    with pytest.raises(ValueError, match="map: each draw of data has all points"):
        experiment(**MEANFIELD, seeds={"init": 16, "data": "paired", "map": PLACE})
