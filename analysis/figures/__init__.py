"""Kinds of figures: each takes a run and a figure of the experiment file, and returns a matplotlib Figure.

A kind is one decorated function. The decorator declares what each key of the file names, so that a file can be checked before anything
trains: an `axis` of the grid, a `group` (an axis, or the outcome), a numeric `column` of the rows, a `rate` (a share of runs), a `measure`
(a column or a rate), a `curve` (a column of the curves), a `setting` (a dotted path to a number), or one of a tuple of words. A `?` after
it means that the key may be left out. `axes`, `columns`, `rates` and `curves` are further names that must exist, and `map` demands that
lanes are points of a map.
"""

import sys

from bench.registry import Registry, import_submodules

figure_kind = Registry(
    "figure kind",
    supplied=("run", "figure"),
    needs=("run", "figure"),
    contract="a figure kind is called as (run, figure), and returns a matplotlib Figure",
)

import_submodules(sys.modules[__name__])
