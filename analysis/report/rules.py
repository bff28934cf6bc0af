"""The rules of a report: for each claim that holds under some conditions and fails under others, when it does what."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.escape import markdown_text
from analysis.figures.style import MOST_IN_TITLE
from analysis.figures.verdicts import verdict_matrix
from analysis.judging.facts import Condition, condition_of, zeros_reached
from analysis.judging.family import families, overall
from analysis.judging.finding import shown_finding, statement
from analysis.judging.rule import Rule, learned
from analysis.judging.sentence import clause_words, sentence
from analysis.judging.verdict import Verdict
from analysis.report.drawing import save
from analysis.report.format import condition
from analysis.report.matrix import matrix_frame
from analysis.report.result import Result
from bench.runs.files import write_whole
from bench.spec import Figure

FEW, MOST_DRAWN = 3, 400
"""Largest numbers of exceptions that are named in a sentence, and of conditions that are drawn."""
RULES = (
    "Each rule is the smallest one with the fewest exceptions among the conditions that are decided: at most three clauses, "
    "of which the first that fits a condition counts. Undecided and withheld conditions do not count, and are shown. "
    "A rule describes these conditions, and predicts no others. "
    "As data: rules ([JSON](rules.json), [LaTeX](tables/rules.tex), [CSV](tables/rules.csv)), "
    "conditions ([LaTeX](tables/conditions.tex), [CSV](tables/conditions.csv))."
)


@dataclass(frozen=True)
class Learned:
    """A conditional claim with the rule that its conditions give."""

    name: str
    """The name of a claim of the thread, or the id of an experiment's own."""
    found: tuple[tuple[Result, Verdict], ...]

    @property
    def heading(self) -> str:
        """The claim in words."""
        family = families().get(self.name)
        return f"{self.name}: {family.says}" if family else self.found[0][1].says

    @property
    def statement(self) -> str:
        """The claim in words, without how it is judged."""
        family = families().get(self.name)
        return family.says.rstrip(".") if family else statement(self.found[0][1])

    @property
    def title(self) -> str:
        """The claim and its rule, as they stand above a figure."""
        whole = all(one.holds is not None for one in self.conditions)
        return f"Claim: {self.statement}. {self.text if whole else self.text.replace('It ', 'Where it is decided, it ', 1)}"

    @cached_property
    def conditions(self) -> list[Condition]:
        """The facts of each condition."""
        reached = {result.name: zeros_reached(result.run.lanes) for result in {id(one): one for one, _ in self.found}.values()}
        return [condition_of(verdict, result.run.experiment, reached[result.name]) for result, verdict in self.found]

    @cached_property
    def rule(self) -> Rule:
        """The smallest rule with the fewest exceptions."""
        rule = learned(self.conditions)
        assert rule is not None
        return rule

    @cached_property
    def exceptions(self) -> list[bool]:
        """Whether each condition is decided, and otherwise than the rule says."""
        return [one.holds is not None and one.holds is not self.rule.says(one) for one in self.conditions]

    @property
    def text(self) -> str:
        """The rule in words, with its exceptions: their names if they are few, else their number."""
        names = [condition(verdict) or verdict.id for (_, verdict), is_one in zip(self.found, self.exceptions, strict=True) if is_one]
        if not names:
            return sentence(self.rule)
        decided = sum(one.holds is not None for one in self.conditions)
        which = f": {'; '.join(names)}" if len(names) <= FEW else ""
        are = "are exceptions" if len(names) > 1 else "is an exception"
        return f"{sentence(self.rule)} {len(names)} of {decided} decided conditions {are}{which}."


def of_thread(results: Sequence[Result]) -> dict[str, list[tuple[Result, Verdict]]]:
    """The verdicts of each claim of the thread, with their experiments, in the order of the claims' numbers."""
    found: dict[str, list[tuple[Result, Verdict]]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family != result.name:
                found.setdefault(verdict.family, []).append((result, verdict))
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def rules_of_thread(results: Sequence[Result]) -> dict[str, Learned]:
    """The rule of each claim of the thread that is conditional."""
    return _conditional(of_thread(results))


def rules_of(result: Result) -> dict[str, Learned]:
    """The rule of each claim of an experiment that is conditional there."""
    found: dict[str, list[tuple[Result, Verdict]]] = {}
    for verdict in result.verdicts:
        found.setdefault(verdict.id, []).append((result, verdict))
    return _conditional(found)


def _conditional(found: dict[str, list[tuple[Result, Verdict]]]) -> dict[str, Learned]:
    conditional = [
        Learned(name, tuple(each))
        for name, each in found.items()
        if overall([verdict for _, verdict in each], families().get(name)) == "conditional"
    ]
    return {one.name: one for one in conditional if learned(one.conditions) is not None}


def figure_title(result: Result, rules: Mapping[str, Learned], figure: Figure) -> str:
    """The title of a figure: the claim that it shows with its rule among `rules`, if both fit there, or its finding without one."""
    rule = rules.get(figure.shows[0]) if len(figure.shows) == 1 else None
    if rule is not None and len(rule.title) <= MOST_IN_TITLE:
        return rule.title
    return shown_finding(figure.shows, result.laws, result.verdicts)


def rule_frame(rules: Mapping[str, Learned]) -> pd.DataFrame:
    """The table of rules: one line per clause, with the numbers of the conditions that it decides and of the exceptions among them."""
    lines = []
    for name, one in rules.items():
        for number in range(len(one.rule.clauses) + 1):
            places = zip(one.conditions, one.exceptions, strict=True)
            decided = [is_one for facts, is_one in places if facts.holds is not None and one.rule.place(facts) == number]
            clause = one.rule.clauses[number] if number < len(one.rule.clauses) else None
            lines.append(
                {
                    "claim": name,
                    "clause": number + 1,
                    "where": clause_words(clause) if clause else "otherwise",
                    "verdict": "holds" if (clause.holds if clause else one.rule.otherwise) else "fails",
                    "conditions": len(decided),
                    "exceptions": sum(decided),
                }
            )
    return pd.DataFrame(lines)


def condition_frame(rules: Mapping[str, Learned]) -> pd.DataFrame:
    """The conditions of conditional claims: one line each, with its verdict, the clause that is about it, and what the rule says."""
    return pd.DataFrame(
        [
            {
                "claim": name,
                "report": result.name,
                "criterion": verdict.id,
                "where": condition(verdict),
                "verdict": verdict.verdict,
                "clause": one.rule.place(facts) + 1,
                "rule": "holds" if one.rule.says(facts) else "fails",
                "exception": "yes" if is_exception else "",
            }
            for name, one in rules.items()
            for (result, verdict), facts, is_exception in zip(one.found, one.conditions, one.exceptions, strict=True)
        ]
    )


def rules_text(rules: Mapping[str, Learned]) -> str:
    """The rules as JSON: by claim, the clauses with their traits, the answer otherwise, and the sentence."""
    content = {name: {**one.rule.record(), "sentence": sentence(one.rule)} for name, one in rules.items()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def rules_section(rules: Mapping[str, Learned], title: str) -> str:
    """The rules with their matrices, in Markdown; empty if there are none."""
    if not rules:
        return ""
    parts = [f"## {title}", RULES]
    for name, one in rules.items():
        picture = f"![The conditions of {markdown_text(name)}](figures/{picture_name(name)}.png)"
        parts += [f"### {markdown_text(one.heading)}", markdown_text(one.text), *([picture] if len(one.found) <= MOST_DRAWN else [])]
    return "\n\n".join(parts)


def picture_name(name: str) -> str:
    """The name of the file of a matrix, whatever the claim is called; no figure of an experiment file has a dot in its name."""
    return f"rule.{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}"


def call_now(function: Callable[..., object], *arguments: object) -> None:
    """Call a function with these arguments."""
    function(*arguments)


def write_rules(
    rules: Mapping[str, Learned],
    out: Path,
    formats: Collection[str],
    note: str,
    source: Mapping[str, str],
    call: Callable[..., object] = call_now,
) -> None:
    """Write `rules.json` into the folder of a report, and the matrix of each rule among its figures; nothing if there are no rules.

    `note` stands below each matrix, and its files state the `source`. `call` gets each function that draws a matrix, with its arguments.
    """
    if rules:
        write_whole(out / "rules.json", rules_text(rules).encode())
    for name, one in rules.items():
        if len(one.found) > MOST_DRAWN:
            continue
        path = out / "figures" / picture_name(name)
        call(write_matrix, matrix_frame(one.found, one.exceptions), one.title, path, formats, note, source)


def write_matrix(table: pd.DataFrame, title: str, path: Path, formats: Collection[str], note: str, source: Mapping[str, str]) -> None:
    """Draw the matrix of a rule into files."""
    save(verdict_matrix(table, title), path, formats, note, source=source)
