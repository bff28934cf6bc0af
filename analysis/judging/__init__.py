"""Judging: from the rows of an experiment and its claims to verdicts."""
