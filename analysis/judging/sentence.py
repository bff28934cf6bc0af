"""Rules in plain words."""

import re
from itertools import groupby

from analysis.judging.facts import CRITERION, EXPERIMENT, MODEL
from analysis.judging.rule import Clause, Rule, Trait
from analysis.words import bound_words, listed, number_words, quantity_words

VERBS = {True: "holds", False: "fails"}
NOUN = re.compile(r"^(.*?)(?= of | over | in |$)")
"""The part of the name of a kind of model that has a plural."""
MOST_WORDS = 25
"""Number of words that a reader takes in at once."""


def sentence(rule: Rule) -> str:
    """A rule in words: `It fails for ReLU. Of the rest, it holds ... Otherwise it fails.`

    Neighbors with one answer share a sentence as far as it has at most `MOST_WORDS` words.
    """
    parts: list[str] = []
    for holds, clauses in groupby(rule.clauses, key=lambda clause: clause.holds):
        opening = f"{'Of the rest, it' if parts else 'It'} {VERBS[holds]}"
        cases: list[str] = []
        for case in map(clause_words, clauses):
            longer = _said(opening, [*cases, case])
            if cases and len(longer.split()) > MOST_WORDS:
                parts.append(_said(opening, cases))
                opening, cases = f"It also {VERBS[holds]}", []
            cases.append(case)
        parts.append(_said(opening, cases))
    return f"{' '.join(parts)} Otherwise it {VERBS[rule.otherwise]}."


def _said(opening: str, cases: list[str]) -> str:
    """A sentence over several cases."""
    text = f"{', '.join(cases[:-1])}{',' if len(cases) > 2 else ''} and {cases[-1]}" if len(cases) > 1 else cases[0]
    return f"{opening} {text}."


def clause_words(clause: Clause) -> str:
    """The traits of a clause in words: what is named first, then numbers, then what is excepted."""
    ordered = sorted(clause.traits, key=lambda trait: (trait.negated, not trait.values))
    words: list[str] = []
    for trait in ordered:
        words.append(_trait_words(trait, first=not words))
    return " ".join(words)


def _trait_words(trait: Trait, first: bool) -> str:
    if trait.values:
        return _named(trait, first)
    if len(trait.numbers) > 1:
        text = trait.about.replace("{}", listed([number_words(number) for number in trait.numbers]))
    elif trait.numbers:
        text = quantity_words(trait.about, trait.numbers[0])
    else:
        is_most = trait.most < float("inf")
        text = bound_words(trait.about, trait.most if is_most else trait.least, is_most)
    return f"{'with' if trait.about.startswith('{}') else 'at'} {text}"


def _named(trait: Trait, first: bool) -> str:
    if trait.about == CRITERION:
        quoted = [f'"{value}"' for value in trait.values]
        what = f"criteri{'a' if len(trait.values) > 1 else 'on'} {listed(quoted)}"
        return f"{'except ' if trait.negated else ''}by the {what}"
    if trait.about in (EXPERIMENT, MODEL):
        values = [NOUN.sub(r"\1s", value) for value in trait.values] if trait.about == MODEL else trait.values
        return f"except in {' and '.join(values)}" if trait.negated else f"in {listed(values)}"
    if trait.negated:
        return f"except for {' and '.join(trait.values)}"
    return f"{'for' if first else 'with'} {listed(trait.values)}"
