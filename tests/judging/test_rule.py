"""Rules are found again in what they say, need exceptions where there is nothing to find, and read as sentences."""

import json
import random
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.judging.facts import CASE, CRITERION, EXPERIMENT, MODEL, REACHED, Condition, condition_of, zeros_reached
from analysis.judging.family import corrected, families, overall
from analysis.judging.rule import Clause, Rule, Trait, learned
from analysis.judging.sentence import sentence
from analysis.judging.verdict import Verdict
from bench.spec import Experiment

REPORTS = Path(__file__).parents[2] / "reports"
GAIN, LAYERS, UNITS, SPREAD = "a gain of {}", "{} hidden layers", "{} hidden units", "a spread of {}"
ACTIVATIONS, TASKS, GAINS = ("tanh", "ReLU", "sigmoid", "GELU"), ("blobs", "digits", "moons"), (0.1, 1.0, 4.0, 16.0)


def conditions(rule: Rule | None = None, seed: int = 0) -> list[Condition]:
    """Every combination of an activation, a task and a gain; they hold as a rule says, or by chance."""
    rng = random.Random(seed)
    found = []
    for activation, task, gain in product(ACTIVATIONS, TASKS, GAINS):
        words = frozenset({("model.activation", activation), (CASE, task), (CRITERION, "learns")})
        blank = Condition(f"{activation}, {task}, {gain}", None, words, frozenset({(GAIN, gain)}))
        holds = rng.random() < 0.5 if rule is None else rule.says(blank)
        found.append(Condition(blank.name, holds, blank.words, blank.numbers))
    return found


def exceptions(rule: Rule, found: Sequence[Condition]) -> int:
    return sum(one.holds is not None and one.holds is not rule.says(one) for one in found)


def named(group: str, *values: str) -> Trait:
    return Trait(group, values)


SIMPLE = [
    *(named("model.activation", word) for word in ACTIVATIONS),
    *(named(CASE, word) for word in TASKS),
    *(Trait(GAIN, most=gain) for gain in GAINS[1:-1]),
    *(Trait(GAIN, least=gain) for gain in GAINS[1:-1]),
]
BODIES = [(test,) for test in SIMPLE] + [(one, two) for one in SIMPLE for two in SIMPLE if one.about < two.about]
CLAUSES = st.builds(Clause, st.sampled_from(BODIES), st.booleans())


@given(st.lists(CLAUSES, min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_a_rule_is_found_again_whatever_the_order_of_its_conditions(clauses: list[Clause], rng: random.Random) -> None:
    truth = Rule(tuple(clauses))
    found = conditions(truth)
    rule = learned(found)
    if len({one.holds for one in found}) == 1:
        assert rule is None
        return
    assert rule is not None and exceptions(rule, found) == 0 and len(rule.clauses) <= len(clauses)
    mixed = rng.sample(found, len(found))
    assert learned(mixed) == rule
    assert Rule.of(json.loads(json.dumps(rule.record()))) == rule


def test_there_is_no_rule_without_exceptions_where_there_is_nothing_to_find() -> None:
    for seed in range(3):
        by_chance = conditions(seed=seed)
        rule = learned(by_chance)
        assert rule is not None and len(rule.clauses) == 3 and exceptions(rule, by_chance) >= 5


def test_what_is_not_decided_does_not_count() -> None:
    found = conditions(Rule((Clause((named("model.activation", "ReLU"),), False),)))
    open_ones = [Condition(one.name, None, one.words, one.numbers) for one in found if (CASE, "moons") in one.words]
    rest = [one for one in found if (CASE, "moons") not in one.words]
    assert learned([*rest, *open_ones]) == learned(rest)
    assert learned(open_ones) is None


@pytest.mark.parametrize(
    ("clauses", "says"),
    [
        ([((named("model.activation", "ReLU"),), False)], "It fails for ReLU. Otherwise it holds."),
        (
            [((named(CASE, "ReLU"),), False), ((named(CASE, "cross-entropy"), Trait(SPREAD, most=10.0)), True)],
            "It fails for ReLU. Of the rest, it holds for cross-entropy at a spread of at most 10. Otherwise it fails.",
        ),
        (
            [
                ((named(CASE, "a", "b", "c"),), False),
                ((named("training.dtype", "float64"), Trait(UNITS, numbers=(5.0, 15.0, 17.0))), False),
            ],
            "It fails for a, b, or c and for float64 with 5, 15, or 17 hidden units. Otherwise it holds.",
        ),
        (
            [((Trait(LAYERS, numbers=(1.0,)),), True), ((Trait(LAYERS, least=4.0), Trait(CASE, ("L2",), negated=True)), True)],
            "It holds with 1 hidden layer and with at least 4 hidden layers except for L2. Otherwise it fails.",
        ),
        (
            [((named(MODEL, "MLP", "student of a teacher"), Trait(MODEL, ("CNN",), negated=True)), True)],
            "It holds in MLPs or students of a teacher except in CNNs. Otherwise it fails.",
        ),
        (
            [((named(CRITERION, "one end"),), True), ((named(EXPERIMENT, "x15"), named("start", "zero last")), False)],
            'It holds by the criterion "one end". Of the rest, it fails in x15 with zero last. Otherwise it holds.',
        ),
        (
            [((named(CASE, *(f"a rather long name {number}" for number in range(3))),), False), ((named(CASE, *"abcdefghi"),), False)],
            "It fails for a rather long name 0, a rather long name 1, or a rather long name 2. It also fails for a, b, c, d, e, f, g, h, "
            "or i. Otherwise it holds.",
        ),
        ([((Trait("noise of {}", most=1e-9),), False)], "It fails at noise of at most 1e-9. Otherwise it holds."),
    ],
)
def test_a_rule_reads_as_a_sentence(clauses: list[tuple[tuple[Trait, ...], bool]], says: str) -> None:
    assert sentence(Rule(tuple(Clause(traits, holds) for traits, holds in clauses))) == says


# The committed reports ------------------------------------------------------------------------------------------------------------


@cache
def committed() -> dict[str, list[Condition]]:
    """The conditions of each claim of the thread, with the verdicts as the answer page corrects them."""
    found: list[tuple[Experiment, dict[str, bool], Verdict]] = []
    for path in sorted(REPORTS.glob("*/claims.json")):
        experiment = Experiment.parse((path.parent / "experiment.toml").read_text())
        names = pq.ParquetFile(path.parent / "lanes.parquet").schema_arrow.names
        columns = ["cell", *([REACHED] if REACHED in names else [])]
        reached = zeros_reached(pd.read_parquet(path.parent / "lanes.parquet", columns=columns))
        found += [(experiment, reached, Verdict.of(record)) for record in json.loads(path.read_text())["claims"]]
    judged: dict[str, list[Condition]] = {}
    verdicts: dict[str, list[Verdict]] = {}
    for (experiment, reached, _), verdict in zip(found, corrected([one for _, _, one in found]), strict=True):
        if verdict.family in families():
            judged.setdefault(verdict.family, []).append(condition_of(verdict, experiment, reached))
            verdicts.setdefault(verdict.family, []).append(verdict)
    return {name: each for name, each in judged.items() if overall(verdicts[name], families()[name]) == "conditional"}


ELSE = (Trait(CASE, ("a word that no condition has",)),)
BY_HAND: dict[str, list[tuple[tuple[Trait, ...], bool]]] = {
    # Where the minimizer is unique: with enough examples, or L2.
    "C2": [((named(CASE, "L2"),), True), ((Trait("{} examples", numbers=(10.0,)),), False), ((named(CASE, "softmax"),), False)],
    # ReLU never; identity, or cross-entropy, up to a spread of 10; sigmoid and tanh with MSE up to a spread of 1.
    "C6": [
        ((named(CASE, "ReLU"),), False),
        ((named(CASE, "cross-entropy", "identity"), Trait(SPREAD, most=10.0)), True),
        ((Trait(SPREAD, most=1.0),), True),
    ],
    # In exact arithmetic, but not with noise on the weights, dropout, DropConnect, and float64 at some widths.
    "C8": [
        ((named(CASE, "weight noise", "dropout", "DropConnect"),), False),
        ((named("training.dtype", "float64"), Trait(UNITS, numbers=(5.0, 15.0, 17.0, 31.0, 33.0))), False),
    ],
    # Eight layers always, four up to a gain of 1/16, one or two never.
    "C10": [
        ((Trait(LAYERS, numbers=(8.0,)),), True),
        ((Trait(LAYERS, numbers=(4.0,)), Trait(GAIN, most=1 / 16)), True),
        ((Trait(LAYERS, most=4.0),), False),
    ],
    # A constant; N(0, 0.01^2) from two layers on; with four layers U(+-0.1), and with ReLU PyTorch's default or sparse.
    "C13": [
        ((named("initializer", "constant 0.1"),), True),
        ((named("initializer", "N(0, 0.01²)"), Trait(LAYERS, least=2.0)), True),
        ((named("initializer", "U(-0.1, 0.1)"), Trait(LAYERS, numbers=(4.0,))), True),
        ((named("initializer", "PyTorch", "sparse"), named("model.activation", "ReLU"), Trait(LAYERS, numbers=(4.0,))), True),
        (ELSE, True),
    ],
    # If a gradient reaches the weight.
    "C18": [((named("gradient", "zeros that a gradient reaches at the start"),), True)],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_rule_is_at_least_as_good_as_one_by_hand(name: str) -> None:
    """A careful reader's rules of earlier reports have no fewer exceptions, or more clauses.

    On those reports they had 3 exceptions for C2 (without a penalty softmax has many minimizers, but all of them predict alike: the rule
    that was found names the criterion), 1 for C6 (identity with MSE holds at a spread of 30 too), none for C8 (the same rule was found), 2
    for C10 (narrow networks of two units), 27 for C13 (it was written for one of several criteria, "others do not learn", of which
    it has none), and 6 for C18 (what was found begins with the same clause, and goes on with single weights of zero, whose first gradient
    the rows do not have).
    """
    if name not in committed():
        pytest.skip(f"{name} is not conditional in these reports")
    found = committed()[name]
    by_hand = Rule(tuple(Clause(traits, holds) for traits, holds in BY_HAND[name]))
    rule = learned(found)
    assert rule is not None and len(rule.clauses) <= 3
    assert exceptions(rule, found) <= exceptions(by_hand, found) or len(rule.clauses) < len(by_hand.clauses)
    assert exceptions(Rule((Clause(ELSE, True),)), found) > exceptions(rule, found)


def test_most_claims_of_the_thread_have_a_rule() -> None:
    rules = {name: learned(found) for name, found in committed().items()}
    without = [name for name, rule in rules.items() if rule is None or exceptions(rule, committed()[name]) > len(committed()[name]) / 10]
    assert len(without) < len(families()) / 2
