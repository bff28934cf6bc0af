"""One experiment, judged."""

from dataclasses import dataclass

import pandas as pd

from analysis.judging.verdict import Verdict
from analysis.laws import Law
from analysis.rows.load import Run


@dataclass(frozen=True)
class Result:
    """An experiment's rows with everything that was concluded from them."""

    run: Run
    laws: list[Law]
    verdicts: list[Verdict]
    summary: pd.DataFrame

    @property
    def trains(self) -> bool:
        """Whether any of its runs took a step; worked examples are evaluated only."""
        return bool((self.run.lanes["steps_run"] > 0).any())

    @property
    def name(self) -> str:
        return self.run.experiment.name
