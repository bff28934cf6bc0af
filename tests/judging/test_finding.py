"""What a claim says in a few words, with its verdict."""

from dataclasses import replace

import pytest

from analysis.judging.finding import by_statement, finding, statement
from tests.judging.rows import verdicts


@pytest.mark.parametrize(
    ("says", "stated"),
    [
        ("Restarting helps: the best of k starts succeeds.", "Restarting helps"),
        ("From zero, every run ends, in at least 99% of runs.", "From zero, every run ends"),
        ("Zero starts reach it (excess loss below 1e-8), in at least 95% of runs.", "Zero starts reach it"),
        ("Logistic regression arrives there (separable).", "Logistic regression arrives there (separable)"),
        ("Any size of noise breaks ties (in at least 99% of runs).", "Any size of noise breaks ties"),
    ],
)
def test_a_statement_is_without_how_it_is_judged(says: str, stated: str) -> None:
    assert statement(replace(*verdicts("supported"), says=says)) == stated


def test_a_finding_says_what_holds_and_what_does_not() -> None:
    one = replace(*verdicts("supported"), says="Zero is safe: nothing fails.")
    assert finding([]) == ""
    assert finding([one, one]) == "Zero is safe"
    assert finding([replace(one, verdict="refuted")]) == "Refuted: Zero is safe"
    assert finding([replace(one, verdict="withheld")] * 2) == "Withheld: Zero is safe"
    several = [one, *[replace(one, verdict="refuted")] * 2, replace(one, verdict="undecided")]
    assert finding(several) == "Zero is safe: holds in 1, fails in 2, is undecided in 1 of 4 conditions"


def test_claims_that_say_the_same_are_one_finding() -> None:
    first, other, again = (replace(*verdicts("supported"), says=f"{what}: detail.") for what in ("Zero", "One", "Zero"))
    assert list(by_statement([first, other, again]).items()) == [("Zero", [first, again]), ("One", [other])]
