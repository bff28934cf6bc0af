"""Preemptions: what chunks of work cost on workers that are lost at random, simulated and in closed form."""

import heapq
import math
from collections import deque
from collections.abc import Sequence

import numpy as np


def expected_overhead(seconds: float, fixed: float, life: float, restart: float) -> float:
    """Return the expected time per second of work, minus 1, on a worker that always has another chunk to train.

    Formula: (life + restart) (exp((seconds + fixed) / life) - 1) / seconds - 1. The worker lives for exponential times of mean `life`, is
    away for `restart` seconds after each, and begins anew a chunk in which it was lost; a chunk takes its `seconds` of work and `fixed`
    others.
    Source: after Daly (2006), with restarts that do not fail. Limit: `fixed` / `seconds` for lives without end.
    """
    if math.isinf(life):
        return fixed / seconds
    return (life + restart) * math.expm1((seconds + fixed) / life) / seconds - 1


def cheapest_seconds(fixed: float, life: float) -> float:
    """Return the length of chunks with the least expected overhead, to first order in its share of a life.

    Formula: sqrt(2 `life` `fixed`). Source: Young (1974).
    """
    return math.sqrt(2 * life * fixed)


def simulated_seconds(chunks: Sequence[float], workers: int, fixed: float, life: float, restart: float, rng: np.random.Generator) -> float:
    """Return the time until workers have trained chunks, in seconds from when all of them begin.

    Whoever is free takes a chunk that was lost before, or else the next one of `chunks`, whose numbers are seconds of work; lives, `fixed`
    and `restart` are as in `expected_overhead`.
    """
    waiting = deque(chunks)
    lost: list[tuple[float, float]] = []
    free = [(0.0, worker, death) for worker, death in enumerate(rng.exponential(life, workers).tolist())]
    ended = 0.0
    while free:
        now, worker, death = heapq.heappop(free)
        if death <= now:
            # It was lost while it had nothing to do.
            heapq.heappush(free, _back(death + restart, worker, life, rng))
        elif lost and lost[0][0] > now and not waiting:
            # All that others will still lose is known, since they began before.
            heapq.heappush(free, (lost[0][0], worker, death))
        elif waiting or lost:
            seconds = heapq.heappop(lost)[1] if lost and lost[0][0] <= now else waiting.popleft()
            end = now + seconds + fixed
            if end <= death:
                ended = max(ended, end)
                heapq.heappush(free, (end, worker, death))
            else:
                heapq.heappush(lost, (death, seconds))
                heapq.heappush(free, _back(death + restart, worker, life, rng))
    return ended


def _back(at: float, worker: int, life: float, rng: np.random.Generator) -> tuple[float, int, float]:
    """Return when a worker is there again, its number, and when it is lost the next time."""
    return at, worker, at + rng.exponential(life)
