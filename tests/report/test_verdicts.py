"""What no verdict of the committed reports rests on: a reason for doubt, one draw, a median where the sentence speaks of runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.judging.checks import faults_of
from analysis.rows.measures import RATES
from bench.spec import Claim, Experiment

REPORTS = sorted(path.parent for path in (Path(__file__).parents[2] / "reports").glob("*/claims.json"))
OF_RUNS = re.compile(r"\b(at (least|most) \d+% of|every|all|no) (runs?|training runs?|starts?)\b", re.IGNORECASE)
"""A sentence about shares of runs."""


def judged(report: Path) -> tuple[Experiment, list[dict[str, Any]]]:
    return Experiment.parse((report / "experiment.toml").read_text()), json.loads((report / "claims.json").read_text())["claims"]


def check_sentence(claim: Claim) -> None:
    """A sentence about runs is judged by a share of runs."""
    if claim.law is not None or claim.measure in RATES:
        return
    if OF_RUNS.search(claim.says):
        assert claim.each, claim.id


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_no_verdict_rests_on_what_says_nothing(report: Path) -> None:
    experiment, verdicts = judged(report)
    for claim in experiment.claim:
        assert faults_of(experiment, claim) == []
        check_sentence(claim)
    for verdict in verdicts:
        decided = verdict["verdict"] in ("supported", "refuted")
        # An edge of a sweep, a failed control, a side without values: each is a reason that stands beside no decision.
        assert not (decided and verdict["reason"]), verdict["id"]
        assert not decided or verdict["n_draws"] > 1 or "of all there are" in verdict["estimator"], verdict["id"]


def test_a_sentence_about_runs_may_not_be_judged_by_a_median() -> None:
    claim = Claim(id="c", says="All runs end at 0.", measure="loss_final", at_most=0.1)
    with pytest.raises(AssertionError):
        check_sentence(claim)
    check_sentence(claim.model_copy(update={"each": True}))
