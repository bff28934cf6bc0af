"""Figures are as wide as one column of a journal or as two, and nothing sticks out of them."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from analysis.figures.style import ONE_COLUMN, TWO_COLUMNS, finish, rc


@pytest.mark.parametrize(("wide", "width"), [(4.0, ONE_COLUMN), (5.2, TWO_COLUMNS), (9.9, TWO_COLUMNS)])
def test_a_figure_with_long_labels_keeps_its_width_and_shows_them_all(wide: float, width: float) -> None:
    with mpl.rc_context(rc()):
        drawing, axis = plt.subplots(figsize=(wide, 2.4), layout="constrained")
        for i in range(9):
            axis.plot([0, 1], [i, i], label=f"a group of lanes, number {i}")
        axis.text(1.2, 4, "a remark beside the panel")
        finish(drawing, "a quantity with a very long name that fits into no single line of a column", "height", "n = 1,000 lanes each")
        drawing.draw_without_rendering()
        box, (inches, height) = drawing.get_tightbbox(), drawing.get_size_inches()
    assert inches == width
    assert (box.x0 >= 0, box.y0 >= 0, box.x1 <= inches, box.y1 <= height) == (True, True, True, True)
    plt.close(drawing)
