"""Activation functions of a user's own, by name."""

from pathlib import Path

import numpy as np
import pytest
import tomlkit

import initbench
from analysis.laws.law import cells_of
from bench import Experiment, run
from bench.models.activations import second_moment_gain
from tests.conftest import XOR
from tests.own.user import planned

WRONG = {
    "halved": "for an array float32 of shape (7,) it returns float32 of shape (3,); compute with x alone",
    "always_single": "for an array float64 of shape (7,) it returns float32 of shape (7,)",
    "logarithm": "for x from -3 to 3 its values are not finite, nan among them; keep zero",
    "steep": "its argument 'slope' has no value; give slope a default",
    "of_z": "it does not take x; write def of_z(x)",
    "nothing": "has no 'nothing'",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_one_is_told_in_one_line(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        planned(model={"name": "mlp", "widths": [3], "activation": f"pieces:{name}"})
    told = str(caught.value)
    assert f"activation function 'pieces:{name}'" in told and "pieces.py" in told and WRONG[name] in told and "\n" not in told


def test_it_trains_as_the_same_function_of_the_package_and_no_law_speaks_of_it(tmp_path: Path) -> None:
    model = {"name": "mlp", "widths": [3]}
    content = {
        **XOR,
        "model": model,
        "initializer": {"name": "glorot_normal", "gain": "auto"},
        "training": {"steps": 40},
        "seeds": {"init": 4},
        "grid": {"model.activation": ["silu", "pieces:swish2"]},
    }
    folder = run(Experiment.parse(tomlkit.dumps(content)), tmp_path)
    found = initbench.load(folder)
    ours, own = (rows["loss_final"].to_numpy() for _, rows in found.lanes.groupby("model.activation", sort=False))
    np.testing.assert_allclose(ours, own, rtol=1e-4)
    assert len(set(ours)) == 4 and second_moment_gain("pieces:swish2") == pytest.approx(second_moment_gain("silu"))
    assert [cell.settings.model.options["activation"] for cell, _ in cells_of(found, lambda _: True)] == ["silu"]
