"""Tests of `analysis.geometry`."""
