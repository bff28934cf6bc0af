"""Families of verdicts: their correction for number, and what they come to as a whole."""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np

from analysis.judging.verdict import Outcome, Verdict

MULTIPLE = "not after the correction for the number of comparisons"


@dataclass(frozen=True)
class Family:
    """A claim of the thread: what it says, and by which of its verdicts it is judged as a whole."""

    says: str
    rule: Literal["all", "any"] = "all"
    """It must hold in all of its conditions, or in any."""
    primary: str = ""
    """The one claim whose conditions count; empty: those of all."""
    short: str = ""
    """What it says in a few words, for a line of a terminal."""


@cache
def families() -> dict[str, Family]:
    """The claims of the thread, by name."""
    text = (files("analysis.judging") / "thread.toml").read_text(encoding="utf-8")
    return {name: Family(**entry) for name, entry in tomllib.loads(text).items()}


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts with Holm's correction (1979) over each of their families: a family with no true effect is decided in at most alpha.

    While some are decided at alpha / (number still open), they are settled. Withheld ones were not asked and do not count; the
    correction covers the verdicts that are given, so that those of several experiments are corrected together if they are given together.
    """
    found = list(verdicts)
    for name in dict.fromkeys(verdict.family for verdict in verdicts):
        members = [place for place, verdict in enumerate(found) if verdict.family == name and verdict.alone != "withheld"]
        places = sorted(members, key=lambda place: found[place].p_value / (1 - found[place].level))
        stands = True
        for rank, place in enumerate(places):
            verdict = found[place]
            stands = stands and verdict.p_value <= (1 - verdict.level) / (len(places) - rank)
            lost = not stands and verdict.alone != "undecided"
            reason = MULTIPLE if lost else "" if verdict.reason == MULTIPLE else verdict.reason
            found[place] = replace(verdict, verdict=verdict.alone if stands else "undecided", reason=reason)
    return found


def overall(verdicts: Sequence[Verdict], family: Family | None = None) -> Outcome:
    """The verdict on several conditions by the family's rule.

    `all`: supported or refuted if all are, conditional if some hold and some fail. `any`: supported if one is, refuted if all are.
    Otherwise undecided, for what is undecided or withheld has not been shown; withheld if all are.
    """
    counted = [verdict for verdict in verdicts if family is None or family.primary in ("", verdict.id)]
    found = {verdict.verdict for verdict in counted}
    if len(found) == 1:
        return found.pop()
    if family is not None and family.rule == "any":
        return "supported" if "supported" in found else "undecided"
    return "conditional" if {"supported", "refuted"} <= found else "undecided"


def counts(verdicts: Sequence[Verdict]) -> str:
    """In how many conditions a claim holds, fails, is undecided, and withheld if it is in any."""
    number = Counter(verdict.verdict for verdict in verdicts)
    text = f"{number['supported']} hold, {number['refuted']} fail, {number['undecided']} undecided"
    return f"{text}, {number['withheld']} withheld" if number["withheld"] else text


def exploratory(verdicts: Sequence[Verdict]) -> str:
    """What stands behind a verdict on several conditions if a criterion among them was changed after rows existed."""
    return ", exploratory" if any(verdict.edited for verdict in verdicts) else ""


def typical(verdicts: Sequence[Verdict], family: Family | None = None) -> list[Verdict]:
    """The conditions whose numbers are shown for all: the middle one that holds and the middle one that fails, of the primary claim or else
    of the claim with most conditions, if there are some of both; where none does either, the middle one of all."""
    counted = [verdict for verdict in verdicts if family is None or family.primary in ("", verdict.id)] or verdicts
    sides = [{verdict.id for verdict in counted if verdict.verdict == kind} for kind in ("supported", "refuted")]
    if both := set.intersection(*sides):
        most = Counter(verdict.id for verdict in counted if verdict.id in both).most_common(1)[0][0]
        counted = [verdict for verdict in counted if verdict.id == most]
    kinds = [[verdict for verdict in counted if verdict.verdict == kind] for kind in ("supported", "refuted")]
    return [_middle(kind) for kind in kinds if kind] or [_middle(counted)]


def _middle(verdicts: Sequence[Verdict]) -> Verdict:
    most = Counter(verdict.id for verdict in verdicts).most_common(1)[0][0]
    same = sorted((verdict for verdict in verdicts if verdict.id == most), key=lambda verdict: np.nan_to_num(verdict.estimate))
    return same[(len(same) - 1) // 2]
