"""Faults that are injected on purpose, family by family, and what they cost.

`python -m tests.faults` runs all families and writes `docs/faults.md`; `tests/test_faults.py` runs a few faults of each cheap family.
A family is a function of a scratch folder and a number of tries that returns a `Record`.
"""
