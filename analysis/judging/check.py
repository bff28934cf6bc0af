"""Everything that can be told of an experiment before it trains, beyond what its file says by itself."""

from analysis.figures.check import check_figures
from analysis.judging.claims import check_claims
from analysis.rows.measures import check_measures
from bench.messages import one_line
from bench.spec import Experiment


def check(experiment: Experiment) -> None:
    """Raise ValueError with one line on a measure, a law, a claim or a figure that could not be judged or drawn from the rows that the
    experiment will have."""
    try:
        check_measures(experiment)
        check_claims(experiment)
        check_figures(experiment)
    except ValueError as error:
        raise ValueError(one_line(error)) from error
