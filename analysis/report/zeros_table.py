"""The table of what may start at zero in each architecture, from the verdicts on C20."""

from collections.abc import Sequence

import pandas as pd

from analysis.judging.verdict import Verdict

FAMILY, CRITERIA, BETWEEN = "C20", "zeros-fail-", ": "
"""The claim, how its criteria begin, and what stands between architecture and part in the labels of its conditions."""
ALL, NONE = 0.99, 0.01
"""Shares of training runs from which on all, and up to which none, are said to learn."""


def zeros_frame(every: Sequence[Verdict]) -> pd.DataFrame:
    """Return the table with a line per architecture: what of it may start at zero, with the share that learn where only some runs do."""
    lines: dict[str, tuple[list[str], list[str], list[str]]] = {}
    for verdict in every:
        architecture, between, part = verdict.condition.get("case", "").partition(BETWEEN)
        if verdict.family == FAMILY and verdict.id.startswith(CRITERIA) and between and verdict.measure == "share solved":
            learns, some, fails = lines.setdefault(architecture, ([], [], []))
            if verdict.estimate >= ALL:
                learns.append(part)
            elif verdict.estimate <= NONE:
                fails.append(part)
            else:
                some.append(f"{part} ({verdict.estimate:.2f})")
    return pd.DataFrame(
        [(architecture, *map(", ".join, parts)) for architecture, parts in lines.items()],
        columns=["architecture", "learns from", "sometimes learns from (share of runs)", "never learns from"],
    )
