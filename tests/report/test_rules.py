"""Rules in a report: what is printed, drawn and stored is one and the same."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from analysis.figures.verdicts import LOOKS, verdict_matrix
from analysis.judging.rule import Clause, Rule, Trait
from analysis.judging.sentence import sentence
from analysis.judging.verdict import Outcome, Verdict
from analysis.report.answer_page import answer_page, jointly
from analysis.report.answer_table import answer_frame
from analysis.report.matrix import MOST_ACROSS, matrix_frame
from analysis.report.result import Result
from analysis.report.rules import Learned, condition_frame, picture_name, rule_frame, rules_of, rules_of_thread, write_rules
from analysis.report.verify import _compared
from tests.conftest import experiment
from tests.judging.rows import run_with
from tests.report.test_answer_page import BLANK, named, results

STARTS = ["zeros", "he_normal", "normal(gain=10.0)"]
CASES = ["MLP, ReLU: all zero", "MLP, ReLU: random", "MLP, tanh: all zero", "MLP, tanh: random"]


def judged(outcomes: dict[tuple[str, str], Outcome], family: str = "C6") -> Result:
    """An experiment of four cases and three starts with these verdicts; its rows do not matter."""
    wanted = experiment(
        case=[{"label": label, "model.widths": [width]} for label, width in zip(CASES, (2, 3, 4, 5), strict=True)],
        grid={"initializer": ["zeros", "he_normal", {"name": "normal", "gain": 10.0}]}, track=[],
    )  # fmt: skip
    rows = pd.DataFrame(
        [{"cell": cell.id, **cell.axes, "data_seed": 0, "init_seed": 0, "outcome": "solved", "steps_run": 1} for cell in wanted.cells]
    )
    verdicts = [
        replace(BLANK, id="c", family=family, says="It learns.", verdict=outcome, alone=outcome, p_value=0.0,
                condition={"case": case, "initializer": start},
                cells=tuple(cell.id for cell in wanted.cells if (cell.axes["case"], cell.axes["initializer"]) == (case, start)))
        for (case, start), outcome in outcomes.items()
    ]  # fmt: skip
    return Result(named(run_with(wanted, [rows]), "x"), [], verdicts, pd.DataFrame())


def outcome(case: str, start: str) -> Outcome:
    if start == "normal(gain=10.0)":
        return "withheld" if "ReLU" in case else "undecided"
    return "refuted" if "ReLU" in case and "random" not in case else "supported"


@pytest.fixture(scope="module")
def one() -> Result:
    return judged({(case, start): outcome(case, start) for case in CASES for start in STARTS})


def test_the_sentence_of_a_page_is_rebuilt_from_its_data(one: Result, tmp_path: Path) -> None:
    rules = rules_of_thread([one])
    write_rules(rules, tmp_path, ("svg",), "", {})
    stored = json.loads((tmp_path / "rules.json").read_text())["C6"]
    says = sentence(Rule.of(stored))
    assert says == stored["sentence"] == "It fails for MLP, ReLU: all zero. Otherwise it holds."
    page = answer_page([one], has_headline=False)
    assert page.count(says) == 2 and "(figures/rule.C6.png)" in page
    assert (tmp_path / "figures" / f"{picture_name('C6')}.svg").exists()
    [line] = answer_frame([one]).to_dict("records")
    assert (line["answer"], line["rule"]) == ("yes, unless", says)
    assert line["conditions"] == "6 hold, 2 fail, 2 undecided, 2 withheld"
    # What the rule says of every condition, decided or not.
    table = condition_frame(rules)
    fails = table["where"].str.startswith("MLP, ReLU: all zero")
    assert (table["rule"].eq("fails") == fails).all() and not table["exception"].any() and len(table) == 12
    assert rule_frame(rules)[["verdict", "conditions", "exceptions"]].to_numpy().tolist() == [["fails", 2, 0], ["holds", 6, 0]]


def test_an_experiment_s_own_claim_has_a_rule_as_well(one: Result) -> None:
    own = replace(one, verdicts=[replace(verdict, family="x") for verdict in one.verdicts])
    assert not rules_of_thread([own]) and rules_of(own)["c"].text == rules_of_thread([one])["C6"].text
    assert not rules_of(replace(own, verdicts=[verdict for verdict in own.verdicts if verdict.verdict != "refuted"]))


def test_a_claim_of_two_experiments_may_depend_on_the_experiment() -> None:
    learned = rules_of_thread(jointly(results()))["C6"]
    assert learned.text == "It holds in one. Otherwise it fails." and learned.exceptions == [False, False]


def test_exceptions_are_named_if_they_are_few(one: Result) -> None:
    for activation, count, names in (("ReLU", 2, ": MLP, ReLU: random, zero; MLP, ReLU: random, He"), ("tanh", 6, "")):
        rule = Rule((Clause((Trait("case", (activation,)),), False),))
        learned = Learned("C6", rules_of_thread([one])["C6"].found)
        learned.__dict__["rule"] = rule
        assert learned.text == f"It fails for {activation}. Otherwise it holds. {count} of 8 decided conditions are exceptions{names}."


def test_every_condition_has_a_mark_at_its_place(one: Result) -> None:
    learned = rules_of_thread([one])["C6"]
    exceptions = [verdict.condition["case"] == CASES[1] and verdict.condition["initializer"] == "zeros" for verdict in one.verdicts]
    table = matrix_frame(learned.found, exceptions)
    rows = [f"MLP, {activation}, {start}" for activation in ("ReLU", "tanh") for start in ("zero", "He", "N(0, 10²)")]
    assert list(dict.fromkeys(table["row"])) == rows
    assert list(dict.fromkeys(table["column"])) == ["all zero", "random"] and set(table["across"]) == {"start"}
    drawing = verdict_matrix(table, learned.text)
    [axes] = drawing.axes
    grid = [tuple(place) for marks in axes.collections[-len(LOOKS) - 1 : -1] for place in np.asarray(marks.get_offsets()).round(6)]
    assert len(grid) == len(set(grid)) == 12
    shown = {text.get_text() for text in axes.texts}
    key = {"undecided: the runs leave it open (2)", "withheld: a control was not met (2)", "exception to the rule (1)"}
    assert {*rows, "start →", "all zero", "random", "holds (6)", "fails (2)", *key} <= shown and "not asked" not in shown
    mpl.pyplot.close(drawing)
    drawing = verdict_matrix(table.iloc[1:], learned.text)
    [axes] = drawing.axes
    assert "not asked" in {text.get_text() for text in axes.texts}
    mpl.pyplot.close(drawing)


def found_of(*verdicts: Verdict) -> list[tuple[Result, Verdict]]:
    result = judged({})
    return [(result, verdict) for verdict in verdicts]


def test_criteria_share_a_panel_unless_they_are_about_the_same_conditions() -> None:
    ones = [
        replace(BLANK, id=name, condition={"case": case, "initializer.gain": gain})
        for name, case in (("a", "tanh"), ("b", "ReLU"), ("c", "tanh"))
        for gain in ("10", "2")
    ]
    table = matrix_frame(found_of(*ones), [False] * 6)
    assert table["panel"].tolist() == ["a and b"] * 4 + ["c"] * 2
    # Numbers are in their order, not in that of the verdicts.
    assert table["row"].tolist() == ["tanh", "ReLU"] * 2 + ["tanh"] * 2 and table["column"].tolist() == ["2", "2", "10", "10", "2", "10"]


def test_what_is_too_wide_is_turned_and_what_has_no_axis_is_named() -> None:
    many = [replace(BLANK, id="a", condition={"case": "x", "task.k": str(number)}) for number in range(MOST_ACROSS + 1)]
    table = matrix_frame(found_of(*many, replace(BLANK, id="no-axis")), [False] * (MOST_ACROSS + 2))
    assert table["column"].tolist() == ["x"] * (MOST_ACROSS + 1) + [""] and table["row"].tolist()[-1] == "no axis"


def test_a_number_is_short_and_a_pattern_of_digits_stays() -> None:
    ones = [replace(BLANK, id="a", condition={"task.k": number}) for number in ("4.0", "16.0")]
    both = [replace(one, condition={**one.condition, "initializer": "zeros"}) for one in ones]
    assert matrix_frame(found_of(*both), [False] * 2)["column"].tolist() == ["4", "16"]
    patterns = [replace(BLANK, id="a", condition={"case": pattern, "model.activation": "tanh"}) for pattern in ("01", "011")]
    assert matrix_frame(found_of(*patterns), [False] * 2)["column"].tolist() == ["01", "011"]


def test_the_name_of_a_claim_leads_to_no_other_folder() -> None:
    assert picture_name("../../etc/x") == "rule.-etc-x"


def test_conditions_that_nothing_tells_apart_have_no_rule() -> None:
    """A damaged file may have one condition twice, with both verdicts."""
    result = judged({(CASES[0], "zeros"): "supported"})
    twice = replace(result, verdicts=[*result.verdicts, replace(result.verdicts[0], verdict="refuted")])
    assert rules_of_thread([twice]) == {}
    [line] = answer_frame([twice]).to_dict("records")
    assert (line["answer"], line["rule"]) == ("depends", "")


def test_a_rule_that_does_not_follow_is_found(one: Result, tmp_path: Path) -> None:
    rules = rules_of_thread([one])
    for name in ("stored", "fresh"):
        write_rules(rules, tmp_path / name, ("svg",), "", {})
    stored = tmp_path / "stored" / "rules.json"
    stored.write_text(stored.read_text().replace('"holds": false', '"holds": true'))
    found = list(_compared(tmp_path / "stored", tmp_path / "fresh"))
    assert any("rules.json: C6.clauses[0].holds: True, recomputed False" in line for line in found)
    assert not any("rule.C6.svg: shows" in line for line in found)
