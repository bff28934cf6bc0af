"""Rules: when a claim holds, learned from its conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from analysis.judging.facts import CASE, CRITERION, EXPERIMENT, LABEL, Condition
from analysis.judging.search import Stock, shortest

MOST_CLAUSES, MOST_TESTS = 3, 2
MOST_TOGETHER = 2
"""Number of words of a group that a test names freely; ..."""
MOST_WORDS, MOST_NUMBERS = 6, 6
MANY_WORDS = 12
COSTS = {CASE: 5, LABEL: 6, CRITERION: 8, EXPERIMENT: 10}
"""What a word costs by its group; one of a setting costs `COST`."""
COST, NUMBER, NEGATION = 4, 6, 2
"""What a bound of a number costs, a number by itself, and a negation beside its words."""


@dataclass(frozen=True, order=True)
class Test:
    """A test of a condition: whether one of these words holds for it (or none, if it is `negated`), or where its number lies."""

    about: str
    """The group of the words, or the place of the number in a sentence."""
    values: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    negated: bool = False
    least: float = -np.inf
    most: float = np.inf

    def met(self, condition: Condition) -> bool:
        """Whether a condition meets the test; one without such a number does not."""
        if self.values:
            return any((self.about, value) in condition.words for value in self.values) is not self.negated
        number = condition.number(self.about)
        if number is None:
            return False
        return number in self.numbers if self.numbers else self.least <= number <= self.most

    def record(self) -> dict[str, Any]:
        """The test as JSON values, without what is at its default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Test":
        """The test of a record."""
        return Test(**{key: tuple(value) if isinstance(value, list) else value for key, value in record.items()})

    @property
    def cost(self) -> int:
        """How much a reader has to take in: the more words and numbers the more, and the more the less they are about a setting."""
        if self.values:
            return COSTS.get(self.about, COST) * len(self.values) + NEGATION * self.negated
        return NUMBER * len(self.numbers) if self.numbers else COST


@dataclass(frozen=True)
class Clause:
    """Conditions that meet all of these tests, and what is so for them."""

    tests: tuple[Test, ...]
    holds: bool

    def captures(self, condition: Condition) -> bool:
        """Whether the clause is about a condition."""
        return all(test.met(condition) for test in self.tests)


@dataclass(frozen=True)
class Rule:
    """A decision list: a condition gets the answer of the first clause that captures it, or else the opposite of the last one's."""

    clauses: tuple[Clause, ...]

    def place(self, condition: Condition) -> int:
        """The index of the first clause that is about a condition; the number of clauses if none is."""
        return next((place for place, clause in enumerate(self.clauses) if clause.captures(condition)), len(self.clauses))

    def says(self, condition: Condition) -> bool:
        """Whether the claim holds under a condition, by the rule."""
        place = self.place(condition)
        return self.clauses[place].holds if place < len(self.clauses) else self.otherwise

    @property
    def otherwise(self) -> bool:
        """What is so for all conditions that no clause captures."""
        return not self.clauses[-1].holds


def learned(conditions: Sequence[Condition]) -> Rule | None:
    """The smallest rule with the fewest exceptions among the decided conditions; None if they all hold, or all fail."""
    decided = tuple(sorted((one for one in conditions if one.holds is not None), key=_key))
    return _learned(decided) if len({one.holds for one in decided}) == 2 else None


def _key(condition: Condition) -> tuple[object, ...]:
    return condition.name, sorted(condition.words), sorted(condition.numbers), condition.holds


@cache
def _learned(decided: tuple[Condition, ...]) -> Rule:
    bodies, captures = _stock(decided)
    costs = np.array([sum(test.cost for test in body) for body in bodies])
    steps, _ = shortest(Stock(captures, costs, np.array([one.holds for one in decided])), MOST_CLAUSES)
    return Rule(tuple(Clause(bodies[place], answer) for place, answer in steps))


def _stock(decided: tuple[Condition, ...]) -> tuple[list[tuple[Test, ...]], np.ndarray]:
    answers = np.array([one.holds for one in decided])
    single = {test: np.array([test.met(one) for one in decided]) for test in _tests(decided)}
    simple = {test: met for test, met in single.items() if len(test.values) <= 1}
    known: dict[bytes, tuple[int, tuple[Test, ...]]] = {}

    def offer(body: tuple[Test, ...], met: np.ndarray) -> None:
        if not met.any() or met.all():
            return
        key, cost = met.tobytes(), sum(test.cost for test in body)
        before = known.get(key)
        if before is None or (cost, body) < before:
            known[key] = (cost, body)

    for test, met in single.items():
        offer((test,), met)
    for first, one in simple.items():
        for second, other in single.items():
            together = first.about != second.about if second not in simple else first.about < second.about
            if together and not (first.negated and second.negated):
                offer(tuple(sorted((first, second))), one & other)
    for context, where in [((), np.ones(len(decided), bool)), *(((test,), met) for test, met in simple.items())]:
        for test in _pure(decided, where, answers):
            if all(test.about != other.about for other in context):
                offer(tuple(sorted((*context, test))), where & np.array([test.met(one) for one in decided]))
    ordered = sorted((cost, body, key) for key, (cost, body) in known.items())
    return [body for _, body, _ in ordered], np.array([np.frombuffer(key, bool) for _, _, key in ordered])


def _tests(decided: tuple[Condition, ...]) -> Iterator[Test]:
    words: dict[str, set[str]] = {}
    numbers: dict[str, set[float]] = {}
    for one in decided:
        for group, word in one.words:
            words.setdefault(group, set()).add(word)
        for place, number in one.numbers:
            numbers.setdefault(place, set()).add(number)
    for group, found in sorted(words.items()):
        sizes = range(1, (MOST_TOGETHER if len(found) <= MANY_WORDS else 1) + 1)
        for size in sizes:
            for values in combinations(sorted(found), size):
                yield Test(group, values)
                if group != LABEL:
                    yield Test(group, values, negated=True)
    for place, known in sorted(numbers.items()):
        ladder = sorted(known)
        for number in ladder:
            yield Test(place, numbers=(number,))
        for number in ladder[1:-1]:
            yield Test(place, most=number)
            yield Test(place, least=number)


def _pure(decided: tuple[Condition, ...], where: np.ndarray, answers: np.ndarray) -> Iterator[Test]:
    """Tests for three to six words or numbers..."""
    seen: dict[tuple[str, object, bool], set[bool]] = {}
    for one, inside, answer in zip(decided, where, answers, strict=True):
        if inside:
            for group, word in one.words:
                seen.setdefault((group, word, True), set()).add(bool(answer))
            for place, number in one.numbers:
                seen.setdefault((place, number, False), set()).add(bool(answer))
    pure: dict[tuple[str, bool, bool], list] = {}
    for (about, value, is_word), found in seen.items():
        if len(found) == 1:
            pure.setdefault((about, is_word, next(iter(found))), []).append(value)
    for (about, is_word, _), values in sorted(pure.items()):
        if 2 <= len(values) <= (MOST_WORDS if is_word else MOST_NUMBERS):
            chosen = tuple(sorted(values))
            yield Test(about, values=chosen) if is_word else Test(about, numbers=chosen)
