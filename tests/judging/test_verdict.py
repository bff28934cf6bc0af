"""A verdict says on how many training runs and data sets it rests, and whether its criterion was changed."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.judging.judge import judge
from analysis.judging.verdict import Verdict
from analysis.report.format import marked, outcome, place, runs
from tests.judging.rows import NO_MANIFEST, claim, run_of


def test_a_condition_names_its_numbers_but_not_its_labels() -> None:
    assert place("case", "010") == "010"
    assert place("initializer.gain", "16.0") == "gain 16"
    assert place("model.widths", "[8, 8, 8, 8]") == "hidden units 8 x 4 layers"
    assert place("initializer", "zeros") == "zero"


def test_a_criterion_that_was_changed_without_a_word_is_exploratory_as_well() -> None:
    before = run_of({"he_normal": 1.0}, 1000, [claim(at_least=0.99)])
    kept = replace(before, manifest=NO_MANIFEST.model_copy(update={"criteria": before.experiment.criteria}))
    for changes, edited in (({}, ""), ({"says": "!"}, ""), ({"at_least": 0.2}, "changed"), ({"id": "d"}, "added")):
        after = run_of({"he_normal": 1.0}, 1000, [claim(**{"at_least": 0.99, **changes})]).experiment
        [found] = judge(replace(kept, experiment=after))[1]
        assert found.edited == (f"{edited} after training runs existed" if edited else "")


def test_equal_runs_are_counted_once() -> None:
    run = run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)], task="xor")
    run.lanes["params_digest"] = "0" * 16
    [found] = judge(run)[1]
    assert (found.n_lanes, found.n_distinct, found.n_draws) == (1000, 1, 1)
    assert runs(found) == "1,000 training runs (1 distinct), 1 data set"


@pytest.mark.parametrize(
    ("task", "words"), [("wine", "1,000 resamples of one data set"), ("blobs", "1,000 data sets"), ("xor", "1 data set")]
)
def test_resamples_are_no_data_sets(task: str, words: str) -> None:
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(at_least=0.9)], data_seeds=1000, task=task))[1]
    assert found.data == words
    # One start on XOR, which ignores its seed, is one run a thousand times.
    assert (found.verdict, found.n_draws) == (("undecided", 1) if task == "xor" else ("supported", 1000))


def test_a_criterion_that_was_changed_makes_its_verdict_exploratory() -> None:
    edited = claim(at_least=0.99, edited="2026-11-25: a first report asked for less")
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [edited]))[1]
    assert outcome(found) == "supported, exploratory"
    table = pd.DataFrame({"verdict": [outcome(found), "undecided: edge of the sweep"]})
    assert marked(table)["verdict"].tolist() == ["✓ supported, exploratory", "? undecided: edge of the sweep"]


def test_fresh_seeds_confirm_a_criterion_that_stood_in_the_file_before_them() -> None:
    edited = claim(at_least=0.99, edited="2026-11-25: a first report asked for less")
    for first, before, confirmed in ((0, edited, False), (1000, edited, True), (1000, claim(at_least=0.9), False), (1000, None, False)):
        run = run_of({"he_normal": 1.0}, 1000, [edited], first=first)
        criteria = run_of({"he_normal": 1.0}, 1, [before]).experiment.criteria if before else None
        [found] = judge(replace(run, manifest=NO_MANIFEST.model_copy(update={"criteria": criteria})))[1]
        assert (found.confirmed, found.exploratory) == (confirmed, not confirmed)
        assert outcome(found) == f"supported, {'confirmed on fresh seeds' if confirmed else 'exploratory'}"


def test_a_record_gives_the_verdict_back() -> None:
    [found] = judge(run_of({"he_normal": 1.0}, 100, [claim(at_least=0.9, edited="why")]))[1]
    assert Verdict.of(found.record()) == found
