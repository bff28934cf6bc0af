"""Rows in, estimates, verdicts, figures and pages out; nothing here trains.

A name is imported when it is first asked for, so that a command that needs a small part of this package loads no more.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from analysis.judging.judge import judge
    from analysis.rows.load import Run, load
    from analysis.rows.summary import summarize
else:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'analysis' has no attribute '{name}'; it has {', '.join(__all__)}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)


__all__ = ["Run", "judge", "load", "summarize"]

_HOMES = {
    "Run": "analysis.rows.load",
    "judge": "analysis.judging.judge",
    "load": "analysis.rows.load",
    "summarize": "analysis.rows.summary",
}
"""Modules of the names."""


def __dir__() -> list[str]:
    return [*globals(), *__all__]
