"""Spans are sets of numbers: whatever is done with them is what Python's sets do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.spans import Spans

numbers = st.sets(st.integers(0, 40), max_size=30)


def spans(values: set[int]) -> Spans:
    return Spans.of(np.array(sorted(values, key=lambda value: value * 7 % 41), np.int64))


def values(found: Spans) -> list[int]:
    assert found == Spans.of(found.numbers()) and len(found) == len(found.numbers())
    return found.numbers().tolist()


@given(numbers, numbers, numbers)
def test_sets_are_joined_cut_and_taken_away(first: set[int], second: set[int], third: set[int]) -> None:
    one, other = spans(first), spans(second)
    assert values(one | other) == sorted(first | second)
    assert values(one & other) == sorted(first & second)
    assert values(one - other) == sorted(first - second)
    assert values(Spans.joined([one, other, spans(third)])) == sorted(first | second | third)
    assert bool(one) == bool(first)
    assert one.contains(np.arange(-2, 45)).tolist() == [number in first for number in range(-2, 45)]


@given(numbers, st.integers(1, 12))
def test_a_set_is_cut_into_pieces_of_one_size(content: set[int], most: int) -> None:
    pieces = [values(piece) for piece in spans(content).pieces(most)]
    assert [number for piece in pieces for number in piece] == sorted(content)
    assert all(len(piece) == most for piece in pieces[:-1]) and all(pieces)
    head, tail = spans(content).split(most)
    assert (values(head), values(tail)) == (sorted(content)[:most], sorted(content)[most:])


def test_many_numbers_side_by_side_take_no_memory() -> None:
    all_of_them = Spans.between(0, 10**13)
    done = Spans.of(np.arange(0, 1000, 3))
    left = all_of_them - done
    assert len(left) == 10**13 - 334 and len(left.first) == 334
    assert next(left.pieces(5)).numbers().tolist() == [1, 2, 4, 5, 7]
