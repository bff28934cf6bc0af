"""Memory: experiments that cannot fit are refused before they are built."""

import pytest

from bench.hardware import lane_mesh
from bench.lane.grouping import programs
from bench.runs.plan import check_memory
from tests.conftest import experiment


def test_what_cannot_fit_is_refused_before_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.plan.host_bytes", lambda: 8 * 2**30)
    wide = experiment(model={"name": "mlp", "widths": [20000, 20000]}, track=[])
    with pytest.raises(ValueError, match=r"'mlp' of 400,\d+,001 parameters: .* need 2\d\.\d GiB, this machine has 8.0 GiB"):
        check_memory(programs(wide.cells, (), ()), lane_mesh())
    check_memory(programs(experiment().cells, (), ()), lane_mesh())
