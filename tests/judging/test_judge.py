"""Verdicts follow from intervals over independent draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.judging.family import overall
from analysis.judging.judge import judge
from tests.conftest import experiment
from tests.judging.rows import claim, run_of, run_with


def test_a_claim_that_holds_here_and_fails_there_is_conditional() -> None:
    _, found = judge(run_of({"he_normal": 1.0, "lecun_normal": 0.1}, 1000, [claim(at_least=0.99)]))
    assert [verdict.condition["initializer"] for verdict in found if verdict.verdict == "supported"] == ["he_normal"]
    assert overall(found) == "conditional"


def test_a_thousand_seeds_of_a_deterministic_start_decide_nothing() -> None:
    _, [found] = judge(run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)]))
    assert found.verdict == "undecided"


def test_one_start_on_many_data_sets_decides() -> None:
    _, [found] = judge(run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)], data_seeds=1000))
    assert found.verdict == "supported"
    assert found.n_data_seeds == 1000


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ({"equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1}, "undecided"),
        ({"measure": "loss_final", "equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1, "each": True}, "undecided"),
        ({"greater_than": {"where": {"initializer": "zeros"}}}, "undecided"),
        ({"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}}, "undecided"),
        ({"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}, "paired": True}, "undecided"),
        ({"at_least": 0.9, "needs": {"where": {"initializer": "zeros"}, "measure": "solved", "at_least": 0.9}}, "withheld"),
        ({"at_least": 0.9, "by": [], "where": {"initializer": "zeros"}}, "undecided"),
    ],
)
def test_what_has_not_ended_yet_decides_nothing(criterion: dict[str, Any], verdict: str) -> None:
    losses: Any = {"loss_final": lambda n: np.linspace(0.1, 1.0, n)}
    run = run_of({"he_normal": 1.0, "zeros": 0.0}, 400, [claim(**{"where": {"initializer": "he_normal"}, **criterion})], **losses)
    _, [found] = judge(replace(run, lanes=run.lanes[run.lanes["initializer"] == "he_normal"].reset_index(drop=True)))
    assert found.verdict == verdict
    assert found.reason.endswith("no training runs to judge by")


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(ValueError, match="unknown measure 'solvd'"):
        judge(run_of({"he_normal": 1.0}, 10, [claim(measure="solvd", at_least=0.5)]))


@pytest.mark.parametrize("criterion", [{"at_least": 0.9}, {"at_most": 0.05}, {"greater_than": {"where": {"initializer": "zeros"}}}])
def test_a_pool_of_cells_that_do_not_share_their_draws_decides_nothing(criterion: dict[str, Any]) -> None:
    """On one data set a start at zero is one draw, whatever the number of its rows, and draws would count random starts for more."""
    wanted = claim(by=[], pool=["initializer"], **criterion)
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 200, [wanted], task="xor"))[1]
    assert (found.verdict, found.reason) == ("undecided", "pooled cells do not share their draws")
    [found] = judge(run_of({"he_normal": 1.0, "lecun_normal": 0.0}, 200, [claim(by=[], pool=["initializer"], at_least=0.9)], task="xor"))[1]
    assert (found.verdict, found.estimate) == ("refuted", 0.5)


def test_a_condition_without_runs_is_counted_as_undecided() -> None:
    run = run_of({"he_normal": 1.0, "zeros": 1.0}, 1000, [claim(at_least=0.9)])
    found = judge(replace(run, lanes=run.lanes[run.lanes["initializer"] == "he_normal"].reset_index(drop=True)))[1]
    assert [(one.condition["initializer"], one.verdict) for one in found] == [("he_normal", "supported"), ("zeros", "undecided")]
    assert overall(found) != "supported"


@pytest.mark.parametrize(
    "criterion", [{"at_least": 0.9}, {"at_least": 0.9, "each": True}, {"at_most": 0.9}, {"at_least": 0.9, "best": "initializer", "by": []}]
)
def test_a_column_without_any_value_decides_nothing(criterion: dict[str, Any]) -> None:
    values: Any = {"metric_final": lambda n: np.full(n, np.nan)}
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(measure="metric_final", **criterion)], **values))[1]
    assert (found.verdict, found.reason) == ("undecided", "no run of a side has a value")


def test_one_draw_decides_nothing() -> None:
    more = claim(by=[], where={"initializer": "constant"}, measure="loss_final", greater_than={"where": {"initializer": "zeros"}})
    losses: Any = {"loss_final": lambda n: np.arange(n) + 0.0}
    [found] = judge(run_of({"constant": 1.0, "zeros": 1.0}, 500, [more], **losses))[1]
    assert (found.verdict, found.n_draws) == ("undecided", 1)


def test_the_points_of_a_map_are_one_draw() -> None:
    axes = {"x": {"path": "initializer.gain", "from": 1, "to": 4}, "y": {"path": "training.l2", "from": 0, "to": 1}}
    wanted = experiment(seeds={"init": 256, "map": axes}, claim=[claim(by=[], measure="diverged", at_least=0.5)], track=[])
    places = {axis: values for axis, values in wanted.seeds.map.places(np.arange(256)).items()} if wanted.seeds.map else {}
    rows = pd.DataFrame({"cell": wanted.cells[0].id, "data_seed": 0, "init_seed": np.arange(256), "outcome": "diverged", **places})
    [found] = judge(run_with(wanted, [rows]))[1]
    assert (found.verdict, found.n_draws, found.n_distinct, found.reason) == ("undecided", 1, 256, "one draw alone")
