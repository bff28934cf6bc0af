"""The output of the commands: consoles that show every text as it is, and tables."""

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.escape import plain_text

if TYPE_CHECKING:
    import pandas as pd

    from analysis.rows.compare import Comparison

MOST_POINTS, BAR_WIDTH = 24, 40
"""Most lines of a table of a curve, and characters of its longest bar."""


class Terminal(Console):
    """A console that shows every text as it is, in one line: no markup is read from it, and it cannot control the terminal."""

    def render_str(self, text: str, **style: Any) -> Text:
        """Return a text without markup, emoji codes and control characters."""
        return super().render_str(plain_text(text), **{**style, "markup": False, "emoji": False})


# The output is wide enough for its tables where it is a file.
out = Terminal() if sys.stdout.isatty() else Terminal(width=160)
err = Terminal(stderr=True)


def plain_table(title: str | None = None) -> Table:
    """Return a table without lines and headings, for pairs of a name and a text."""
    return Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2))


def frame_table(title: str, frame: "pd.DataFrame", width: int | None = None) -> Table:
    """Return a table of a frame of texts; with a width, texts are broken into lines where it would be wider."""
    table = Table(*frame.columns, title=title, title_justify="left")
    for column in table.columns if width else ():
        column.overflow = "fold"
    for row in frame.itertuples(index=False):
        table.add_row(*row)
    if width and table.__rich_measure__(out, out.options).maximum > width:
        table.width = width
    return table


def curve_table(curve: "pd.DataFrame") -> Table:
    """Return a table of steps and losses, with bars as long as the loss, or as its logarithm where it falls below a hundredth."""
    import numpy as np

    table = Table(box=None, padding=(0, 2))
    for heading in ("step", "loss", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    loss = curve["loss"].to_numpy(float)
    low, high = np.nanmin(loss), np.nanmax(loss)
    lengths = np.log(loss / low) / np.log(high / low) if 0 < low < high / 100 else loss / high if high > 0 else 0 * loss
    for place in range(0, len(loss), -(-len(loss) // MOST_POINTS)):
        bar = "█" * round(BAR_WIDTH * max(lengths[place], 0)) if np.isfinite(lengths[place]) else ""
        table.add_row(f"{curve['step'].iloc[place]:,}", f"{loss[place]:.6g}", bar)
    return table


def cells_table(found: "Comparison") -> Table:
    """Return a table of the cells of two runs: shares solved, and which of the two is favored by the pairs that differ."""
    table = Table(title="Cells", title_justify="left")
    headings = ("cell", "training runs", "same bits", "solved A", "solved B", "B alone solved", "B's loss larger")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for match in found.matches:
        lanes = f"{match.lanes:,} pairs" if match.paired else f"{match.lanes:,}, unpaired"
        bits = f"{match.same_bits:.1%}" if match.paired else ""
        numbers = (f"{match.solved_a:.4f}", f"{match.solved_b:.4f}", _share(match.solved_more), _share(match.loss_larger))
        table.add_row(match.label or match.a.id, lanes, bits, *numbers)
    return table


def disagreements_table(found: "Comparison") -> Table:
    """Return a table of the training runs that ended most differently in two runs."""
    table = Table(title="Largest disagreements", title_justify="left")
    for heading in ("training run", "outcome A", "outcome B", "loss A", "loss B"):
        table.add_column(heading)
    for _, row in found.disagreements.iterrows():
        losses = (f"{row[f'loss_final_{side}']:.6g}" for side in "ab")
        table.add_row(f"{row['cell']}:{row['data_seed']}:{row['init_seed']}", row["outcome_a"], row["outcome_b"], *losses)
    return table


def _share(interval: Any) -> str:
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}], {interval.n:,}" if interval.n else "none differ"
