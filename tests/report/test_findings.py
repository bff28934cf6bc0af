"""A report opens with its findings, and a figure has its finding as title."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.judging.finding import finding, shown_finding, statement
from analysis.report.drawing import drawn
from analysis.report.result import Result
from analysis.report.rules import figure_title, rules_of
from analysis.report.write import stored_verdicts
from analysis.rows.load import load

COMMITTED = Path(__file__).parents[2] / "reports"
TITLE = "A smaller random start tends to need more steps"


@pytest.mark.parametrize("page", sorted(COMMITTED.glob("*/README.md")), ids=lambda page: page.parent.name)
def test_a_committed_page_opens_with_its_findings_and_is_read_in_minutes(page: Path) -> None:
    text = re.sub(r"<details>.*?</details>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert text.index("## Findings") < text.index("## How it was done")
    assert len(text.split()) <= 3000


def test_the_title_of_a_figure_is_its_finding() -> None:
    folder = COMMITTED / "x18-deep-linear"
    run, (laws, verdicts) = load(folder), stored_verdicts(folder)
    [figure] = [one for one in run.experiment.figure or () if one.name == "steps"]
    refuted = [replace(one, verdict="refuted") for one in verdicts]
    for found, title in ((verdicts, TITLE), (refuted, f"Refuted: {TITLE}")):
        drawing = drawn(run, figure, shown_finding(figure.shows, laws, found))
        [above] = [text for text in drawing.texts if text.get_fontweight() == "bold"]
        assert above.get_text() == title
        heights = [axes.get_window_extent().y1 for axes in drawing.axes]
        heights += [legend.get_window_extent().y1 for legend in drawing.legends]
        assert max(heights) <= above.get_window_extent().y0
    assert drawn(run, figure, TITLE, (3.0, 2.5)).get_size_inches().tolist() == [3.0, 2.5]
    assert all(text.get_fontweight() != "bold" for text in drawn(run, figure).texts)


def test_a_finding_that_is_decided_one_way_says_so() -> None:
    _, [one, *_] = stored_verdicts(COMMITTED / "x18-deep-linear")
    said, as_ = statement(one), lambda kind: replace(one, verdict=kind)
    for kind, verb in (("supported", "holds"), ("refuted", "fails")):
        some = [as_(kind), as_(kind), as_("withheld"), as_("undecided")]
        assert finding(some) == f"{said}: {verb} wherever it is decided, in 2 of 4 conditions"
    both = [as_("supported"), as_("refuted"), as_("withheld")]
    assert finding(both) == f"{said}: holds in 1, fails in 1, is withheld in 1 of 3 conditions"


def test_a_figure_of_a_conditional_claim_has_its_rule_as_title() -> None:
    result = Result(load(COMMITTED / "x25-defaults"), *stored_verdicts(COMMITTED / "x25-defaults"), pd.DataFrame())
    [figure] = [one for one in result.run.experiment.figure or () if one.name == "league"]
    rules, rule = rules_of(result), "Where it is decided, it fails with at most 2 hidden layers. Otherwise it holds."
    assert figure_title(result, rules, figure) == f"Claim: You have to use He's initializer for ReLU. {rule}"
    assert figure_title(result, {}, figure) == shown_finding(figure.shows, result.laws, result.verdicts)


def test_a_figure_without_a_claim_has_the_law_that_it_shows_as_title() -> None:
    laws, verdicts = stored_verdicts(COMMITTED / "x17-signal")
    said = shown_finding(("glorot_variance",), laws, verdicts)
    assert said.startswith("Through linear layers of n units") and said.endswith("Glorot's normalized weights all of it")
    failed = [replace(law, holds=False) for law in laws]
    assert shown_finding(("glorot_variance",), failed, verdicts) == f"Fails: {said}"
    assert shown_finding((), laws, verdicts) == ""


def test_a_rule_of_one_of_several_claims_says_of_which() -> None:
    text = (COMMITTED / "x15-rates" / "README.md").read_text(encoding="utf-8")
    assert ". In a convolutional network trained by Adam: It fails for zero gamma. Otherwise it holds." in text
    text = (COMMITTED / "x14-gan" / "README.md").read_text(encoding="utf-8")
    assert "The generator covers none of the eight modes: It holds for all zero." in text
