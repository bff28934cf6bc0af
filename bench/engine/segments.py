"""Segments of rounds: those that the devices work on, and how long the next one should be."""

import time
from collections import deque
from typing import NamedTuple

import numpy as np
from jaxtyping import Array

from bench.engine.compiled import Compiled
from bench.engine.curves import Curves
from bench.engine.scheduler import Scheduler

SEGMENT_SECONDS = 0.5
"""The time that a segment should take: far more than the host's own work, and short enough for a progress bar."""
LOW_WATER = 0.25
"""While lanes wait, a segment ends when no more than this share of the lanes that began it still runs."""


class Segment(NamedTuple):
    """Results of some rounds, as arrays of the devices."""

    sent: float
    """The time at which it was handed to the devices."""
    checks: int
    """Checks of a block per round."""
    curves: Curves
    status: Array
    step: Array
    blocks: Array
    """How many times each device advanced a block for a round."""
    found: dict[str, Array]
    """Results of the lanes that ended, see `Rounds.read`."""


class Flight:
    """Segments that the devices work on, and how long the next one should be.

    The first segment has `checks` checks of every block: one of some rounds of a light layout takes less than a segment should, and a
    shorter one would be mostly work of the host.
    """

    def __init__(self, compiled: Compiled, checks: int) -> None:
        self._compiled = compiled
        self.slots = compiled.empty_slots()
        self._buffers = [compiled.empty_curves()]
        self._segments: deque[Segment] = deque()
        self._checks = checks
        self._check_seconds = 0.0
        """The time of one check of a block in the last segment; 0 before the first one has ended."""
        self._read_at = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether the oldest segment has ended."""
        return bool(self._segments[0].status.is_ready())  # type: ignore[attr-defined]

    def send(self, scheduler: Scheduler, most: int, in_a_row: int) -> None:
        """Hand segments to the devices until this many are in flight."""
        most_checks = self._compiled.layout.checks_per_round
        while not scheduler.idle and len(self._segments) < most:
            # A share of the running lanes, never all of them: there may be no room for those that wait.
            floor = (LOW_WATER * scheduler.held).astype(np.int32) if scheduler.waiting else 0
            if self._check_seconds:
                fitting = SEGMENT_SECONDS / (self._check_seconds * scheduler.blocks)
                self._checks = whole_checks(fitting, self._checks // 2, in_a_row, most_checks)
            in_round = min(self._checks, most_checks)
            curves = self._buffers.pop() if self._buffers else self._compiled.empty_curves()
            limits = self._compiled.limits(self._checks // in_round, in_round, floor)
            self.slots, curves, status, step, blocks, ended = self._compiled.advance(self.slots, curves, limits)
            found = self._compiled.read(self.slots, ended)
            self._segments.append(Segment(time.perf_counter(), in_round, curves, status, step, blocks, found))

    def landed(self) -> tuple[np.ndarray, np.ndarray, Segment]:
        """Wait for the oldest segment; returns status and step of all slots, and the segment, whose curve buffer may be used again.

        The buffer must be read before the next `send`.
        """
        segment = self._segments.popleft()
        status, step, blocks = (np.array(one) for one in (segment.status, segment.step, segment.blocks))
        began, self._read_at = max(segment.sent, self._read_at), time.perf_counter()
        self._check_seconds = (self._read_at - began) / (segment.checks * np.max(blocks))
        self._buffers.append(segment.curves)
        return status, step, segment


def whole_checks(checks: float, least: int, in_a_row: int, per_round: int) -> int:
    """Return at least `least` checks, as whole rounds, or as whole rows of checks where they are less than a round."""
    wanted = max(int(checks), least, 1)
    unit = in_a_row if in_a_row > 1 and wanted < per_round else min(wanted, per_round)
    return max(unit, wanted // unit * unit)
