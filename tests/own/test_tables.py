"""Probes and losses of a user's own with options, in a table beside their names."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import tomlkit

from analysis.rows.load import load
from bench import Experiment, run
from bench.registry import trusting
from bench.runs.own import own_modules
from bench.spec import modules_named
from tests.conftest import XOR, experiment
from tests.own.user import planned

POWERED = {"name": "pieces:powered", "power": 3.0}
HUBER = {"name": "pieces:huber", "delta": 0.5}


def written(**changes: Any) -> Experiment:
    return Experiment.parse(tomlkit.dumps({**XOR, **changes}))


def test_a_probe_and_a_loss_have_options_and_rows_that_can_be_read(tmp_path: Path) -> None:
    wanted = written(
        task={"name": "xor"},
        grid={"task.loss": ["pieces:huber", HUBER, {"label": "steep", **HUBER, "delta": 2.0}]},
        probes=["pieces:largest_unit", POWERED],
        track=[POWERED],
        training={"steps": 5},
        seeds={"init": 2},
    )
    assert wanted.axes["task.loss"] == ["pieces:huber", "pieces:huber(delta=0.5)", "steep"]
    assert modules_named(wanted) == ["pieces"] == list(own_modules(wanted))
    folder = run(wanted, tmp_path)
    # Nothing is imported to read the folder.
    with trusting(()):
        found = load(folder)
    first = found.lanes.groupby("task.loss", observed=True)["loss_initial"].first()
    assert first.nunique() == 3
    assert {"powered_initial", "powered_final", "largest_unit_final"} <= set(found.lanes) and "powered" in found.curves
    # The same call finds its rows; options that are others train something else.
    assert run(wanted, tmp_path) == folder
    with pytest.raises(ValueError, match="probes: "):
        run(written(**{**changes_of(wanted), "probes": ["pieces:largest_unit", {**POWERED, "power": 2.0}]}), tmp_path)


def changes_of(wanted: Experiment) -> dict[str, Any]:
    return tomlkit.parse(wanted.text).unwrap()


def test_options_reach_the_probe_and_the_loss() -> None:
    x = np.array([[-1.0, 2.0]])
    for power, given in ((2.0, "pieces:powered"), (3.0, POWERED), (1.0, {"name": "pieces:powered_by", "power": 1})):
        [program] = planned(probes=[given])
        [one] = program.probes.values()
        assert float(one.function(x)) == pytest.approx(1 + 2**power)
    for delta, given in ((1.0, "pieces:huber"), (0.5, HUBER)):
        [program] = planned(task={"name": "xor", "loss": given})
        np.testing.assert_allclose(program.task.loss.each(jnp.array([[3.0]]), jnp.zeros((1, 1))), delta * (3 - delta / 2))
    # Two losses are two programs, although their names are the same.
    assert len(planned(task={"name": "xor"}, grid={"task.loss.delta": [0.5, 1.0], "task.loss.name": ["pieces:huber"]})) == 2


def test_options_are_part_of_what_trains_only_where_they_are_given() -> None:
    plain = experiment(probes=["pieces:powered"], task={"name": "xor", "loss": "pieces:huber"})
    table = experiment(probes=[{"name": "pieces:powered"}], task={"name": "xor", "loss": {"name": "pieces:huber"}})
    other = experiment(probes=[POWERED], task={"name": "xor", "loss": HUBER})
    assert plain.training_hash == table.training_hash and plain.cells[0].id == table.cells[0].id
    assert len({plain.training_hash, other.training_hash}) == len({plain.cells[0].id, other.cells[0].id}) == 2
    with trusting(()):
        unread = Experiment.parse(other.text)
    assert unread.identified([other.cells[0].id]).training_hash == other.training_hash
    # Written from its fields, also where a name stands beside a table.
    mixed = experiment(probes=[POWERED, "pieces:largest_unit"])
    assert Experiment.parse(mixed.text).training_hash == mixed.training_hash


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"probes": [{**POWERED, "powr": 1.0}]}, "probe 'pieces:powered': unknown key 'powr'; did you mean 'power'"),
        ({"probes": [{**POWERED, "power": "a"}]}, "probe 'pieces:powered': power = 'a': Input should be a valid number"),
        ({"probes": ["pieces:powered_by"]}, "nothing that a probe looks at is called 'power'"),
        ({"probes": [{"power": 2.0}]}, r"probes\[0\]: a table needs a name, beside which its options stand"),
        ({"track": [POWERED, "pieces:powered"]}, "track: 'pieces:powered' stands there twice"),
        (
            {"task": {"name": "xor", "loss": {**HUBER, "dleta": 1.0}}},
            "loss: loss 'pieces:huber': unknown key 'dleta'; did you mean 'delta'",
        ),
        ({"task": {"name": "xor", "loss": {"delta": 1.0}}}, "loss: a table needs a name"),
        ({"task": {"name": "xor", "loss": {"name": "mse", "delta": 1.0}}}, "loss: only a loss of your own takes options"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as raised:
        planned(**changes)
    assert "\n" not in str(raised.value)


def test_a_loss_with_other_arguments_is_told_by_what_is_wrong_with_it_alone() -> None:
    with pytest.raises(ValueError, match="does not take outputs, targets; write def looks") as raised:
        planned(task={"name": "xor", "loss": "pieces:looks"})
    assert "cross_entropy" not in str(raised.value)
    # Negative control: what is no name of one's own is told what is allowed.
    with pytest.raises(ValueError, match="'cross_entropy' or 'mse' or package.module:name of your own"):
        planned(task={"name": "xor", "loss": "hinge"})
