"""Verdicts under criteria that are half and twice as strict."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.judging.judge import judge
from analysis.judging.sensitivity import sensitivity, with_half_the_budget, with_threshold
from bench.spec import Claim
from tests.judging.rows import claim, run_of


@pytest.mark.parametrize(
    ("criterion", "half", "twice"),
    [
        ({"at_least": 0.99}, {"at_least": 0.995}, {"at_least": 0.98}),
        ({"at_most": 0.01}, {"at_most": 0.005}, {"at_most": 0.02}),
        ({"at_least": 0.5}, {"at_least": 0.25}, None),
        ({"greater_than": {"where": {"initializer": "zeros"}}}, {"margin": 0.01}, {"margin": 0.04}),
        ({"measure": "loss_final", "at_most": 0.1, "each": True}, {"share": 0.995}, {"share": 0.98}),
        ({"measure": "loss_final", "at_most": 0}, None, None),
        ({"measure": "loss_final", "equal_to": 1.0, "margin": 0.1}, {"margin": 0.05}, {"margin": 0.2}),
    ],
)
def test_thresholds_are_halved_and_doubled(criterion: dict, half: dict | None, twice: dict | None) -> None:
    asked = Claim.model_validate(claim(**criterion))
    for factor, wanted in ((0.5, half), (2.0, twice)):
        found = with_threshold(asked, factor)
        assert (found is None) == (wanted is None)
        for name, value in (wanted or {}).items():
            assert getattr(found, name) == pytest.approx(value)


def test_a_verdict_that_hangs_on_its_threshold_is_seen_to() -> None:
    steps: Any = {"steps_to_solve": lambda n: pd.array([10] * n, "Int64"), "steps_run": lambda n: np.full(n, 10)}
    run = run_of({"he_normal": 1.0, "lecun_normal": 0.985}, 20000, [claim(at_least=0.99)], **steps)
    found = sensitivity(run, judge(run)[1])["c"]
    assert [verdict.verdict for verdict in found["as it stands"]] == ["supported", "refuted"]
    assert [verdict.verdict for verdict in found["threshold halved"]] == ["supported", "refuted"]
    assert [verdict.verdict for verdict in found["threshold doubled"]] == ["supported", "supported"]


def test_half_the_budget_leaves_what_was_solved_by_then() -> None:
    taken = [10] * 700 + [500] * 300
    steps: Any = {"steps_to_solve": lambda n: pd.array(taken, "Int64"), "steps_run": lambda n: np.array(taken)}
    run = run_of({"he_normal": 1.0}, 1000, [claim(at_least=0.9)], **steps)
    assert run.experiment.cells[0].settings.training.steps == 600
    assert (with_half_the_budget(run).lanes["outcome"] == "solved").sum() == 700
    found = sensitivity(run, judge(run)[1])["c"]
    assert ([one.verdict for one in found["as it stands"]], [one.verdict for one in found["half the budget"]]) == (
        ["supported"],
        ["refuted"],
    )
