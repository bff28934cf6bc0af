"""Exact laws: predictions that the rows must meet before a verdict that rests on them is printed.

A law regenerates what a lane started from (its data and initial weights are functions of its seeds) and predicts the outcome
without the training code: by linear algebra, by scikit-learn or SciPy, or by a plain NumPy loop.
"""

import sys

from analysis.laws.evidence import Decision, Evidence, Law
from analysis.laws.law import check_law, evidence_of, law_text, laws
from bench.registry import import_submodules

__all__ = ["Decision", "Evidence", "Law", "check_law", "evidence_of", "law_text", "laws"]

import_submodules(sys.modules[__name__])
