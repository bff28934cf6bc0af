"""The placement of data: part of the program, one for a block, or one for each lane."""

import numpy as np
import pytest

from bench.engine import data_placement as placement_module
from bench.engine import pool
from bench.engine.data_placement import CONSTANT, OWN, PER_BLOCK, data_placement
from bench.lane.grouping import programs
from tests.conftest import Rows, experiment


def test_the_placement_follows_from_the_program() -> None:
    def placed(task: str | dict[str, object], own_data: bool) -> object:
        wanted = experiment(task=task)
        [program] = programs(wanted.cells, (), (), own_data)
        return data_placement(program)

    assert placed("xor", False) is CONSTANT
    assert placed({"name": "digits", "n_train": 100}, False) is PER_BLOCK
    assert placed({"name": "digits", "n_train": 100}, True) is OWN
    assert placed("blobs", False) is OWN, "small data sets are cheaper to hold than to share"


@pytest.mark.parametrize("init", [1, 9])
def test_lanes_that_share_their_data_train_as_lanes_with_their_own(init: int, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """With crossed seeds and large data a block holds one data set; there are more data seeds than there is room for at once."""
    wanted = experiment(
        task={"name": "digits", "n_train": 100},
        model={"name": "mlp", "widths": [5]},
        training={"steps": 8},
        seeds={"init": init, "data": 7},
    )
    monkeypatch.setattr(pool, "block_count", lambda *_: 2)
    [program] = programs(wanted.cells, wanted.probes, wanted.track, own_data=False)
    assert data_placement(program) is PER_BLOCK
    shared = rows(wanted)
    monkeypatch.setattr(placement_module, "SHARED_BYTES", 1 << 40)
    alone = rows(wanted, "alone")
    assert len(shared) == 7 * init == shared["loss_initial"].nunique()
    np.testing.assert_allclose(shared["loss_final"], alone["loss_final"], rtol=1e-4)
    np.testing.assert_allclose(shared["test_loss_final"], alone["test_loss_final"], rtol=1e-4)
