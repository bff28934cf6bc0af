"""Memory: a process that runs many experiments, as the tests do, keeps nothing of those that are over."""

import gc
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from bench.lane.program import Program
from tests.laws.test_mutants import law_holds


def test_no_cache_keeps_a_program_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: WeakSet[Program] = WeakSet()
    met = 0
    build = Program.__init__

    def built(self: Program, *arguments: Any, **options: Any) -> None:
        nonlocal met
        build(self, *arguments, **options)
        alive.add(self)
        met += 1

    monkeypatch.setattr(Program, "__init__", built)
    assert law_holds("ols_steps", tmp_path)
    gc.collect()
    assert met >= 2
    assert not alive
