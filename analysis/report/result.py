"""A judged experiment."""

from dataclasses import dataclass

import pandas as pd

from analysis.judging.verdict import Verdict
from analysis.laws import Law
from analysis.rows.load import Run


@dataclass(frozen=True)
class Result:
    """The rows of an experiment, with its laws, verdicts and summary."""

    run: Run
    laws: list[Law]
    verdicts: list[Verdict]
    summary: pd.DataFrame

    @property
    def trains(self) -> bool:
        """Whether any lane took a step; worked examples are only evaluated."""
        return bool((self.run.lanes["steps_run"] > 0).any())

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.run.experiment.name
