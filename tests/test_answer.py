"""The answer in words and as a chart follows the verdicts."""

import json
import re
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from analysis.answer import _chart, _spoken_of, paragraph
from analysis.claims import Verdict

REPORTS = Path(__file__).parents[1] / "reports"
TEXT: dict[str, Any] = tomllib.loads((files("analysis") / "answer.toml").read_text())


def stored() -> list[Verdict]:
    """The verdicts of the committed reports."""
    paths = sorted(REPORTS.glob("*/claims.json"))
    return [Verdict.of(record) for path in paths for record in json.loads(path.read_text())["claims"]]


def test_a_clause_stands_only_for_the_verdict_that_it_is_written_for() -> None:
    assert "It is safe where the loss is strictly convex" in paragraph({"C1": "supported"}, [])
    assert paragraph({"C1": "refuted"}, []) == ""
    assert paragraph({"C7": "supported", "C14": "refuted"}, []).endswith(
        "([C7](#c7)); the reason is symmetry, not the number of optima ([C14](#c14))."
    )


NEEDS = [(clause, need) for clause in TEXT["clause"] for need in clause.get("needs", ())]


@pytest.mark.parametrize(("clause", "need"), NEEDS, ids=lambda entry: entry.get("id", entry.get("claim")))
def test_a_clause_goes_when_what_its_words_speak_of_changes(clause: dict[str, Any], need: dict[str, Any]) -> None:
    verdicts, every = {clause["claim"]: "conditional"}, stored()
    assert paragraph(verdicts, every)
    meant = _spoken_of(need, clause["claim"], every)
    assert meant
    others = [verdict for verdict in every if verdict not in meant]
    assert paragraph(verdicts, others) == ""
    assert paragraph(verdicts, [*others, *(replace(verdict, verdict="undecided") for verdict in meant)]) == ""


def test_the_chart_says_what_is_not_settled() -> None:
    assert _chart([]) == ""
    every = stored()
    assert "Not settled" not in _chart(every)
    withheld = [replace(verdict, verdict="withheld") if verdict.family == "C1" else verdict for verdict in every]
    assert 'safe["Not settled (C1)"]' in _chart(withheld)
    assert 'never["Not safe: units stay equal, or nothing moves (C7, C20)"]' in _chart(withheld)


LEAF_NEEDS = [(leaf, need) for leaf in TEXT["leaf"] for need in leaf["needs"]]


@pytest.mark.parametrize(("leaf", "need"), LEAF_NEEDS, ids=lambda entry: entry["id"])
def test_a_leaf_is_not_settled_when_what_it_rests_on_changes(leaf: dict[str, Any], need: dict[str, Any]) -> None:
    every = stored()
    meant = _spoken_of(need, need["claim"], every)
    assert meant
    others = [verdict for verdict in every if verdict not in meant]
    first, *rest = meant
    outside = [replace(first, verdict="undecided")]
    outside += [replace(first, low=need["at_least"] - 0.01)] if "at_least" in need else []
    outside += [replace(first, high=need["at_most"] + 0.01)] if "at_most" in need else []
    for changed in ([], *([one, *rest] for one in outside)):
        assert f'{leaf["id"]}["Not settled' in _chart([*others, *changed])


def test_the_chart_leads_from_each_question_to_answers_that_there_are() -> None:
    known = {entry["id"] for entry in (*TEXT["step"], *TEXT["leaf"])}
    led_to = [target for step in TEXT["step"] for target in step["answers"].values()]
    assert sorted([*led_to, TEXT["step"][0]["id"]]) == sorted(known)


@pytest.mark.parametrize("entry", TEXT["clause"], ids=lambda entry: entry["claim"])
def test_every_text_is_for_a_claim_of_the_thread_and_a_verdict(entry: dict[str, str]) -> None:
    assert re.fullmatch(r"C\d+", entry["claim"])
    assert set(entry) - {"claim", "needs"} <= {"supported", "refuted", "conditional"}
