"""The best value of an axis is chosen on one half of the draws and judged on the other."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.judging.judge import judge
from tests.conftest import experiment
from tests.judging.rows import RATES, claim, rates_run, run_with


def test_one_seed_cannot_choose_the_best_rate_and_judge_it() -> None:
    _, found = judge(rates_run(RATES, 1, [claim(at_least=0.85, best="optimizer.learning_rate")]))
    assert {(verdict.verdict, verdict.reason) for verdict in found} == {("undecided", "no training runs to judge by")}


def test_the_best_learning_rate_is_chosen_on_one_half_of_the_seeds_and_judged_on_the_other() -> None:
    best = claim(at_least=0.85, best="optimizer.learning_rate")
    _, found = judge(rates_run(RATES, 2000, [best]))
    assert [verdict.estimate for verdict in found] == [1.0, 0.9]
    assert [verdict.n_lanes for verdict in found] == [1000, 1000]
    assert [verdict.measure for verdict in found] == ["share solved at best learning rate 1.0", "share solved at best learning rate 0.1"]
    # Pure chance is not flattered: ten equal rates, and the chosen one's estimate is unbiased.
    rng = np.random.default_rng(0)
    equal = rates_run({float(rate): (0.5, 0.5) for rate in range(1, 11)}, 400, [claim(at_least=0.5, best="optimizer.learning_rate")])
    estimates = []
    for _ in range(100):
        equal.lanes["outcome"] = np.where(rng.random(len(equal.lanes)) < 0.5, "solved", "unsolved")
        estimates += [verdict.estimate for verdict in judge(equal)[1]]
    assert np.mean(estimates) == pytest.approx(0.5, abs=4 * 0.035 / np.sqrt(200))


def test_the_best_loss_is_the_lowest() -> None:
    run = rates_run(RATES, 100, [claim(measure="loss_final", at_most=1.0, best="optimizer.learning_rate")])
    run.lanes["loss_final"] = run.lanes["optimizer.learning_rate"].astype(float) * 3
    assert [verdict.estimate for verdict in judge(run)[1]] == [pytest.approx(0.03)] * 2


def test_each_side_of_a_comparison_has_its_own_best_rate_and_pairs_share_their_seeds() -> None:
    paired = claim(
        by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, [found] = judge(rates_run(RATES, 2000, [paired]))
    assert found.verdict == "supported"
    # 1.0 against 0.9: a tenth of the pairs differ, all in the same direction.
    assert found.measure == "difference of share solved (1 - 0.9) at best learning rate 1.0 v 0.1"
    assert found.estimate == pytest.approx(0.1)
    _, [fixed] = judge(
        rates_run(RATES, 2000, [{**paired, "best": None, "where": {"initializer": "he_normal", "optimizer.learning_rate": 0.1}}])
    )
    assert fixed.verdict == "refuted"
    assert fixed.estimate == pytest.approx(0.2 - 0.9)


SWEEP = {0.1: 0.2, 1.0: 0.5, 10.0: 0.9}


@pytest.mark.parametrize(
    ("criterion", "shares", "verdict"),
    [
        ({"at_most": 0.95}, SWEEP, "undecided"),
        ({"at_most": 0.5}, SWEEP, "refuted"),
        ({"at_least": 0.5}, SWEEP, "supported"),
        ({"at_least": 0.99}, SWEEP, "undecided"),
        ({"at_most": 0.95}, {**SWEEP, 100.0: 0.1}, "supported"),
        ({"at_least": 0.99}, {**SWEEP, 100.0: 0.1}, "refuted"),
        # All alike: the best one is not at the edge.
        ({"at_most": 0.01}, {0.1: 0.0, 1.0: 0.0, 10.0: 0.0}, "supported"),
    ],
)
def test_a_best_rate_at_the_edge_decides_only_what_a_better_one_could_not_change(
    criterion: dict[str, Any], shares: dict[float, float], verdict: str
) -> None:
    best = claim(by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", **criterion)
    [found] = judge(rates_run({rate: (share, share) for rate, share in shares.items()}, 2000, [best]))[1]
    assert found.verdict == verdict
    assert found.reason == ("edge of the sweep" if verdict == "undecided" else "")


def test_an_edge_on_the_other_side_counts_as_well() -> None:
    more = claim(
        by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", greater_than={"where": {"initializer": "lecun_normal"}}
    )
    rising = {0.1: (0.1, 0.2), 1.0: (0.9, 0.4), 10.0: (0.1, 0.5)}
    assert [(one.verdict, one.reason) for one in judge(rates_run(rising, 2000, [more]))[1]] == [("undecided", "edge of the sweep")]
    turned = {rate: (other, share) for rate, (share, other) in rising.items()}
    assert [one.verdict for one in judge(rates_run(turned, 2000, [more]))[1]] == ["undecided"]
    equal = {rate: (share, share) for rate, share in ((0.1, 0.1), (1.0, 0.9), (10.0, 0.2))}
    assert [one.reason for one in judge(rates_run(equal, 2000, [more]))[1]] == ["the two sides never differ"]


def test_the_halves_that_choose_and_judge_have_no_data_set_in_common() -> None:
    wanted = experiment(task="blobs", seeds={"init": 10, "data": 6})
    data, init = wanted.seeds.pairs()
    rows = pd.DataFrame({"cell": wanted.cells[0].id, "data_seed": data, "init_seed": init, "outcome": "solved"})
    run = run_with(wanted, [rows])
    assert set(run.lanes.loc[run.judges, "data_seed"]) == {1, 3, 5}
    assert set(run.lanes.loc[~run.judges, "data_seed"]) == {0, 2, 4}
