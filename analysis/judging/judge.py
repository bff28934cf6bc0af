"""Judging of an experiment: its laws first, then a verdict for each claim and condition."""

from analysis.judging.family import corrected
from analysis.judging.question import questions_of
from analysis.judging.verdict import Verdict, verdict_on
from analysis.laws import Law, evidence_of
from analysis.rows.load import Run


def judge(run: Run) -> tuple[list[Law], list[Verdict]]:
    """The laws that the experiment rests on, and a verdict for each claim and condition.

    Verdicts are corrected over their families within the experiment. All are withheld if a law of the experiment fails.

    >>> import initbench as ib
    >>> laws, verdicts = ib.judge(ib.load("results/runs/small"))
    >>> [(verdict.id, verdict.verdict) for verdict in verdicts]
    [('random', 'supported')]
    """
    experiment = run.experiment
    names = dict.fromkeys([*experiment.laws, *(claim.law for claim in experiment.claim if claim.law)])
    evidence = {name: evidence_of(name, run) for name in names}
    failed = [name for name in experiment.laws if not evidence[name].holds]
    questions = (question for claim in experiment.claim for question in questions_of(run, claim, evidence))
    # One question at a time: each holds the rows that it is about.
    return [found.law for found in evidence.values()], corrected([verdict_on(run, question, failed) for question in questions])
