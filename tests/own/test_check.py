"""`initbench check`: the kind of a piece, its contracts one by one, and the exit code."""

import pytest
from typer.testing import CliRunner

from bench.registry import PieceError
from bench.runs.contracts import contracts, kind_of
from initbench.cli.app import app

KINDS = {
    "pieces:same": "initializer",
    "jax.nn.initializers:he_normal": "initializer",
    "pieces:Plain": "model",
    "pieces_too:largest_unit": "probe",
    "optax:sgd": "optimizer",
    "pieces:swish2": "activation",
    "jax.nn:gelu": "activation",
    "pieces:made": "model",
    "pieces:gives_a_pair": "model",
    "pieces:arrays": "task",
    "pieces:untargeted_table": "task",
    "pieces:by_name": "task",
    "sklearn.datasets:load_iris": "task",
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_is_guessed(name: str) -> None:
    assert kind_of(name, {}) == KINDS[name]


def test_the_kind_is_guessed_with_the_options_that_are_given() -> None:
    scaling = {"scale": 2.0, "mode": "fan_in", "distribution": "normal"}
    assert kind_of("jax.nn.initializers:variance_scaling", scaling) == "initializer"
    with pytest.raises(ValueError, match="called with nothing it raises TypeError"):
        kind_of("pieces:arrays", {"nothing": 1})


def test_what_is_no_piece_or_cannot_be_imported_is_told() -> None:
    with pytest.raises(ValueError, match="--kind KIND"):
        kind_of("math:hypot", {})
    with pytest.raises(PieceError, match="cannot be imported"):
        kind_of("pieces:missing", {})


def states(kind: str, name: str) -> list[str]:
    return [one.state for one in contracts(kind, name, {}, 2, 1)[0]]


def test_every_broken_contract_is_told() -> None:
    assert states("initializer", "pieces:same") == ["kept"] * 7
    assert states("initializer", "pieces:raises") == ["kept"] * 7  # it refuses shapes that nobody asks it for
    assert states("initializer", "pieces:leaves") == ["broken"] + ["untried"] * 6
    assert states("initializer", "pieces:all_wrong") == ["kept", *["broken"] * 3, "kept", "kept", "kept"]
    assert states("initializer", "pieces:contradicts") == ["kept"] * 6 + ["broken"]
    assert states("task", "pieces:not_finite") == ["kept", "kept", "broken", "broken", "kept", "kept"]  # its floor is float32 always
    assert states("model", "pieces:Half16") == ["kept", "broken", "untried", "kept", "kept", *["untried"] * 3]
    for kind, name in (("initializer", "all_wrong"), ("model", "Half16"), ("task", "not_finite"), ("loss", "one_number")):
        broken = [one for one in contracts(kind, f"pieces:{name}", {}, 2, 1)[0] if one.state == "broken"]
        assert broken and all(one.fix and "pieces.py, line " in one.why for one in broken)
    assert states("model", "pieces:Scalar")[:2] in (["kept", "broken"], ["kept", "kept"])
    assert "broken" in [one.state for one in contracts("model", "pieces:Scalar", {}, 2, 2)[0]]


@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell"])
def test_a_loop_that_begins_with_float32_is_untried_in_float64(cell: str) -> None:
    found, _ = contracts("model", "tests.own.layers:Recurrent", {"cell": cell}, 8, 2)
    assert [one.state for one in found] == ["kept"] * 5 + ["untried", "kept", "kept"]
    assert found[5].why.startswith("float32 alone") and "param_dtype=float" in found[5].why
    # What the advice says does go on.
    found, _ = contracts("model", "tests.own.layers:Recurrent", {"cell": cell, "of_any_dtype": True}, 8, 2)
    assert {one.state for one in found} == {"kept"}
    # Negative control: outputs of float32 alone are a fault.
    assert states("model", "pieces:Single")[5] == "broken"


def test_a_model_of_two_outputs_whatever_the_task_needs_is_told() -> None:
    [last] = [one for one in contracts("model", "pieces:TwoOutputs", {}, 4, 2)[0] if one.says.startswith("it has as many outputs")]
    assert last.state == "untried" and last.why.startswith("it gives 2 outputs whatever the task needs")
    assert states("model", "pieces:Started")[-1] == "kept"


def test_options_are_those_of_the_piece() -> None:
    for kind, options in (("probe", {"name": "powered", "power": 3.0}), ("loss", {"name": "huber", "delta": 0.5})):
        name = f"pieces:{options.pop('name')}"
        assert [one.state for one in contracts(kind, name, options, 2, 1)[0]] == ["kept", "kept"]
        broken = contracts(kind, name, {"size": 1.0}, 2, 1)[0][0]
        assert broken.state == "broken" and "unknown key 'size'" in broken.why


def test_an_activation_function_is_tried_in_a_small_network() -> None:
    assert states("activation", "pieces:swish2") == ["kept", "kept"]
    for name in ("halved", "always_single", "logarithm", "steep", "of_z", "gated"):
        found, _ = contracts("activation", f"pieces:{name}", {}, 2, 1)
        assert [one.state for one in found] == ["broken", "untried"] and "pieces.py, line " in found[0].why and found[0].fix
    with pytest.raises(ValueError, match="--option slope: activation function 'pieces:steep' takes no options"):
        contracts("activation", "pieces:steep", {"slope": 2.0}, 2, 1)


@pytest.mark.parametrize("name", ["table", "by_name", "gives_a_pair"])
def test_what_is_guessed_is_tried(name: str) -> None:
    kind = kind_of(f"pieces:{name}", {})
    assert set(states(kind, f"pieces:{name}")) <= {"kept", "untried"} and states(kind, f"pieces:{name}")[0] == "kept"


def test_what_a_model_does_not_offer_names_the_probes() -> None:
    found, lacking = contracts("model", "pieces:Plain", {}, 2, 1)
    assert {one.state for one in found} == {"kept"}
    assert "hidden_units" not in lacking.get("units", []) and lacking["heads"] == ["distinct_heads", "untied_heads"]


def test_the_exit_code_tells() -> None:
    run = CliRunner().invoke
    assert [run(app, ["check", name]).exit_code for name in ("pieces:same", "pieces:flat", "pieces:missing")] == [0, 1, 2]
