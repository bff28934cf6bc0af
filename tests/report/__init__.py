"""Tests of `analysis.report`."""
