"""Rows in, estimates, verdicts, figures and pages out; nothing here trains."""

from analysis.judging.judge import judge
from analysis.rows.load import Run, load
from analysis.rows.summary import summarize

__all__ = ["Run", "judge", "load", "summarize"]
