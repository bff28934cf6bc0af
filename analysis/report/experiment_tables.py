"""The tables of an experiment's page."""

import numpy as np
import pandas as pd

from analysis.judging.family import counts, overall, standing, typical
from analysis.judging.sensitivity import sensitivity
from analysis.laws import Law
from analysis.report.format import condition, interval, measure, number, outcome, runs
from analysis.report.linear_model import linear_frame
from analysis.report.result import Result
from analysis.report.rules import condition_frame, rule_frame, rules_of
from analysis.rows.load import Run, matching
from analysis.rows.measures import RATES, columns_of, measured
from analysis.rows.summary import rate_interval
from analysis.stats.intervals import clustered_median
from analysis.words import value_words


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """The tables of the page by name; tables without a line are left out."""
    laws = [(law.name, law.says, _standing(law, result.run), law.number, f"{law.n:,}") for law in result.laws]
    rules = rules_of(result)
    frames = {
        "verdicts": verdict_frame(result),
        "rules": rule_frame(rules),
        "conditions": condition_frame(rules),
        "laws": pd.DataFrame(laws, columns=["law", "says", "standing", "number", "n"]),
        "published": _published(result.run),
        "sensitivity": sensitivity_frame(result),
        "linear": linear_frame(result.run),
        "cells": cell_frame(result),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}


def sensitivity_frame(result: Result) -> pd.DataFrame:
    """The table with one line per claim of a headline experiment: as it stands, by other thresholds, and at half of the budget."""
    if not result.run.experiment.headline or result.run.interim:
        return pd.DataFrame()
    found = sensitivity(result.run, result.verdicts)
    says = {claim.id: claim.says for claim in result.run.experiment.claim}
    names = dict.fromkeys(name for changes in found.values() for name in changes)
    lines = []
    for identity, changes in found.items():
        answers = {name: f"{overall(verdicts)}: {counts(verdicts)}" for name, verdicts in changes.items()}
        lines.append({"says": says[identity], **{name: answers.get(name, "does not apply") for name in names}})
    return pd.DataFrame(lines)


def _standing(law: Law, run: Run) -> str:
    """Whether a law holds, in words."""
    if law.holds:
        return "holds"
    if law.name not in run.experiment.laws:
        return "does not hold (a claim)"
    return "does not hold so far" if run.interim else "FAILS"


def _published(run: Run) -> pd.DataFrame:
    """The table of published numbers beside ours: shares with 95% intervals, medians with order-statistic intervals."""
    lines = []
    for theirs in run.experiment.published:
        rows = run.reading(*columns_of(theirs.measure))[matching(run.lanes, run.experiment, theirs.where)]
        if theirs.measure in RATES:
            estimate, low, high = rate_interval(run, rows, theirs.measure)
        else:
            estimate, low, high, _ = clustered_median(measured(rows, theirs.measure), run.clusters.loc[rows.index].to_numpy())
        lines.append(
            {
                "what": theirs.says,
                "published": f"{theirs.value:g}",
                "here": f"{estimate:.4g} [{low:.4g}, {high:.4g}], n = {len(rows):,}",
                "source": theirs.source,
                "what differs": theirs.differs,
            }
        )
    return pd.DataFrame(lines)


def verdict_frame(result: Result) -> pd.DataFrame:
    """The table with one line per claim and condition."""
    return pd.DataFrame(
        [
            {
                "claim": verdict.family if verdict.family != result.name else verdict.id,
                "says": verdict.says,
                "where": condition(verdict),
                "verdict": outcome(verdict) + (", interim" if result.run.interim else ""),
                "criterion": f"{verdict.measure} {verdict.criterion}" if verdict.measure not in verdict.criterion else verdict.criterion,
                "measured": number(verdict),
                "interval": interval(verdict),
                "n": runs(verdict),
            }
            for verdict in result.verdicts
        ]
    )


def claim_frame(result: Result) -> pd.DataFrame:
    """The table with one line per claim, over all of its conditions."""
    lines = []
    rules = rules_of(result)
    for identity in dict.fromkeys(verdict.id for verdict in result.verdicts):
        verdicts = [verdict for verdict in result.verdicts if verdict.id == identity]
        shown = typical(verdicts)
        lines.append(
            {
                "claim": verdicts[0].family if verdicts[0].family != result.name else identity,
                "says": verdicts[0].says,
                "verdict": overall(verdicts) + standing(verdicts) + (", interim" if result.run.interim else ""),
                "rule": rules[identity].text if identity in rules else "",
                "conditions": counts(verdicts),
                "typical number": "; ".join(f"{measure(one)} {number(one)} {interval(one)}".strip() for one in shown),
                "where": "; ".join(condition(one) for one in shown),
            }
        )
    return pd.DataFrame(lines)


def _more(line: pd.Series) -> dict[str, str]:
    """Columns that only some experiments have: metrics, ties that broke, and ends up to symmetries."""
    found = {}
    for name in ("metric", "test metric"):
        median = line.get(f"{name.replace(' ', '_')}_median", np.nan)
        if not np.isnan(median):
            found[name] = f"{median:.3f}" if np.isfinite(median) else "diverged"
    if "broken" in line:
        found["tie broken"] = f"{line['broken']:.3f} [{line['broken_low']:.3f}, {line['broken_high']:.3f}]"
        none = not np.isfinite(line["break_median"])
        found["at step"] = "" if none else f"{line['break_median']:.0f} [{line['break_low']:.0f}, {line['break_high']:.0f}]"
    if "distinct_minima" in line and np.isfinite(line["distinct_minima"]):
        found["different ends"] = f"{line['distinct_minima']:.0f}"
        found["distance of two ends"] = f"{line['orbit_distance']:.3g}"
    return found


def _solving(line: pd.Series) -> dict[str, str]:
    """Columns of experiments whose training runs can be solved: the share that is, and how long it takes."""
    return {
        "solved": f"{line['solved']:.3f} [{line['solved_low']:.3f}, {line['solved_high']:.3f}]",
        "steps": f"{line['steps_median']:.0f}" if np.isfinite(line["steps_median"]) else "never",
    }


def cell_frame(result: Result) -> pd.DataFrame:
    """The table with one line per cell."""
    lines = []
    solves = result.run.experiment.has_threshold
    for _, line in result.summary.iterrows():
        lines.append(
            {
                **{axis: value_words(line[axis]) for axis in result.run.experiment.axes},
                "runs": f"{line['lanes']:,}",
                **(_solving(line) if solves else {}),
                "stuck": f"{line['stuck']:.3f}",
                "diverged": f"{line['diverged']:.3f}",
                "loss": "diverged" if np.isinf(line["loss_median"]) else f"{line['loss_median']:.3g}",
                **_more(line),
            }
        )
    return pd.DataFrame(lines)
