"""One experiment, judged."""

from dataclasses import dataclass

import pandas as pd

from analysis.claims import Verdict
from analysis.load import Run
from analysis.theory import Law


@dataclass(frozen=True)
class Result:
    """An experiment's rows with everything that was concluded from them."""

    run: Run
    laws: list[Law]
    verdicts: list[Verdict]
    summary: pd.DataFrame

    @property
    def name(self) -> str:
        return self.run.experiment.name
