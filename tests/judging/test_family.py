"""The error rate of a family is kept, and its verdict as a whole follows its rule."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.judging.family import Family, corrected, counts, overall, typical
from analysis.judging.judge import judge
from tests.conftest import experiment
from tests.judging.rows import claim, run_with, verdicts


def test_a_family_of_true_nulls_is_rarely_decided() -> None:
    """Holm over twenty conditions at their very threshold: a decision in at most about alpha of the families."""
    rng = np.random.default_rng(5)
    names = [f"he_normal(gain={gain})" for gain in range(1, 21)]
    decided = 0
    for _ in range(40):
        wanted = experiment(
            grid={"initializer": [{"name": "he_normal", "gain": float(gain)} for gain in range(1, 21)]},
            seeds={"init": 200}, claim=[claim(at_least=0.5)], track=[],
        )  # fmt: skip
        frames = [
            pd.DataFrame(
                {"cell": cell.id, "initializer": cell.axes["initializer"], "data_seed": 0, "init_seed": np.arange(200),
                 "outcome": np.where(rng.random(200) < 0.5, "solved", "unsolved")}
            )
            for cell in wanted.cells
        ]  # fmt: skip
        _, found = judge(run_with(wanted, frames))
        assert len(found) == len(names)
        decided += any(verdict.verdict != "undecided" for verdict in found)
    assert decided <= 7


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        (("supported", "supported"), "supported"),
        (("supported", "refuted"), "conditional"),
        (("supported", "refuted", "undecided"), "conditional"),
        (("supported", "undecided"), "undecided"),
        (("refuted", "undecided"), "undecided"),
        (("refuted", "refuted"), "refuted"),
        (("supported", "withheld"), "undecided"),
        (("supported", "supported", "withheld"), "supported"),
        (("refuted", "refuted", "refuted", "withheld"), "refuted"),
        (("refuted", "refuted", "withheld", "withheld"), "undecided"),
        (("withheld", "withheld"), "withheld"),
    ],
)
def test_the_verdict_on_a_family(found: tuple[str, ...], whole: str) -> None:
    assert overall(verdicts(*found)) == whole


@pytest.mark.parametrize(
    ("found", "whole"),
    [(("supported", "refuted"), "supported"), (("refuted", "undecided"), "undecided"), (("refuted", "refuted"), "refuted")],
)
def test_a_family_that_needs_one_condition_is_supported_by_one(found: tuple[str, ...], whole: str) -> None:
    assert overall(verdicts(*found), Family("?", "any")) == whole


def test_a_family_s_primary_claim_stands_for_it() -> None:
    first, second = verdicts("supported", "refuted")
    assert overall([replace(first, id="a"), second], Family("?", primary="a")) == "supported"
    assert [one.id for one in typical([replace(first, id="a"), second], Family("?", primary="a"))] == ["a"]
    # Its experiment may not be there.
    assert overall([second], Family("?", primary="a")) == "undecided" and typical([second], Family("?", primary="a")) == [second]


def test_all_counts_are_told() -> None:
    assert counts(verdicts("supported", "refuted", "undecided", "undecided")) == "1 hold, 1 fail, 2 undecided"
    assert counts(verdicts("withheld")) == "0 hold, 0 fail, 0 undecided, 1 withheld"


def test_the_numbers_shown_are_those_of_the_middle_conditions() -> None:
    held = [replace(verdicts("supported")[0], estimate=number) for number in (0.5, 0.9, 0.1)]
    failed = [replace(verdicts("refuted")[0], estimate=number) for number in (9.0, np.nan, 7.0)]
    assert [one.estimate for one in typical([*held, *failed])] == [0.5, 7.0]
    assert [one.verdict for one in typical(verdicts("undecided"))] == ["undecided"]


def test_holm_counts_the_comparisons_of_all_experiments_together() -> None:
    [one] = verdicts("supported")
    weak = replace(one, family="C8", p_value=0.02)
    assert corrected([weak])[0].verdict == "supported"
    together = corrected([weak, replace(weak, p_value=0.04, alone="refuted")])
    assert [verdict.verdict for verdict in together] == ["supported", "refuted"]
    more = corrected([weak, *[replace(weak, p_value=0.03)] * 2, *[replace(weak, p_value=0.001)]])
    assert [verdict.verdict for verdict in more] == ["undecided"] * 3 + ["supported"]
    assert "number of comparisons" in more[0].reason
    # What was withheld was not compared; other families do not count.
    others = [replace(weak, alone="withheld", verdict="withheld"), replace(weak, family="C9")]
    assert [verdict.verdict for verdict in corrected([weak, *others])] == ["supported", "withheld", "supported"]
    assert corrected(more) == more
