"""From questions to verdicts."""
