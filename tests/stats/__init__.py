"""Tests of `analysis.stats`."""
