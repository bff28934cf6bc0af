"""Users' own tasks and losses."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import tomlkit

from analysis.rows.load import load
from bench import Experiment, run
from bench.lane.state import Inputs
from bench.losses.definition import Loss
from bench.registry import trusting
from bench.tasks.definition import Data, Task
from tests.conftest import XOR, Rows, experiment
from tests.own.user import planned


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("name", ["xor", "pieces:listed"])
def test_minibatches_of_data_that_are_part_of_the_program(name: str, batch_size: int) -> None:
    [program] = planned(task=name, training={"steps": 8, "batch_size": batch_size}, track=[])
    assert program.constant_data is not None
    inputs = Inputs(*(value[0] for value in program.inputs_of(program.cells[0], np.array([0]), np.array([0]))))

    def trained(inputs: Inputs) -> Any:
        fixed, state = program.start(program.variants[0], inputs)
        fixed = fixed._replace(data=program.constant_data)
        return program.advance(fixed, state, lambda value: value)[0]

    state = jax.jit(trained)(inputs)
    assert state.step == program.check_every and np.isfinite(state.loss)


def test_own_data_from_numpy_with_a_batch_that_does_not_divide_them(rows: Rows) -> None:
    found = rows(
        experiment(task={"name": "pieces:listed", "seeded": True}, training={"steps": 20, "batch_size": 2}, seeds={"init": 4}, track=[])
    )
    assert found["loss_final"].notna().all() and (found["loss_final"] < found["loss_initial"]).any()


def test_a_loss_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="loss = 'hinge': allowed: cross_entropy, mse"):
        Loss.of("hinge")
    for wrong in ({"loss": "hinge"}, {"kind": "ranking"}, {"inputs": 0}, {"outputs": 1.5}, {"loss": "cross_entropy"}):
        given: dict[str, Any] = {"inputs": 1, "outputs": 1, "sample": Data, "loss": "mse", "kind": "regression", **wrong}
        with pytest.raises(ValueError, match=" = "):
            Task(**given)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "one_number",
            r"loss 'pieces:one_number' \(.*line \d+\): for 4 examples it returns a float32 of shape \(\), .*; a loss is",
        ),
        (
            "weighted",
            r"loss 'pieces:weighted' \(.*line \d+\): its argument 'weight' has no value; write weight = .*; a loss is called",
        ),
        ("nothing", r"has no 'nothing'"),
        ("many_metrics", r"line \d+\): its metric returns an array of shape \(4, 1\), which must be one number; a loss is"),
        ("no_metric", r"line \d+\): KeyError: 'accuracy'; mend that line; .*; a loss is"),
        ("misspelled", r"line \d+\): unknown key 'metrics'; did you mean 'metric'\?"),
        ("not_reduced", r"line \d+\): its reduction returns an array of shape \(4,\), which must be one number"),
    ],
)
def test_what_is_wrong_with_an_own_loss_is_told(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        planned(task={"name": "xor", "loss": f"pieces:{name}"})


def test_a_package_s_task_and_a_user_s_own_take_a_user_s_own_loss(tmp_path: Path) -> None:
    short: dict[str, Any] = {**XOR, "training": {"steps": 30}, "seeds": {"init": 3}, "track": []}
    kinds = ("distance", "total_distance", "with_a_metric")
    of_task = {kind: {"name": "xor", "loss": f"pieces:{kind}"} for kind in kinds}
    folders = {kind: run(Experiment.parse(tomlkit.dumps({**short, "task": one})), tmp_path / kind) for kind, one in of_task.items()}
    with trusting(["pieces"]):
        single, summed, measured = (load(folder).lanes for folder in folders.values())
    # The loss is convex and even: its largest value is that of the largest error.
    assert measured["metric_final"].notna().all() and (np.sqrt(1 + measured["metric_final"] ** 2) - 1 >= measured["loss_final"]).all()
    np.testing.assert_allclose(summed["loss_initial"], 4 * single["loss_initial"], rtol=1e-5)
    assert (single["loss_final"] < single["loss_initial"]).all() and single["metric_final"].notna().all()
    # Nothing is imported to read the folder, and its tasks are not made.
    found = load(folders["distance"])
    assert list(found.tasks.values()) == [None] and len(found.lanes) == 3
    [own] = planned(task="pieces:of_distance", track=[])
    assert own.task.loss.name == "pieces:distance"
    with pytest.raises(ValueError, match="the minimum is known for mse and rss, not for 'pieces:distance'"):
        planned(task={"name": "regression", "loss": "pieces:distance", "excess": True})
