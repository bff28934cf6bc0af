"""The verdicts in a terminal fit a page, whatever there is to say."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.judging.family import families
from analysis.judging.judge import judge
from analysis.report.result import Result
from analysis.report.terminal import COLUMNS, LINES, verdict_page
from tests.judging.rows import claim, run_of
from tests.report.test_answer_page import named

PAGE = Path("results/reports/README.md")


@pytest.fixture(scope="module")
def one() -> Result:
    """An experiment on a claim of the thread, which holds."""
    run = run_of({"he_normal": 1.0}, 400, [claim(id="zero-keeps-units-equal", at_least=0.9, family="C7")], steps_run=lambda n: [100] * n)
    return Result(named(run, "one"), [], judge(run)[1], pd.DataFrame())


@pytest.mark.parametrize("names", [["C7"], list(families()), [*families(), *(f"own-{number}" for number in range(40))]])
def test_the_page_fits_a_small_terminal(names: list[str], one: Result) -> None:
    verdicts = [replace(one.verdicts[0], family=name, id=f"claim-of-{name}" * 4) for name in names]
    lines = verdict_page([replace(one, verdicts=verdicts)], PAGE)
    assert len(lines) < LINES
    assert max(map(len, lines)) <= COLUMNS
    assert lines[-1].endswith(str(PAGE))
    shown = sum(line.startswith(("C", "claim-of")) for line in lines)
    left = [line for line in lines if line.startswith("... and ")]
    assert shown + (int(left[0].split()[2]) if left else 0) == len(names)


def test_a_claim_is_one_line_with_its_name_its_verdict_and_its_counts(one: Result) -> None:
    failed = replace(one.verdicts[0], verdict="refuted", alone="refuted")
    [line] = [line for line in verdict_page([replace(one, verdicts=[*one.verdicts, failed])], PAGE) if line.startswith("C7")]
    assert families()["C7"].short in line
    assert line.endswith("conditional  1 hold 1 fail 0 open")


def test_a_verdict_whose_criterion_was_changed_is_marked_as_exploratory(one: Result) -> None:
    assert not any("exploratory" in line for line in verdict_page([one], PAGE))
    edited = replace(one.verdicts[0], family="C6", edited="2026-11-28: why")
    page = verdict_page([replace(one, verdicts=[*one.verdicts, edited])], PAGE)
    assert [line.split("supported")[1].strip() for line in page if line.startswith("C")] == ["*", ""]
    assert page[-2].startswith("* exploratory")


def test_claims_of_two_experiments_are_two_lines_though_they_have_one_name(one: Result) -> None:
    own = [replace(one, run=named(one.run, name), verdicts=[replace(one.verdicts[0], family=name)]) for name in ("first", "second")]
    assert sum(line.startswith("zero-keeps") and line.rstrip().endswith("supported") for line in verdict_page(own, PAGE)) == 2


def test_what_may_start_at_zero_is_said_only_where_it_was_judged(one: Result) -> None:
    question, answer = verdict_page([one], PAGE)[1:3]
    assert question == "May they start at zero?" and answer.endswith(" no")
    undecided = replace(one, verdicts=[replace(one.verdicts[0], verdict="undecided")])
    assert verdict_page([undecided], PAGE)[2].endswith("not settled")
    other = replace(one, verdicts=[replace(one.verdicts[0], family="C16")])
    assert not any("zero?" in line for line in verdict_page([other], PAGE))
