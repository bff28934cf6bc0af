"""The walk over a jaxpr, and the tables of rules."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from bench.engine.layouts import rules_lanes_last, rules_vectors
from bench.engine.layouts.moves import MOVES
from bench.engine.layouts.primitives import ELEMENTWISE, EXPENSIVE, REDUCTIONS
from bench.engine.layouts.walker import Evaluation, Operation, Rule, operations_of

TABLES = {"vectors": rules_vectors.RULES, "lanes last": rules_lanes_last.RULES}


class Written(Evaluation[str]):
    """An evaluation whose values are what they were computed from, in words."""

    def constant(self, array: Any, dtype: Any = None) -> str:
        return str(array)

    def without_rule(self, operation: Operation, values: list[str]) -> list[str]:
        return [f"({operation.name} {' '.join(values)})"]


def written(function: Any, rules: dict[str, Rule], *names: str) -> list[str]:
    closed = jax.make_jaxpr(function)(*(jnp.ones(()) for _ in names))
    return Written(rules).walk(closed.jaxpr, closed.consts, list(names))


def test_the_walk_enters_calls_and_reads_literals() -> None:
    inner = jax.jit(lambda x: x * 3)
    assert written(lambda a, b: (inner(a) + b, b), {}, "a", "b") == ["(add (mul a 3.0) b)", "b"]


def test_a_rule_comes_before_what_holds_without_one() -> None:
    rules = {"add": Rule("a, b -> a + b", lambda _, operation, a, b: f"{a} + {b}")}
    assert written(lambda a, b: jnp.sin(a + b), rules, "a", "b") == ["(sin a + b)"]


def test_all_operations_are_listed_with_those_of_calls() -> None:
    closed = jax.make_jaxpr(lambda x: jax.jit(lambda y: y @ y)(x) + 1)(jnp.ones((2, 2)))
    assert [(operation.name, shapes) for operation, shapes in operations_of(closed.jaxpr)] == [
        ("dot_general", [(2, 2), (2, 2)]),
        ("add", [(2, 2), ()]),
    ]


@pytest.mark.parametrize("table", TABLES)
def test_every_rule_has_an_example_that_names_its_primitive(table: str) -> None:
    rules = TABLES[table]
    assert {*ELEMENTWISE, *REDUCTIONS, *MOVES, "dot_general"} <= rules.keys()
    assert all("->" in rule.example and "\n" not in rule.example for rule in rules.values())
    assert [rule.example.partition(" ")[0] for rule in rules.values()] == list(rules)
    assert EXPENSIVE <= ELEMENTWISE
