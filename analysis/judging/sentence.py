"""Rules in plain words."""

from itertools import groupby

from analysis.judging.facts import CRITERION, EXPERIMENT
from analysis.judging.rule import Clause, Rule, Test
from analysis.words import listed, number_words, quantity_words

VERBS = {True: "holds", False: "fails"}


def sentence(rule: Rule) -> str:
    """A rule in words, one sentence for each change of its answer: `Fails for ReLU. Of the rest, holds ... Otherwise fails.`"""
    parts = []
    for holds, clauses in groupby(rule.clauses, key=lambda clause: clause.holds):
        cases = [clause_words(clause) for clause in clauses]
        text = f"{', '.join(cases[:-1])}{',' if len(cases) > 2 else ''} and {cases[-1]}" if len(cases) > 1 else cases[0]
        parts.append(f"{'Of the rest, it' if parts else 'It'} {VERBS[holds]} {text}.")
    return f"{' '.join(parts)} Otherwise it {VERBS[rule.otherwise]}."


def clause_words(clause: Clause) -> str:
    """The tests of a clause in words: what is named first, then numbers, then what is excepted."""
    ordered = sorted(clause.tests, key=lambda test: (test.negated, not test.values))
    words: list[str] = []
    for test in ordered:
        words.append(_test_words(test, first=not words))
    return " ".join(words)


def _test_words(test: Test, first: bool) -> str:
    if test.values:
        return _named(test, first)
    if len(test.numbers) > 1:
        text = test.about.replace("{}", listed([number_words(number) for number in test.numbers]))
    elif test.numbers:
        text = quantity_words(test.about, test.numbers[0])
    else:
        is_most = test.most < float("inf")
        text = f"{quantity_words(test.about, test.most if is_most else test.least)} or {'less' if is_most else 'more'}"
    return f"{'with' if test.about.startswith('{}') else 'at'} {text}"


def _named(test: Test, first: bool) -> str:
    if test.about == CRITERION:
        quoted = [f'"{value}"' for value in test.values]
        what = f"criteri{'a' if len(test.values) > 1 else 'on'} {listed(quoted)}"
        return f"{'except ' if test.negated else ''}by the {what}"
    if test.negated:
        return f"except {'in' if test.about == EXPERIMENT else 'for'} {' and '.join(test.values)}"
    return f"{'in' if test.about == EXPERIMENT else 'for' if first else 'with'} {listed(test.values)}"
