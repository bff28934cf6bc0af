"""The numbers of a drawing are those that were drawn."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from analysis.figures.numbers import numbers_of
from analysis.figures.style import rc, styled


def test_every_kind_of_mark_is_read_back() -> None:
    drawing, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], [3, 4], color="red", label="line")
    left.fill_between([1, 2], [2, 3], [5, 7], color="red", alpha=0.2)
    left.errorbar([1], [10], [[1], [2]], color="blue", capsize=2, label="bar")
    left.axhline(0)
    left.set_title("left")
    right.imshow(np.array([[1.0, 2.0], [3.0, np.nan]]), origin="lower")
    right.set_xticks([0, 1], ["zero", "He"])
    right.scatter([0], [1], c=[0.5])
    found = numbers_of(drawing)
    plt.close(drawing)
    rows = [tuple(None if value != value else value for value in row) for row in found.itertuples(index=False)]
    assert sorted(rows, key=str) == sorted(
        [
            ("left", "line", 1.0, 3.0, None, None, None), ("left", "line", 2.0, 4.0, None, None, None),
            ("left", "line", 1.0, None, 2.0, 5.0, None), ("left", "line", 2.0, None, 3.0, 7.0, None),
            ("left", "bar", 1.0, 10.0, 9.0, 12.0, None),
            ("2", "", "zero", 0.0, None, None, 1.0), ("2", "", "He", 0.0, None, None, 2.0),
            ("2", "", "zero", 1.0, None, None, 3.0), ("2", "", "He", 1.0, None, None, None),
            ("2", "", "zero", 1.0, None, None, 0.5),
        ],
        key=str,
    )  # fmt: skip


def test_a_style_of_ones_own_stands_above_ours(tmp_path: Path) -> None:
    style = tmp_path / "own.mplstyle"
    style.write_text("lines.linewidth: 7\n")
    with styled(style):
        assert rc()["lines.linewidth"] == 7
    assert rc()["lines.linewidth"] != 7
    for wrong in ("no style", "lines.linewith: 7\n", "lines.linewidth: thick\n"):
        style.write_text(wrong)
        with pytest.raises(ValueError, match=r"own\.mplstyle: not a style file of Matplotlib"), styled(style):
            pass
