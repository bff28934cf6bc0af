"""Figures: a run and what to draw in, a matplotlib Figure out. Adding a kind is one decorated function."""

import sys

from bench.registry import Registry, import_submodules

figure_kind = Registry("figure kind", supplied=("run", "figure"))

import_submodules(sys.modules[__name__])
