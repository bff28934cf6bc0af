"""Tests of `analysis.judging`."""
