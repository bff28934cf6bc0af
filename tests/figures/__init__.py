"""Tests of `analysis.figures`."""
