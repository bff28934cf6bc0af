"""Users' own optimizers: as in a plain loop, and what is wrong with one is told in one line before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from analysis.rows.load import load
from bench import Experiment, run
from bench.registry import trusting
from bench.runs.own import own_digests
from tests.conftest import XOR
from tests.own.user import planned

SHORT: dict[str, Any] = {**XOR, "training": {"steps": 20}, "track": [], "seeds": {"init": 3}}
OURS = {"name": "pieces:momentum", "beta": 0.5, "clip": "", "weight_decay_exclude": ["*.bias"], "clip_by_global_norm": 0.1}


def test_an_own_optimizer_trains_at_every_rate_and_is_read_without_its_code(tmp_path: Path) -> None:
    schedule = {"schedule": "cosine", "peak": 0.5}
    grid = {"optimizer.learning_rate": [0.1, 0.5]}
    wanted = Experiment.parse(tomlkit.dumps({**SHORT, "optimizer": OURS, "grid": grid}))
    assert "pieces" in own_digests(wanted)
    assert wanted.cells[0].settings.optimizer.options == {"beta": 0.5, "clip": ""}
    assert len(planned(optimizer=OURS, grid=grid)) == len(planned(optimizer={**OURS, "learning_rate": schedule})) == 1
    folder = run(wanted, tmp_path)
    with trusting(()):
        lanes = load(folder).lanes
    assert (lanes["loss_final"] < lanes["loss_initial"]).all() and set(lanes["learning_rate"]) == {0.10000000149011612, 0.5}
    theirs = {"name": "sgd", "momentum": 0.5, "clip_by_global_norm": 0.1}
    plain = Experiment.parse(tomlkit.dumps({**SHORT, "optimizer": theirs, "grid": grid}))
    # They differ in the weight decay alone.
    assert abs(load(run(plain, tmp_path / "plain")).lanes["loss_final"] - lanes["loss_final"]).between(1e-6, 0.1).all()


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        (
            "pieces:without_rate",
            r"line \d+\): it does not take learning_rate; write def .*; an optimizer is called as \(learning_rate, \*\*options\)",
        ),
        ("pieces:no_transformation", r"line \d+\): it returns a float; an optimizer is called as .* and returns an optax.GradientTransf"),
        ("pieces:branches", r"line \d+\): TracerBoolConversionError: .*; an optimizer is"),
        ("pieces:fails_in_a_step", r"line \d+\): KeyError: 'nothing'; mend that line; .*; an optimizer is"),
        ("pieces:one_update", r"line \d+\): its updates have other names or shapes than the parameters"),
        ("pieces:growing", r"line \d+\): an update changes .* of its state: float32 of shape \(1,\) becomes float32 of shape \(2,\)"),
        ("pieces:keyed", r"optimizer 'pieces:keyed' draws from a key of its own"),
        ("pieces:nothing", r"has no 'nothing'"),
        ({"name": "pieces:momentum", "betas": 0.5}, r"optimizer: unknown key 'betas'; did you mean 'beta'\?"),
        ({"name": "pieces:momentum", "beta": "half"}, r"optimizer: beta = 'half': "),
        ({"name": "pieces:momentum", "learning_rates": {"output": 2.0}}, r"optimizer.learning_rates: 'output' is no parameter of mlp"),
        ({"name": "pieces:branches", "weight_decay_exclude": ["*"]}, r"'pieces:branches' has no weight decay with exceptions"),
    ],
)
def test_what_is_wrong_with_an_own_optimizer_is_told(optimizer: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        planned(optimizer=optimizer)
    assert "\n" not in str(caught.value)
