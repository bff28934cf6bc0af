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
        check_memory(programs(wide.cells, (), ()), 1, lane_mesh())
    small = programs(experiment().cells, (), ())
    with pytest.raises(ValueError, match="the rows of 2,000,000,000 training runs need at least 74.5 GiB, this machine has 8.0 GiB"):
        check_memory(small, 2_000_000_000, lane_mesh())
    with pytest.raises(ValueError, match="the rows of 400,000,000 training runs"):
        check_memory(small * 2, 200_000_000, lane_mesh())
    check_memory(small, 1_000_000, lane_mesh())
