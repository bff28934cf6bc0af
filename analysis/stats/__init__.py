"""Estimates and their confidence intervals."""
