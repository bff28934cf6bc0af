"""The search finds what trying every list finds."""

from itertools import product

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.judging.search import Step, Stock, shortest


def exceptions(stock: Stock, steps: list[Step]) -> int:
    """The number of items to which a list gives another answer than their own."""
    said = np.full(len(stock.answers), not steps[-1][1])
    for place, answer in reversed(steps):
        said[stock.captures[place]] = answer
    return int((said != stock.answers).sum())


@st.composite
def stocks(draw: st.DrawFn) -> Stock:
    items, wanted = draw(st.integers(3, 8)), draw(st.integers(2, 6))
    rows = draw(st.sets(st.tuples(*[st.booleans()] * items).filter(lambda row: any(row) and not all(row)), min_size=2, max_size=wanted))
    answers = np.array(draw(st.tuples(*[st.booleans()] * items).filter(lambda row: any(row) and not all(row))))
    costs = np.sort(np.array(draw(st.lists(st.integers(1, 4), min_size=len(rows), max_size=len(rows)))))
    return Stock(np.array(sorted(rows)), costs, answers)


@given(stocks())
@example(Stock(np.array([[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]], bool), np.array([1, 1]), np.array([0, 0, 0, 1, 0], bool)))
@settings(max_examples=60, deadline=None)
def test_the_list_is_the_first_of_all_in_the_order_of_preference(stock: Stock) -> None:
    steps = [(place, answer) for place in range(len(stock.costs)) for answer in (True, False) if stock.useful[answer][place]]
    every = [list(choice) for count in (1, 2, 3) for choice in product(steps, repeat=count)]

    def preference(one: list[Step]) -> tuple[object, ...]:
        cost = sum(int(stock.costs[place]) for place, _ in one)
        return exceptions(stock, one), len(one), cost, [(place, not answer) for place, answer in one]

    best = min(every, key=preference)
    found, number = shortest(stock)
    assert preference(found) == preference(best) and number == exceptions(stock, best)
