"""Rules: when a claim holds, learned from its conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.judging.facts import CASE, CRITERION, EXPERIMENT, LABEL, Condition
from analysis.judging.search import Stock, shortest

MOST_CLAUSES = 3
MOST_WORDS, MOST_NUMBERS = 6, 6
"""Number of words, or of numbers, that a trait names if the conditions that they are about agree; of others, it names one or two."""
MANY_WORDS = 12
"""Number of words in a group above which only one of them is named where conditions do not agree."""
MOST_PAIRS = 3e7
"""Number of pairs of traits times conditions above which no clause has two traits."""
COSTS = {CASE: 5, LABEL: 6, CRITERION: 8, EXPERIMENT: 10}
"""The cost of a word if its group is none of settings."""
COST, BOUND, NUMBER, NEGATION = 4, 5, 6, 2
"""The costs of a word of a setting, a bound of a number, a number by itself, and a negation beside its words."""


@dataclass(frozen=True, order=True)
class Trait:
    """A trait of a condition: whether one of these words holds for it (or none, if it is `negated`), or where its number lies."""

    about: str
    """The group of the words, or the place of the number in a sentence."""
    values: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    negated: bool = False
    least: float = -np.inf
    most: float = np.inf

    def met(self, condition: Condition) -> bool:
        """Whether a condition has the trait; one without such a number has not."""
        if self.values:
            return any(value in condition.said for value in self.values) is not self.negated
        number = condition.number(self.about)
        if number is None:
            return False
        return number in self.numbers if self.numbers else self.least <= number <= self.most

    def record(self) -> dict[str, Any]:
        """The trait as JSON values, without what is at its default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Trait":
        """The trait of a record."""
        content: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
        return Trait(**content)

    @property
    def cost(self) -> int:
        """How much a reader has to take in: the more words and numbers the more, and the more the less they are about a setting."""
        if self.values:
            return COSTS.get(self.about, COST) * len(self.values) + NEGATION * self.negated
        return NUMBER * len(self.numbers) if self.numbers else BOUND


@dataclass(frozen=True)
class Clause:
    """Conditions that have all of these traits, and whether the claim holds for them."""

    traits: tuple[Trait, ...]
    holds: bool

    def captures(self, condition: Condition) -> bool:
        """Whether the clause is about a condition."""
        return all(trait.met(condition) for trait in self.traits)


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

    def record(self) -> dict[str, Any]:
        """The rule as JSON values."""
        clauses = [{"traits": [trait.record() for trait in clause.traits], "holds": clause.holds} for clause in self.clauses]
        return {"clauses": clauses, "otherwise": self.otherwise}

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Rule":
        """The rule of a record."""
        return Rule(tuple(Clause(tuple(map(Trait.of, one["traits"])), one["holds"]) for one in record["clauses"]))

    @property
    def otherwise(self) -> bool:
        """The answer for all conditions that no clause captures."""
        return not self.clauses[-1].holds


def learned(conditions: Sequence[Condition]) -> Rule | None:
    """The smallest rule with the fewest exceptions among the decided conditions.

    None if they all hold, if all fail, or if no fact tells any of them apart.
    """
    decided = tuple(sorted((one for one in conditions if one.holds is not None), key=_key))
    return _learned(decided) if len({one.holds for one in decided}) == 2 else None


def _key(condition: Condition) -> tuple[object, ...]:
    return condition.name, sorted(condition.words), sorted(condition.numbers), condition.holds


@cache
def _learned(decided: tuple[Condition, ...]) -> Rule | None:
    bodies, captures = _stock(decided)
    if not bodies:
        return None
    costs = np.array([sum(trait.cost for trait in body) for body in bodies])
    stock = Stock(captures, costs, np.array([one.holds for one in decided]))
    # Its matrices are small: threads would take longer to meet than to multiply.
    with threadpool_limits(1, "blas"):
        steps, _ = shortest(stock, MOST_CLAUSES)
    return _trimmed(Rule(tuple(Clause(bodies[place], answer) for place, answer in steps)), decided)


def _trimmed(rule: Rule, decided: tuple[Condition, ...]) -> Rule:
    """The rule without the words and numbers that can be left out of their lists, and it still says the same of every condition."""
    says = [rule.says(one) for one in decided]
    for shorter in _shorter(rule):
        if [shorter.says(one) for one in decided] == says:
            return _trimmed(shorter, decided)
    return rule


def _shorter(rule: Rule) -> Iterator[Rule]:
    """The rules with one word or number less in one of their lists."""
    for i, clause in enumerate(rule.clauses):
        for j, trait in enumerate(clause.traits):
            for name in ("values", "numbers"):
                listed = getattr(trait, name)
                for k in range(len(listed) if len(listed) > 1 else 0):
                    traits = list(clause.traits)
                    shorter: dict[str, Any] = {name: (*listed[:k], *listed[k + 1 :])}
                    traits[j] = replace(trait, **shorter)
                    yield Rule((*rule.clauses[:i], replace(clause, traits=tuple(traits)), *rule.clauses[i + 1 :]))


def _stock(decided: tuple[Condition, ...]) -> tuple[list[tuple[Trait, ...]], np.ndarray]:
    """The clauses that a rule can be made of, without their answers, in order of preference, and what they capture.

    A clause has one trait, or two about different things of which at most one is negated and at most one names more than one word. Of those
    that capture the same conditions, the cheapest is kept.
    """
    single = {trait: _met(trait, decided) for trait in _traits(decided)}
    simple = {trait: met for trait, met in single.items() if len(trait.values) <= 1}
    if len(simple) ** 2 * len(decided) > MOST_PAIRS:
        simple = {}
    known: dict[bytes, tuple[int, tuple[Trait, ...]]] = {}

    def offer(body: tuple[Trait, ...], met: np.ndarray) -> None:
        if not met.any() or met.all():
            return
        entry = (sum(trait.cost for trait in body), body)
        known[met.tobytes()] = min(known.get(met.tobytes(), entry), entry)

    for trait, met in single.items():
        offer((trait,), met)
    for first, one in simple.items():
        for second, other in single.items():
            # A pair of simple traits comes up in both orders.
            differ = first.about < second.about if second in simple else first.about != second.about
            if differ and not (first.negated and second.negated):
                offer(tuple(sorted((first, second))), one & other)
    answers = np.array([one.holds for one in decided])
    contexts: list[tuple[tuple[Trait, ...], np.ndarray]] = [
        ((), np.ones(len(decided), bool)),
        *(((trait,), met) for trait, met in simple.items()),
    ]
    for context, where in contexts:
        for trait in _agreeing(decided, where, answers):
            if all(trait.about != other.about for other in context):
                offer(tuple(sorted((*context, trait))), where & _met(trait, decided))
    ordered = sorted((cost, body, key) for key, (cost, body) in known.items())
    return [body for _, body, _ in ordered], np.array([np.frombuffer(key, bool) for _, _, key in ordered])


def _met(trait: Trait, decided: tuple[Condition, ...]) -> np.ndarray:
    return np.array([trait.met(one) for one in decided])


def _traits(decided: tuple[Condition, ...]) -> Iterator[Trait]:
    """All traits for one or two words, for one number, and for numbers up to one or from one on."""
    words: dict[str, set[str]] = {}
    numbers: dict[str, set[float]] = {}
    for one in decided:
        for group, word in one.words:
            words.setdefault(group, set()).add(word)
        for place, number in one.numbers:
            numbers.setdefault(place, set()).add(number)
    for group, found in sorted(words.items()):
        for size in (1, 2) if len(found) <= MANY_WORDS else (1,):
            for values in combinations(sorted(found), size):
                yield Trait(group, values)
                if group != LABEL:
                    yield Trait(group, values, negated=True)
    for place, known in sorted(numbers.items()):
        ladder = sorted(known)
        yield from (Trait(place, numbers=(number,)) for number in ladder)
        for number in ladder[1:-1]:
            yield Trait(place, most=number)
            yield Trait(place, least=number)


def _agreeing(decided: tuple[Condition, ...], where: np.ndarray, answers: np.ndarray) -> Iterator[Trait]:
    """Tests for all words of a group, or all numbers at a place, whose conditions among those `where` have one answer, if they are few."""
    seen: dict[tuple[str, Any], set[bool]] = {}
    for one, inside, answer in zip(decided, where, answers, strict=True):
        for about, value in (*one.words, *one.numbers) if inside else ():
            seen.setdefault((about, value), set()).add(bool(answer))
    agreeing: dict[tuple[str, bool], list[Any]] = {}
    for (about, value), found in seen.items():
        if len(found) == 1:
            agreeing.setdefault((about, found.pop()), []).append(value)
    for (about, _), values in sorted(agreeing.items()):
        chosen, is_word = tuple(sorted(values)), isinstance(values[0], str)
        if about != LABEL and 2 <= len(chosen) <= (MOST_WORDS if is_word else MOST_NUMBERS):
            yield Trait(about, values=chosen) if is_word else Trait(about, numbers=chosen)
