"""A verdict is withheld where its positive control is not met."""

from typing import Any

import numpy as np
import pytest

from analysis.judging.judge import judge
from tests.judging.rows import claim, run_of


def test_a_control_of_cells_that_do_not_share_their_draws_is_not_met() -> None:
    control = {"where": {"initializer": ["he_normal", "zeros"]}, "measure": "solved", "at_least": 0.9}
    wanted = claim(by=[], where={"initializer": "he_normal"}, at_least=0.9, needs=control)
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 200, [wanted], task="xor"))[1]
    assert (found.verdict, found.reason) == ("withheld", "control: pooled cells do not share their draws")


@pytest.mark.parametrize(("control", "verdict"), [(1.0, "supported"), (0.85, "withheld"), (0.0, "withheld")])
def test_a_verdict_is_withheld_where_its_positive_control_fails(control: float, verdict: str) -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "solved", "at_least": 0.9}
    fails = claim(by=[], where={"initializer": "zeros"}, at_most=0.01, needs=needs)
    [found] = judge(run_of({"he_normal": control, "zeros": 0.0}, 1000, [fails], data_seeds=1000))[1]
    assert found.verdict == verdict
    assert found.reason.startswith("control not met: share solved at least 0.9, found") == (verdict == "withheld")


def test_a_control_on_a_number_is_met_by_each_run() -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "loss_final", "at_most": 1.0}
    fails = claim(by=[], where={"initializer": "zeros"}, at_most=0.01, needs=needs)
    for share, verdict in ((1.0, "supported"), (0.6, "withheld")):
        losses: Any = {"loss_final": lambda n, share=share: np.where(np.arange(n) < share * n, 0.5, np.nan)}
        [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 1000, [fails], data_seeds=1000, **losses))[1]
        assert found.verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.5, "supported"), (0.6, "withheld"), (None, "withheld")])
def test_a_control_names_its_own_share(share: float | None, verdict: str) -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "loss_final", "at_most": 1.0, "share": share}
    where = {"initializer": "zeros"}
    fails = claim(by=[], where=where, measure="loss_final", at_least=0.4, each=True, share=0.5, needs=needs)
    losses: Any = {"loss_final": lambda n: np.where(np.arange(n) < 0.55 * n, 0.5, 2.0)}
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 1000, [fails], data_seeds=1000, **losses))[1]
    assert found.verdict == verdict
