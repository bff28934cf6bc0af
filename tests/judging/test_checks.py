"""Claims that cannot be judged as they are worded are refused before anything trains."""

from typing import Any

import pytest

from analysis.judging.checks import check_claims
from tests.conftest import experiment
from tests.judging.rows import claim


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"at_least": 1.5}, "at_least = 1.5: 'solved' is a share"),
        ({"equal_to": -1, "margin": 0.1}, "equal_to = -1: 'solved' is a share"),
        ({"at_least": 0.5, "needs": {"where": {}, "measure": "solved", "at_least": 5}}, "needs: at_least = 5: 'solved' is a share"),
        (
            {"greater_than": {"where": {"initializer": "zeros"}}, "margin": 3},
            "margin = 3: must be below 1, the largest difference of two shares",
        ),
        (
            {"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}, "margin": 0.5},
            "margin = 0.5: must be below 0.5, the largest difference of P",
        ),
        ({"at_least": 1}, "at_least = 1: no number of training runs shows"),
        ({"at_most": 0}, "at_most = 0: no number of training runs shows"),
        ({"greater_than": {"where": {}}}, "greater_than: compares the claim's training runs with themselves"),
        (
            {"measure": "loss_final", "each": True, "equal_to": {"where": {}}, "margin": 1},
            "equal_to: compares the claim's training runs with themselves",
        ),
        ({"at_least": 0.5, "best": "initializer"}, "best: 'initializer' is also in by"),
        ({"says": "median", "measure": "tie_spread_final", "at_least": 0.5, "by": [], "best": "initializer"}, "best: it is not declared"),
        (
            {
                "measure": "loss_final",
                "by": [],
                "best": "initializer",
                "greater_than": {"where": {"initializer": "zeros"}, "measure": "tie_spread_final"},
            },
            "best: it is not declared whether a small or a large 'tie_spread_final'",
        ),
    ],
)
def test_a_criterion_that_no_rows_could_meet_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        check_claims(experiment(grid={"initializer": ["he_normal", "zeros"]}, claim=[claim(**changes)]))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "loss_final", "at_most": 1.0}, "judges the median of 'loss_final', which `says` does not mention"),
        ({"measure": "loss_final", "equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1}, "judges the median"),
        ({"at_least": 0.5, "each": True}, "each: 'solved' is true or false of a training run"),
        ({"at_least": 0.5, "needs": {"measure": "solved", "at_least": 0.5, "share": 0.9}}, "needs: share needs a numeric measure"),
        ({"at_least": 0.5, "by": []}, "where: pools 2 values of 'initializer'"),
        ({"at_least": 0.5, "needs": {"measure": "solved", "at_least": 0.5}, "by": []}, "pools 2 values of 'initializer'"),
        (
            {"greater_than": {"where": {"initializer": "zeros"}}, "by": [], "pool": ["initializer"]},
            "pools 3 values of 'optimizer.learning_",
        ),
    ],
)
def test_a_claim_that_would_be_judged_on_something_else_is_refused_before_training(changes: dict[str, Any], message: str) -> None:
    grid: dict[str, Any] = {"initializer": ["he_normal", "zeros"]}
    if "learning_" in message:
        grid["optimizer.learning_rate"] = [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match=message):
        check_claims(experiment(grid=grid, claim=[claim(**changes)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"says": "The median loss is at most 1.", "measure": "loss_final", "at_most": 1.0},
        {"measure": "loss_final", "at_most": 1.0, "each": True},
        {"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}},
        {"at_least": 0.5, "by": [], "pool": ["initializer"]},
        {"at_least": 0.5, "by": [], "where": {"initializer": ["he_normal", "zeros"]}},
        {"at_least": 0.5, "by": [], "best": "initializer"},
    ],
)
def test_a_claim_that_says_what_it_is_judged_on_is_accepted(changes: dict[str, Any]) -> None:
    check_claims(experiment(grid={"initializer": ["he_normal", "zeros"]}, claim=[claim(**changes)]))
