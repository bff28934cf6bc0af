"""The figures of a report whose experiment file declares none: shares, distributions and curves over the axes of its grid."""

from analysis.rows.measures import RATES
from analysis.words import column_words
from bench.spec import Experiment, Figure

LOSS = "loss_final"
MOST_COLORS, MOST_PANELS = 10, 9
"""Largest numbers of values of an axis that are told apart by color, and by panel."""


def figures_of(experiment: Experiment) -> tuple[Figure, ...]:
    """Return the figures that the file declares; those that fit its grid if it does not mention figures, none if it says `figure = []`.

    A grid without an axis of two values or more has nothing to compare, and so no figure.
    """
    if experiment.figure is not None:
        return experiment.figure
    sizes = {axis: len(values) for axis, values in experiment.axes.items() if len(values) > 1}
    if experiment.seeds.map is not None:
        return (Figure(name="map", kind="map", caption="Where the loss falls and where it grows.", panel=next(iter(sizes), None)),)
    if not sizes:
        return ()
    color = _first(sizes, MOST_COLORS, ())
    panel = _first(sizes, MOST_PANELS, (color,))
    solves = experiment.has_threshold
    figures = [_shares(sizes)] if solves else []
    if color is None:
        return tuple(figures)
    over = _pooled(sizes, (color, panel))
    if solves:
        caption = f"Share of training runs that are solved by each step{over}."
        figures.append(Figure(name="steps", kind="ecdf", x="steps_to_solve", color=color, panel=panel, caption=caption))
    for column in _distributed(experiment):
        caption = f"Distribution of the {column_words(column)}{over}."
        name = "loss" if column == LOSS else column.replace("_", "-")
        figures.append(Figure(name=name, kind="ecdf", x=column, color=color, panel=panel, caption=caption))
    if "curves" not in experiment.unreported:
        caption = f"Training loss: median and middle 80% of training runs{over}."
        figures.append(Figure(name="curves", kind="curve", y="loss", color=color, panel=panel, caption=caption))
    return tuple(figures)


def _distributed(experiment: Experiment) -> list[str]:
    """Return the columns whose distributions are drawn: those that the claims judge, apart from shares, and the final training loss."""
    return list(dict.fromkeys([*(claim.measure for claim in experiment.claim if claim.measure and claim.measure not in RATES), LOSS]))


def _shares(sizes: dict[str, int]) -> Figure:
    """Return the figure of solved shares: over one axis with intervals, over two or more as a heat map of the two longest."""
    if len(sizes) == 1:
        [axis] = sizes
        return Figure(name="solved", kind="rate", x=axis, caption="Share of training runs that solve the task, with 95% intervals.")
    x, y = sorted(sizes, key=lambda axis: -sizes[axis])[:2]
    panel = _first(sizes, MOST_PANELS, (x, y))
    others = " and ".join(column_words(axis) for axis in sizes if axis not in (x, y, panel))
    best = f", at the best {others} (chosen on one half of the draws, counted on the other)" if others else ""
    caption = f"Share of training runs that solve the task{best}."
    return Figure(name="solved", kind="phase", x=x, y=y, color="solved", panel=panel, caption=caption)


def _first(sizes: dict[str, int], most: int, taken: tuple[str | None, ...]) -> str | None:
    """Return the axis that is told apart: the initializer's if it has few enough values, else the first that has; None if none has."""
    fitting = [axis for axis, size in sizes.items() if size <= most and axis not in taken]
    return next((axis for axis in fitting if axis.partition(".")[0] == "initializer"), next(iter(fitting), None))


def _pooled(sizes: dict[str, int], shown: tuple[str | None, ...]) -> str:
    """Return the words that name the axes whose training runs a figure shows together."""
    others = [axis for axis in sizes if axis not in shown]
    return f", over all values of {' and '.join(map(column_words, others))}" if others else ""
