"""Families of verdicts: their correction for the number of comparisons, and the verdict on a family as a whole."""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np

from analysis.judging.verdict import Outcome, Verdict
from analysis.stats.multiplicity import rejected

MULTIPLE = "not after the correction for the number of comparisons"


@dataclass(frozen=True)
class Family:
    """A claim of the thread, and the rule by which its verdicts decide it as a whole."""

    says: str
    rule: Literal["all", "any"] = "all"
    """Whether the claim must hold under all of its conditions, or under any of them."""
    primary: str = ""
    """The id of the one claim whose conditions count; empty if those of all claims count."""
    short: str = ""
    """The claim in a few words, for a line of a terminal."""


@cache
def families() -> dict[str, Family]:
    """The claims of the thread, by name."""
    text = (files("analysis.judging") / "thread.toml").read_text(encoding="utf-8")
    return {name: Family(**entry) for name, entry in tomllib.loads(text).items()}


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts after Holm's correction (1979) over each of their families.

    In a family without a true effect, any verdict is decided with probability alpha at most. Withheld verdicts do not count. The
    correction covers the verdicts that are given: those of several experiments are corrected together if they are given together.
    """
    found = list(verdicts)
    for name in dict.fromkeys(verdict.family for verdict in verdicts):
        places = [place for place, verdict in enumerate(found) if verdict.family == name and verdict.alone != "withheld"]
        members = [found[place] for place in places]
        stands = rejected(np.array([one.p_value for one in members]), np.array([1 - one.level for one in members]))
        for place, verdict, stands_alone in zip(places, members, stands, strict=True):
            is_lost = not stands_alone and verdict.alone != "undecided"
            reason = MULTIPLE if is_lost else "" if verdict.reason == MULTIPLE else verdict.reason
            found[place] = replace(verdict, verdict=verdict.alone if stands_alone else "undecided", reason=reason)
    return found


def overall(verdicts: Sequence[Verdict], family: Family | None = None) -> Outcome:
    """The verdict on several conditions by the family's rule.

    `all`: supported or refuted if all are, conditional if some are supported and some refuted. `any`: supported if one is, refuted if all
    are. Withheld if all are, and undecided otherwise. Withheld conditions, whose control failed, count only if they are half or more.
    """
    counted = _counted(verdicts, family)
    judged = [verdict for verdict in counted if verdict.verdict != "withheld"]
    found = {verdict.verdict for verdict in (judged if 2 * len(judged) > len(counted) else counted)}
    if len(found) == 1:
        return found.pop()
    if family is not None and family.rule == "any":
        return "supported" if "supported" in found else "undecided"
    return "conditional" if {"supported", "refuted"} <= found else "undecided"


def counts(verdicts: Sequence[Verdict]) -> str:
    """The number of conditions under which a claim holds, fails and is undecided, and is withheld if there are such."""
    number = Counter(verdict.verdict for verdict in verdicts)
    text = f"{number['supported']} hold, {number['refuted']} fail, {number['undecided']} undecided"
    return f"{text}, {number['withheld']} withheld" if number["withheld"] else text


def exploratory(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether one of several verdicts is exploratory."""
    return any(verdict.exploratory for verdict in verdicts)


def standing(verdicts: Sequence[Verdict]) -> str:
    """The addition to a verdict on several conditions if a criterion among them was changed after rows existed; else empty."""
    changed = any(verdict.edited for verdict in verdicts)
    return ", exploratory" if exploratory(verdicts) else ", confirmed on fresh seeds" if changed else ""


def typical(verdicts: Sequence[Verdict], family: Family | None = None) -> list[Verdict]:
    """The conditions whose numbers are shown for all: the middle one that holds and the middle one that fails.

    Both are of the same claim where one has both: the primary claim, or else the one with most conditions. If no condition holds or fails,
    it is the middle one of all.
    """
    counted = _counted(verdicts, family) or verdicts
    sides = [{verdict.id for verdict in counted if verdict.verdict == kind} for kind in ("supported", "refuted")]
    if both := set.intersection(*sides):
        most = Counter(verdict.id for verdict in counted if verdict.id in both).most_common(1)[0][0]
        counted = [verdict for verdict in counted if verdict.id == most]
    kinds = [[verdict for verdict in counted if verdict.verdict == kind] for kind in ("supported", "refuted")]
    return [_middle(kind) for kind in kinds if kind] or [_middle(counted)]


def _counted(verdicts: Sequence[Verdict], family: Family | None) -> list[Verdict]:
    """The verdicts that decide a family."""
    return [verdict for verdict in verdicts if family is None or family.primary in ("", verdict.id)]


def _middle(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict with the middle estimate, among those of the claim with most of them."""
    most = Counter(verdict.id for verdict in verdicts).most_common(1)[0][0]
    same = sorted((verdict for verdict in verdicts if verdict.id == most), key=lambda verdict: np.nan_to_num(verdict.estimate))
    return same[(len(same) - 1) // 2]
