"""The answer in words and as a chart follows the verdicts."""

import re
import tomllib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import pytest
import textstat

from analysis.judging.family import families
from analysis.judging.judge import judge
from analysis.judging.verdict import Verdict
from analysis.laws import Law
from analysis.report.answer import answer_rows, chart, rows, sentences, spoken_of
from analysis.report.answer_page import answer_page, jointly
from analysis.report.experiment_page import _withheld
from analysis.report.experiment_tables import _standing
from analysis.report.result import Result
from analysis.report.zeros_table import zeros_frame
from analysis.rows.load import Run
from bench.runs.manifest import Manifest
from bench.runs.provenance import Device, Provenance
from bench.spec import catalog, wanted_labels
from tests.judging.rows import claim, run_of

TEXT: dict[str, Any] = tomllib.loads((files("analysis.report") / "answer.toml").read_text())
BLANK = Verdict(
    id="", family="", says="", condition={}, measure="", criterion="", verdict="undecided", estimate=0.5, low=0.0, high=1.0, level=0.95,
    n_lanes=1, n_data_seeds=1, n_init_seeds=1, estimator="", columns=(), cells=(), against=(), alone="undecided", p_value=1.0, n_draws=1,
    n_distinct=1, data="1 data set",
)  # fmt: skip


@cache
def asked() -> tuple[Verdict, ...]:
    """A verdict, undecided, on every condition of every claim of the experiments that ship."""
    found = []
    for experiment in map(catalog.read, catalog.names()):
        for one in experiment.claim:
            wanted = {axis: wanted_labels(value, experiment.axes[axis]) for axis, value in one.where.items() if axis in experiment.axes}
            cells = [cell for cell in experiment.cells if all(cell.axes[axis] in values for axis, values in wanted.items())]
            for values in dict.fromkeys(tuple(str(cell.axes[axis]) for axis in one.by) for cell in cells):
                condition = dict(zip(one.by, values, strict=True))
                found.append(replace(BLANK, id=one.id, family=one.family or experiment.name, condition=condition))
    return tuple(found)


def settled(needs: list[dict[str, Any]], family: str) -> list[Verdict]:
    """Verdicts as these needs ask for; what they ask of some is set before what they ask of all."""
    every = list(asked())
    for need in sorted(needs, key=lambda need: "all" in need):
        meant = spoken_of(need, need.get("claim", family), every)
        changes: dict[str, Any] = {"verdict": need["some"] if "some" in need else need["all"]}
        changes |= {"low": need.get("at_least", 0.0), "high": need.get("at_most", 1.0)}
        every = [replace(verdict, **changes) if verdict in meant else verdict for verdict in every]
    return every


def test_a_sentence_stands_only_for_the_verdict_that_it_is_written_for() -> None:
    assert sentences("why", {"C14": "refuted"}, []) == "The reason is this symmetry, not the number of optima ([C14](#c14))."
    assert sentences("why", {"C14": "supported"}, []) == sentences("use", {"C14": "refuted"}, []) == ""


NEEDS = [(one, need) for one in TEXT["sentence"] for need in one.get("needs", ())]


@pytest.mark.parametrize(("one", "need"), NEEDS, ids=lambda entry: entry.get("id", entry.get("claim")))
def test_a_sentence_goes_when_what_its_words_speak_of_changes(one: dict[str, Any], need: dict[str, Any]) -> None:
    verdicts, every = {one["claim"]: "conditional"}, settled(one["needs"], one["claim"])
    assert sentences(one["part"], verdicts, every)
    meant = spoken_of(need, one["claim"], every)
    assert meant
    others = [verdict for verdict in every if verdict not in meant]
    assert sentences(one["part"], verdicts, others) == ""
    assert sentences(one["part"], verdicts, [*others, *(replace(verdict, verdict="undecided") for verdict in meant)]) == ""


@pytest.mark.parametrize("row", TEXT["row"], ids=lambda row: row["starts_at_zero"])
def test_a_row_says_what_it_is_written_for_if_all_that_it_rests_on_is_so(row: dict[str, Any]) -> None:
    every = settled(row["needs"], "")
    shown = {one.starts_at_zero: one for one in rows(every)}[row["starts_at_zero"]]
    assert (shown.answer, shown.because, shown.exploratory) == (row["answer"], row["because"], False)
    for need in row["needs"]:
        meant = spoken_of(need, "", every)
        others = [verdict for verdict in every if verdict not in meant]
        undecided = [replace(verdict, verdict="undecided") for verdict in meant]
        assert {one.starts_at_zero: one.answer for one in rows([*others, *undecided])}[row["starts_at_zero"]] == "not settled"
        # A row whose experiments are not there is left out.
        assert row["starts_at_zero"] not in {one.starts_at_zero for one in rows(others)}


def test_neighbors_with_one_answer_are_one_line_of_the_page() -> None:
    every = settled([need for row in TEXT["row"] for need in row["needs"]], "")
    assert answer_rows(every)["safe?"].tolist() == ["**yes**", "**no**", "**yes**"]


def test_the_words_of_the_answer_are_short_and_easy() -> None:
    """At most 25 words a sentence, at most eight leaves, and a reading ease (Flesch) of at least 50."""
    said = [one[verdict] for one in TEXT["sentence"] for verdict in ("supported", "refuted", "conditional") if verdict in one]
    said += [f"{row['starts_at_zero']}: {row['because']}." for row in TEXT["row"]]
    assert [text for text in said if len(text.split()) > 25] == []
    assert len(TEXT["leaf"]) <= 8
    assert textstat.flesch_reading_ease(" ".join(dict.fromkeys(said))) >= 50
    # Negative control.
    assert textstat.flesch_reading_ease("Initialization methodologies necessitate considerable dimensional heterogeneity.") < 0


def test_the_table_of_architectures_says_what_learns() -> None:
    def learning(part: str, share: float) -> Verdict:
        condition = {"case": f"LSTM: {part}"}
        return replace(BLANK, id="zeros-fail-lstm", family="C20", measure="share solved", condition=condition, estimate=share)

    other = replace(
        BLANK, id="zeros-fail-gan", family="C20", measure="share with modes_covered_final at most 0", condition={"case": "all zero"}
    )
    found = zeros_frame([learning("all zero", 0.0), learning("zero input", 0.995), learning("zero output", 0.4), other])
    assert found.to_numpy().tolist() == [["LSTM", "zero input", "zero output (0.40)", "all zero"]]


def test_what_a_text_needs_of_a_share_a_share_can_be() -> None:
    needs = [need for entries in TEXT.values() for entry in entries for need in entry.get("needs", ())]
    bounds = [(need["id"], need[key]) for need in needs for key in ("at_least", "at_most") if key in need]
    assert bounds and [(name, bound) for name, bound in bounds if not 0 < bound < 1] == []


def test_the_chart_says_what_is_not_settled() -> None:
    assert chart([]) == ""
    found = chart(asked())
    assert all(f'{leaf["id"]}["Not settled' in found for leaf in TEXT["leaf"])


@pytest.mark.parametrize("leaf", TEXT["leaf"], ids=lambda leaf: leaf["id"])
def test_a_leaf_says_what_it_is_written_for_if_all_that_it_rests_on_is_so(leaf: dict[str, Any]) -> None:
    every = settled(leaf["needs"], "")
    assert f'{leaf["id"]}["{leaf["says"]} (' in chart(every)
    for need in leaf["needs"]:
        meant = spoken_of(need, need["claim"], every)
        assert meant
        others = [verdict for verdict in every if verdict not in meant]
        first, *rest = meant
        outside = [replace(first, verdict="undecided")]
        outside += [replace(first, low=need["at_least"] - 0.01)] if "at_least" in need else []
        outside += [replace(first, high=need["at_most"] + 0.01)] if "at_most" in need else []
        for changed in ([one, *rest] for one in outside):
            assert f'{leaf["id"]}["Not settled' in chart([*others, *changed])
        # A leaf whose experiments are not there is left out.
        assert f"{leaf['id']}[" not in chart(others)


def test_the_chart_is_exploratory_by_what_it_rests_on_alone() -> None:
    [need] = TEXT["leaf"][0]["needs"]
    every = settled([need], "")
    first = spoken_of(need, need["claim"], every)[0]
    rest = [verdict for verdict in every if verdict is not first]
    edited = replace(first, edited="2026-11-28: why")
    assert "Exploratory" in chart([edited, *rest])
    assert "Exploratory" not in chart([first, *rest, replace(edited, family="own")])


def test_the_chart_leads_from_each_question_to_answers_that_there_are() -> None:
    known = {entry["id"] for entry in (*TEXT["step"], *TEXT["leaf"])}
    led_to = [target for step in TEXT["step"] for target in step["answers"].values()]
    assert sorted([*led_to, TEXT["step"][0]["id"]]) == sorted(known)


@pytest.mark.parametrize("entry", TEXT["sentence"], ids=lambda entry: entry["claim"])
def test_every_text_is_for_a_claim_of_the_thread_and_a_verdict(entry: dict[str, str]) -> None:
    assert re.fullmatch(r"C\d+", entry["claim"])
    assert entry["part"] in ("random", "why", "use")
    assert set(entry) - {"part", "claim", "needs"} <= {"supported", "refuted", "conditional"}


# The page -------------------------------------------------------------------------------------------------------------------------


def results() -> list[Result]:
    """Two experiments on one claim: one holds by a hair, the other fails clearly; a third evaluates what it does not train."""
    made = []
    for name, share, steps, bound in (("one", 0.975, 100, 0.9535), ("two", 0.1, 100, 0.99), ("worked", 1.0, 0, 0.5)):
        family = "C17" if name == "worked" else "C6"
        run = run_of({"he_normal": share}, 400, [claim(at_least=bound, family=family)], steps_run=lambda n, steps=steps: [steps] * n)
        made.append(Result(named(run, name), [], judge(run)[1], pd.DataFrame()))
    return made


def named(run: Run, name: str) -> Run:
    made = Provenance.model_construct(device=Device(platform="cpu", kind="cpu", count=1), versions={"initbench": "0"})
    manifest = Manifest.model_construct(
        lanes=400, provenance={"made": made}, complete=True, ended="2026", run_seconds=1.0, compile_seconds=1.0
    )
    return replace(run, experiment=run.experiment.model_copy(update={"name": name}), manifest=manifest)


def test_verdicts_are_corrected_across_the_experiments_of_a_claim() -> None:
    one, two, worked = results()
    assert 0.025 < one.verdicts[0].p_value < 0.05
    assert [result.verdicts[0].verdict for result in (one, two, worked)] == ["supported", "refuted", "supported"]
    # The clear one is settled first; then one is left, which has all of alpha.
    assert [result.verdicts[0].verdict for result in jointly([one, two])] == ["supported", "refuted"]
    unclear = replace(two, verdicts=[replace(two.verdicts[0], alone="undecided", p_value=1.0)])
    assert [result.verdicts[0].verdict for result in jointly([one, unclear, worked])] == ["undecided", "undecided", "supported"]


def test_the_page_shows_all_counts_both_numbers_and_training_runs_alone() -> None:
    page = answer_page(jointly(results()), has_headline=False)
    assert "800 training runs in 2 experiments" in page
    assert "1 hold, 1 fail, 0 undecided" in page
    assert "share solved 0.9750" in page and "share solved 0.1000" in page
    assert "no training" in page and "800 training runs, up to 400 independent draws (1 data set)" in page


def test_an_edited_criterion_is_marked_on_the_page() -> None:
    one, two, worked = results()
    marked = replace(one, verdicts=[replace(one.verdicts[0], edited="why")])
    assert "conditional, exploratory |" in answer_page(jointly([marked, two, worked]), has_headline=False)
    assert "exploratory |" not in answer_page(jointly([one, two, worked]), has_headline=False)


def test_the_thread_s_rules_name_claims_that_there_are() -> None:
    ids = {verdict.id for verdict in asked()}
    assert all(family.rule in ("all", "any") and family.primary in ("", *ids) for family in families().values())


@pytest.mark.parametrize(
    ("complete", "standing", "said"), [(True, "FAILS", "failed"), (False, "does not hold so far", "until a_law can be")]
)
def test_a_law_of_an_unfinished_run_has_not_failed_yet(complete: bool, standing: str, said: str) -> None:
    one = results()[0].run
    run = replace(
        one,
        experiment=one.experiment.model_copy(update={"laws": ("a_law",)}),
        manifest=one.manifest.model_copy(update={"complete": complete}),
    )
    law = Law("a_law", "", False, "", 0)
    assert _standing(law, run) == standing
    assert said in _withheld(Result(run, [law], [], pd.DataFrame()))
