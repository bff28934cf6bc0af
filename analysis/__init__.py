"""Rows in, estimates, verdicts, figures and pages out; nothing here trains."""

from analysis.claims import judge
from analysis.load import Run, load
from analysis.summary import summarize

__all__ = ["Run", "judge", "load", "summarize"]
