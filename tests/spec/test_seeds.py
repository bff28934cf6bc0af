"""Seeds: ranges, and maps that more seeds refine."""

import numpy as np
import pytest

from analysis.rows.load import matching
from bench import Experiment
from bench.lane.grouping import programs
from bench.spec import Map
from tests.conftest import Rows, experiment

MAP = {"x": {"path": "initializer.gain", "from": 0, "to": 4}, "y": {"path": "optimizer.learning_rate", "from": 1, "to": 16, "log": True}}


def test_a_range_stands_for_its_values() -> None:
    wanted = experiment(grid={"optimizer.learning_rate": {"from": 0.01, "to": 1, "count": 5, "log": True}})
    assert wanted.axes["optimizer.learning_rate"] == [0.01, 0.0316228, 0.1, 0.316228, 1.0]
    assert Experiment.parse(wanted.text).training_hash == wanted.training_hash
    with pytest.raises(ValueError, match="log needs positive numbers"):
        experiment(grid={"optimizer.learning_rate": {"from": 0, "to": 1, "count": 5, "log": True}})


def test_a_map_refines_itself() -> None:
    places = Map.model_validate(MAP).places(np.arange(4**3))
    points = list(zip(*places.values(), strict=True))
    for k in (1, 2, 3):
        coarse = set(points[: 4**k])
        assert coarse == {(4 * i / 2**k, 16 ** (j / 2**k)) for i in range(2**k) for j in range(2**k)}


def test_the_lanes_of_a_map_differ_in_their_place_alone(rows: Rows) -> None:
    found = rows(experiment(seeds={"init": 16, "map": MAP}, initializer={"name": "he_normal"}, training={"steps": 3}))
    assert len(found) == 16
    places = Map.model_validate(MAP).places(found["init_seed"].to_numpy())
    for path, values in places.items():
        np.testing.assert_array_equal(found[path], values)
    np.testing.assert_allclose(found["learning_rate"], places["optimizer.learning_rate"], rtol=1e-6)
    assert found.groupby("initializer.gain")["loss_initial"].nunique().eq(1).all()
    assert found["loss_initial"].nunique() == 4
    coarse = rows(experiment(seeds={"init": 4, "map": MAP}, initializer={"name": "he_normal"}, training={"steps": 3}), "coarse")
    assert coarse["params_digest"].tolist() == found["params_digest"].tolist()[:4]
    half = np.sort(found.loc[found["initializer.gain"] <= 1, "init_seed"])
    wanted = experiment(seeds={"init": 16, "map": MAP})
    np.testing.assert_array_equal(half, found["init_seed"][matching(found, wanted, {"initializer.gain": {"at_most": 1}})])


def test_the_ends_of_a_map_are_held_to_what_the_setting_allows() -> None:
    for path, start, said in (
        ("training.l2", -1.0, "seeds.map: training: l2 = -1.0"),
        ("initializer.gain", -1.0, "seeds.map: initializer: gain = -1.0"),
        ("optimizer.learning_rate", -1.0, "seeds.map: optimizer: learning_rate = -1.0"),
        ("initializer.first_layer_offset", 1e300, "seeds.map: initializer.first_layer_offset = 1e+300"),
        ("initializer.gain", 4.0, "from and to are both 4"),
    ):
        axis = {"path": path, "from": start, "to": 4.0}
        other = MAP["y"] if path != MAP["y"]["path"] else MAP["x"]
        with pytest.raises(ValueError, match=".") as caught:
            experiment(seeds={"init": 16, "map": {"x": axis, "y": other}})
        assert said in str(caught.value)
    offsets = {"x": {"path": "initializer.first_layer_offset", "from": 0, "to": 1}, "y": MAP["y"]}
    wanted = experiment(model={"name": "transformer"}, task="first_symbol", seeds={"init": 4, "map": offsets}, track=[])
    with pytest.raises(ValueError, match="first_layer_offset: 'transformer' has no one first layer"):
        programs(wanted.cells, (), ())
