"""The shortest decision list that reproduces yes-or-no answers, by an exact search over a given stock of clauses.

A decision list is a sequence of clauses, each with an answer; an item gets the answer of the first clause that captures it, or else
the opposite of the last clause's answer (another default would make that clause useless).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

Array = np.ndarray
Step = tuple[int, bool]
"""A clause, by its place in the stock, and its answer."""
MOST_WORK = 5e10
"""Number of products after which a search is given up, and one for a shorter list begins: some seconds."""


class Exhausted(Exception):
    """A search has taken more products than it may."""


@dataclass
class Work:
    """The products that a search has taken; which list is found must not depend on the speed of a machine."""

    done: float = 0

    def add(self, products: float) -> None:
        """Count products; `Exhausted` if they are too many."""
        self.done += products
        if self.done > MOST_WORK:
            raise Exhausted


@dataclass(frozen=True)
class Stock:
    """The clauses that a list can be made of: what they capture (axes: clause, item), and what they cost.

    Clauses are in order of preference: by their cost, and among equal ones by any fixed rule. No two capture the same items.
    """

    captures: Array
    costs: Array
    answers: Array
    """The answer of each item."""
    work: Work = field(default_factory=Work)

    @cached_property
    def best(self) -> dict[bool, Array]:
        """For each answer, the clauses that no other one beats, as rows of `captures`.

        One beats another if it captures all that the other captures rightly, and wrongly nothing that the other does not. In any
        list it can stand in the other's place: what it captures in addition is right, and what it leaves gets no worse. The fewest
        exceptions are therefore found among these alone.
        """
        return {answer: _unbeaten(self.captures, self.answers == answer) for answer in (True, False)}

    @cached_property
    def useful(self) -> dict[bool, Array]:
        """For each answer, whether a clause (axis: clause) captures any item rightly; one that does not would speak for the rest alone."""
        return {answer: np.asarray(self.captures[:, self.answers == answer].any(1)) for answer in (True, False)}


def shortest(stock: Stock, most: int = 3) -> tuple[list[Step], int]:
    """The list of at most `most` clauses with the fewest exceptions, and their number; the shortest of these, and of those the cheapest.

    Each clause captures some item rightly.
    Lists of the same cost are compared by the places of their clauses in the stock, the first clause first. Where that would take too long,
    `most` is lower.
    """
    try:
        return _shortest(stock, most)
    except Exhausted:
        stock.work.done = 0
        return shortest(stock, most - 1)


def _shortest(stock: Stock, most: int) -> tuple[list[Step], int]:
    rest = np.ones(len(stock.answers), bool)
    least, length = float(len(rest)), 1
    for count in range(1, most + 1):
        found = _fewest(stock, rest, count, least)
        if found < least:
            least, length = found, count
    _, steps = _cheapest(stock, rest, length, least, np.inf)
    return steps, int(least)


def _unbeaten(captures: Array, right: Array) -> Array:
    kept = captures[captures[:, right].any(1)]
    # Clauses with more right and less wrong items come first, so that none is beaten by one that follows it.
    order = np.lexsort((kept[:, ~right].sum(1), -kept[:, right].sum(1)))
    hits, misses = np.packbits(kept[order][:, right], axis=1), np.packbits(kept[order][:, ~right], axis=1)
    chosen: list[int] = []
    for place in range(len(order)):
        beaten = ~((hits[place] & ~hits[chosen]).any(1) | (misses[chosen] & ~misses[place]).any(1))
        if not beaten.any():
            chosen.append(place)
    return kept[order[chosen]]


def _fewest(stock: Stock, rest: Array, count: int, bound: float) -> float:
    """The fewest exceptions of a list of `count` clauses among the remaining items; `bound` if there are not fewer."""
    if not rest.any():
        return min(bound, 0)
    if count == 1:
        return min(bound, _one(stock, rest))
    if count == 2:
        return _two(stock, rest, bound)
    return min([bound, *(total for _, _, total in _firsts(stock, rest, count, bound))])


def _one(stock: Stock, rest: Array) -> float:
    """The fewest exceptions of a list of one clause among the remaining items."""
    found = [_exceptions(clauses, stock.answers, rest, answer) for answer, clauses in stock.best.items() if len(clauses)]
    return min(float(numbers.min()) for numbers in found)


def _exceptions(captures: Array, answers: Array, rest: Array, answer: bool) -> Array:
    """The exceptions among the remaining items to a list of one clause, for each clause (axis: clause)."""
    signs = np.where(rest, np.where(answers == answer, -1, 1), 0).astype(np.float32)
    return (rest & (answers == answer)).sum() + captures.astype(np.float32) @ signs


def _two(stock: Stock, rest: Array, bound: float) -> float:
    """The fewest exceptions of a list of two clauses among the remaining items; `bound` if there are not fewer."""
    least, answers = bound, stock.answers[rest]
    without = _one(stock, rest)
    inside = {answer: _within(clauses, rest) for answer, clauses in stock.best.items()}
    for first, clauses in inside.items():
        begin = clauses[_may_begin(clauses, answers == first, without, least - 1)]
        for second, then in inside.items():
            stock.work.add(begin.size * len(then))
            if len(begin) and len(then):
                least = min(least, float(_pairs(begin, then, answers, first, second).min()))
    return least


def _pairs(begin: Array, then: Array, answers: Array, first: bool, second: bool) -> Array:
    """The exceptions to each list of two clauses (axes: first clause, second clause)."""
    signs = np.where(answers == second, -1, 1).astype(np.float32)
    own = begin[:, answers != first].sum(1) + (~begin & (answers == second)).sum(1)
    # Items that both clauses capture count for the first one alone.
    behind = then.astype(np.float32)
    return np.asarray(own[:, None] + behind @ signs - (begin * signs) @ behind.T)


def _may_begin(captures: Array, right: Array, without: float, most: float) -> Array:
    """Which clauses can begin a list with at most so many exceptions.

    A list of one clause less has `without` exceptions at least, of which a first clause can mend no more than it captures rightly.
    """
    return np.asarray((captures[:, ~right].sum(1) <= most) & (without - captures[:, right].sum(1) <= most))


def _within(captures: Array, rest: Array) -> Array:
    """The different clauses among the remaining items that capture any of them."""
    inside = captures[:, rest]
    if not len(inside):
        return inside
    packed = np.ascontiguousarray(np.packbits(inside, axis=1))
    _, places = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True)
    inside = inside[np.sort(places)]
    return inside[inside.any(1)]


def _firsts(stock: Stock, rest: Array, count: int, bound: float, ties: bool = False) -> list[tuple[bool, Array, float]]:
    """Clauses that a list of `count` can begin with, and the fewest exceptions of such a list: fewer than `bound`, or with `ties` as many.

    Without `ties`, the bound falls to the fewest exceptions that were found.
    """
    found = []
    without = _fewest(stock, rest, count - 1, float(rest.sum()))
    for gain, own, answer, clause in _promising(stock, rest):
        if max(own, without - gain) + (not ties) > bound:
            continue
        total = own + _fewest(stock, rest & ~clause, count - 1, bound - own + ties)
        if total + (not ties) <= bound:
            found.append((answer, clause, total))
            bound = bound if ties else total
    return found


def _promising(stock: Stock, rest: Array) -> list[tuple[int, int, bool, Array]]:
    """Return how many remaining items each unbeaten clause captures rightly and wrongly, its answer, and its items; largest gain first."""
    found = []
    for answer, clauses in stock.best.items():
        right = clauses[:, rest & (stock.answers == answer)].sum(1)
        wrong = clauses[:, rest & (stock.answers != answer)].sum(1)
        found += [(int(right[i]), int(wrong[i]), answer, clauses[i]) for i in range(len(clauses)) if right[i] > 0]
    return sorted(found, key=lambda one: one[1] - one[0])


def _cheapest(stock: Stock, rest: Array, count: int, exceptions: float, most: float) -> tuple[float, list[Step]]:
    """The cheapest list of `count` clauses with so many exceptions among the remaining items, below the cost `most`."""
    if count == 1:
        return _cheapest_one(stock, rest, exceptions, most)
    if count == 2:
        return _cheapest_two(stock, rest, exceptions, most)
    best: tuple[float, list[Step]] = (most, [])
    seen = set()
    for place, answer in _beginnings(stock, rest, count, exceptions):
        cost, clause = stock.costs[place], stock.captures[place]
        if cost + (count - 1) * stock.costs[0] >= best[0]:
            break
        left = rest & ~clause
        if (key := (left.tobytes(), answer)) in seen:
            continue
        seen.add(key)
        wrong = (clause & rest & (stock.answers != answer)).sum()
        price, steps = _cheapest(stock, left, count - 1, exceptions - wrong, best[0] - cost)
        if steps:
            best = (cost + price, [(place, answer), *steps])
    return best


def _cheapest_one(stock: Stock, rest: Array, exceptions: float, most: float) -> tuple[float, list[Step]]:
    numbers = {answer: _exceptions(stock.captures, stock.answers, rest, answer) for answer in (True, False)}
    fits = {answer: (numbers[answer] <= exceptions) & stock.useful[answer] for answer in (True, False)}
    able = np.flatnonzero((fits[True] | fits[False]) & (stock.costs < most))
    if not len(able):
        return most, []
    return float(stock.costs[able[0]]), [(int(able[0]), bool(fits[True][able[0]]))]


def _cheapest_two(stock: Stock, rest: Array, exceptions: float, most: float) -> tuple[float, list[Step]]:
    best: tuple[float, list[Step]] = (most, [])
    if not rest.any():
        return best
    without, inside, answers = _one(stock, rest), stock.captures[:, rest], stock.answers[rest]
    for first in (True, False):
        for second in (True, False):
            able = stock.costs + stock.costs[0] <= best[0]
            begin = np.flatnonzero(able & stock.useful[first] & _may_begin(inside, answers == first, without, exceptions))
            then = np.flatnonzero(able & stock.useful[second])
            stock.work.add(len(begin) * len(then) * len(answers))
            if not len(begin) or not len(then):
                continue
            prices = np.where(
                _pairs(inside[begin], inside[then], answers, first, second) <= exceptions,
                stock.costs[begin][:, None] + stock.costs[then],
                np.inf,
            )
            one, two = np.unravel_index(prices.argmin(), prices.shape)
            steps = [(int(begin[one]), first), (int(then[two]), second)]
            if prices[one, two] < best[0] or (prices[one, two] == best[0] and best[1] and _order(steps) < _order(best[1])):
                best = (float(prices[one, two]), steps)
    return best


def _beginnings(stock: Stock, rest: Array, count: int, exceptions: float) -> list[Step]:
    """All clauses of the stock that a list with so many exceptions can begin with, in their order.

    Each of them is beaten by, or is, one of the unbeaten clauses that such a list can begin with.
    """
    found = set()
    for answer, first, _ in _firsts(stock, rest, count, exceptions, ties=True):
        right, wrong = rest & (stock.answers == answer), rest & (stock.answers != answer)
        inside = ~(stock.captures[:, right] & ~first[right]).any(1) & ~(first[wrong] & ~stock.captures[:, wrong]).any(1)
        some = stock.captures[:, right].any(1) & (stock.captures[:, wrong].sum(1) <= exceptions)
        found |= {(int(place), answer) for place in np.flatnonzero(inside & some)}
    return sorted(found, key=lambda step: _order([step]))


def _order(steps: list[Step]) -> list[tuple[int, bool]]:
    """The order of lists of the same cost: by the places of their clauses, and those that hold before those that fail."""
    return [(place, not answer) for place, answer in steps]
