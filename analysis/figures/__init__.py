"""Figures: a run and what to draw in, a matplotlib Figure out. Adding a kind is one decorated function.

The decorator says what each key of the file names, so that a file can be checked before anything trains: an `axis` of the grid, a
`group` (an axis, or the outcome), a numeric `column` of the rows, a `rate` (a share of lanes), a `measure` (a column or a rate), a `curve`
(a column of the curves), a `setting` (a dotted path to a number), or one of a tuple of words; `?` after it if the key may be left out.
`axes`, `columns` and `curves` are names that must be there besides, `map` says that lanes must be points of a map.
"""

import sys

from bench.registry import Registry, import_submodules

figure_kind = Registry("figure kind", supplied=("run", "figure"))

import_submodules(sys.modules[__name__])
