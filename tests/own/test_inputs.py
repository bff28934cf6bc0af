"""Models of a user's own that take images or integer symbols, while a task gives rows of numbers."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from bench.lane.initial import initial_parameters, parameter_keys
from bench.runs.audit import audit_numbers
from bench.spec import InitializerSpec, ModelSpec, TaskSpec
from initbench.cli.app import app
from tests.conftest import Rows, experiment
from tests.own.user import network, planned

IMAGES = {"name": "pieces:Pictured", "input_shape": [8, 8, 1]}
WORDS = {"name": "pieces:Worded", "input_shape": [2, 3], "symbols": True}


def begun(net: Any) -> Any:
    start = InitializerSpec.model_validate({"name": "glorot_normal"})
    return initial_parameters(net, start, parameter_keys(net, 0), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))


def test_a_row_of_numbers_is_given_as_an_image() -> None:
    [program] = planned(model=IMAGES, task="digits")
    net = program.network
    params, x = begun(net), jax.random.normal(jax.random.key(0), (3, 64))
    module = net.module(params)
    np.testing.assert_allclose(net.trace(params, x)[0], [module(one.reshape(8, 8, 1)) for one in x], rtol=1e-5)


def test_whole_numbers_are_given_as_symbols_and_train(rows: Rows) -> None:
    wanted = experiment(model=WORDS, task="pieces:words", training={"steps": 60}, seeds={"init": 3}, track=[])
    found = rows(wanted)
    assert (found["loss_final"] < found["loss_initial"]).all()
    net = network("pieces:Worded", 6, 1, input_shape=[2, 3], symbols=True)
    params = begun(net)
    x = np.array([[0, 1, 2, 3, 4, 0]], np.float32)
    mean = np.mean([params["table"]["embedding"][int(word)] for word in x[0]], axis=0)
    expected = mean @ params["head"]["kernel"] + params["head"]["bias"]
    np.testing.assert_allclose(net.trace(params, x)[0][0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": IMAGES}, r"model.input_shape = \[8, 8, 1\]: 64 numbers, and an example has 2"),
        ({"model": {"name": "mlp", "input_shape": [2]}}, "model: input_shape: for models of your own; 'mlp' takes an example as the row"),
        ({"model": {"name": "pieces:Plain", "input_shape": []}}, "input_shape"),
        ({"model": WORDS, "task": {"name": "pieces:words", "lowest": -1}}, "symbols = true: x holds -1, and symbols are whole numbers"),
        ({"model": {**WORDS, "input_shape": [2, 2]}, "task": {"name": "sklearn", "loader": "load_iris"}}, "with standardize = false"),
        ({"model": WORDS, "task": {"name": "pieces:words", "highest": 9}}, "not finite, nan among them; .* below the size of nnx.Embed"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line_before_it_trains(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        planned(**changes)
    assert "\n" not in str(caught.value)


def test_they_are_no_part_of_the_identity_of_a_model_without_them() -> None:
    models: tuple[Any, ...] = ("pieces:Called", {"name": "pieces:Called", "input_shape": [2]})
    plain, shaped = (planned(model=model)[0].cells[0].settings.identity()["model"] for model in models)
    assert plain == {"name": "pieces:Called", "options": {}} and shaped == {**plain, "input_shape": [2]}


def test_an_audit_and_a_check_give_them_alike(pieces: Path) -> None:
    found = audit_numbers(ModelSpec.model_validate(WORDS), None, task=TaskSpec.model_validate("pieces:words"))
    assert [one.name for one in found.parameters[:2]] == ["table.embedding", "head.kernel"] and found.parameters[1].moved.all()
    done = CliRunner().invoke(app, ["check", "pieces:Pictured", "--inputs", "64", "--option", "input_shape=[8, 8, 1]"])
    assert done.exit_code == 0, done.output
    assert "✓ it can be trained in float64" in done.output
