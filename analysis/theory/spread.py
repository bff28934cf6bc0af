"""How far apart the ends of random starts lie."""

import numpy as np
from jaxtyping import Float

from analysis.load import Run
from analysis.theory.law import cells_of, law

Losses = Float[np.ndarray, " lane"]
RESAMPLES = 2000


@law
def spread_shrinks(run: Run) -> tuple[bool, str, int]:
    """From the narrowest to the widest hidden layer the middle 90% of the final losses gets shorter in every setting: the ratio of the
    two lengths is below 1, by bootstrap intervals that hold jointly at the 99% level. Lanes that diverged count as the largest loss."""
    rng = np.random.default_rng(0)
    settings: dict[str, list[tuple[int, Losses]]] = {}
    for cell, rows in cells_of(run, lambda cell: "widths" in cell.settings.model.options):
        setting = ", ".join(str(value) for axis, value in cell.axes.items() if axis != "model.widths")
        losses = rows["loss_final"].fillna(rows["loss_final"].max()).to_numpy(float)
        settings.setdefault(setting, []).append((sum(cell.settings.model.options["widths"]), losses))
    found, holds, n = [], True, 0
    for setting, cells in settings.items():
        by_size = sorted(cells, key=lambda one: one[0])
        narrow, wide = by_size[0][1], by_size[-1][1]
        again = [_ratio(rng.choice(narrow, len(narrow)), rng.choice(wide, len(wide))) for _ in range(RESAMPLES)]
        upper = float(np.quantile(again, 1 - 0.01 / len(settings)))
        found.append(f"{setting} {_ratio(narrow, wide):.2g} (at most {upper:.2g})".strip())
        holds &= upper < 1
        n += len(narrow) + len(wide)
    return holds, f"ratio {', '.join(found)}", n


def _ratio(narrow: Losses, wide: Losses) -> float:
    return _length(wide) / max(_length(narrow), 1e-300)


def _length(losses: Losses) -> float:
    low, high = np.quantile(losses, [0.05, 0.95])
    return float(high - low)
