"""Other people's numbers: questions of settings against each other, answered by intervals and corrected for their number."""

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from analysis.judging.contrast import Answer, Contrast, contrast
from analysis.judging.family import MULTIPLE
from analysis.rows.samples import LARGEST, Choice, Sample, Samples, read_samples
from analysis.stats.intervals import Interval
from analysis.stats.multiplicity import least_error, rejected
from bench.messages import nearest, shown

FEW_SETTINGS = 4
"""Number of settings up to which all pairs are compared; of more, each is held against the baseline."""
BASELINES = ("baseline", "control", "default")
"""Names of settings that are taken for the baseline, in small letters."""
LEAST, MOST = 1e-6, 1 - 1e-9
"""Share of alpha below which p-values are not resolved, and the largest one below 1."""


@dataclass(frozen=True)
class Question:
    """One setting against another, with its answer."""

    setting: str
    against: str
    verdict: Answer
    """The answer after Holm's correction over all questions."""
    alone: Answer
    """The answer to this question by itself."""
    measure: str
    """The number that decides, with its interval, in words."""
    difference: Interval | None
    """The mean or share of the setting less that of the other; None where the order decides."""
    better: Interval
    """P(the setting is better) + P(both are equal) / 2."""
    p_value: float
    """The least error probability at which the interval decides; 1 if it never does."""
    paired: bool
    n: tuple[int, int]
    """Number of runs that are compared, on both sides."""
    seeds_needed: int | None
    """Number of seeds of each setting that would decide the question with a probability of 80%; None if it is decided, or none would."""

    @property
    def reason(self) -> str:
        """The reason for which it is undecided, if that is the number of questions."""
        return MULTIPLE if self.verdict != self.alone else ""


@dataclass(frozen=True)
class Judged:
    """The answers to all questions about a table of numbers."""

    samples: Samples
    questions: tuple[Question, ...]
    alpha: float
    margin: float
    compared: str
    """The pairs of settings that are compared, in words."""


def judge_file(
    path: Path | str,
    *,
    setting: str | None = None,
    metric: str | None = None,
    seed: str | None = None,
    higher_is_better: bool | None = None,
    solved_above: float | None = None,
    solved_below: float | None = None,
    baseline: str | None = None,
    margin: float = 0.0,
    alpha: float = 0.05,
) -> Judged:
    """Judge a table of other people's numbers, CSV or Parquet: a row for each run, or a column for each setting and a row for each seed.

    Columns that are not named are guessed. With `solved_above` or `solved_below` the share of runs beyond that value is judged. A setting
    is better, or worse, than another if it is so by more than `margin`, in the units of the metric or of the share. ValueError with one
    line if the table cannot be judged, OSError if it cannot be read.

    >>> import initbench as ib
    >>> from pathlib import Path
    >>> lines = [f"{setting},{seed},{accuracy + seed / 1000}" for setting, accuracy in (("a", 0.8), ("b", 0.9)) for seed in range(20)]
    >>> _ = Path("runs.csv").write_text("\\n".join(["setting,seed,accuracy", *lines]))
    >>> [question.verdict for question in ib.judge_file("runs.csv", metric="accuracy").questions]
    ['better']
    """
    if not 0 < alpha <= 0.5:
        raise ValueError(f"--alpha {alpha:g}: allowed: above 0, at most 0.5")
    if not 0 <= margin <= LARGEST:
        raise ValueError(f"--margin {margin:g}: allowed: 0 and above")
    samples = read_samples(Path(path), Choice(setting, metric, seed, higher_is_better, solved_above, solved_below))
    chosen, guessed = _baseline(samples, baseline)
    pairs = _pairs(samples.samples, chosen)
    contrasts = [contrast(*pair, samples.higher or bool(samples.share), margin) for pair in pairs]
    asked = [_question(*pair, found, samples, alpha) for pair, found in zip(pairs, contrasts, strict=True)]
    stands = rejected(np.array([one.p_value for one in asked]), np.full(len(asked), alpha))
    decided = [
        question if stays else replace(question, verdict="undecided", seeds_needed=found.seeds_needed(alpha / len(pairs)))
        for question, found, stays in zip(asked, contrasts, stands, strict=True)
    ]
    compared = f"each setting against '{chosen}'{guessed}" if chosen else "all pairs of settings"
    return Judged(samples, tuple(decided), alpha, margin, compared)


def _baseline(samples: Samples, named: str | None) -> tuple[str, str]:
    """The setting that all others are held against, empty if all pairs are compared; and how it was guessed, in words."""
    names = [sample.name for sample in samples.samples]
    if named is not None:
        if named not in names:
            raise ValueError(f"--baseline: there is no setting {shown(named)}; {nearest(named, names)}")
        return named, ""
    if len(names) <= FEW_SETTINGS:
        return "", ""
    called = [name for name in names if name.lower() in BASELINES]
    return (called[0], " (guessed from its name)") if called else (names[0], " (guessed: the first of the file)")


def _pairs(samples: tuple[Sample, ...], baseline: str) -> list[tuple[Sample, Sample]]:
    """The settings that are held against each other: later ones of the file against earlier ones, or all against the baseline."""
    if not baseline:
        return [(later, earlier) for earlier, later in combinations(samples, 2)]
    against = next(sample for sample in samples if sample.name == baseline)
    return [(sample, against) for sample in samples if sample is not against]


def _question(setting: Sample, against: Sample, found: Contrast, samples: Samples, alpha: float) -> Question:
    """One question, answered by itself."""
    alone = found.answer(1 - alpha)
    difference = None if found.kind == "order" else found.difference(1 - alpha)
    if difference is not None and found.kind == "means" and not samples.higher:
        difference = Interval(-difference.estimate, -difference.high, -difference.low, difference.n)
    return Question(
        setting=setting.name,
        against=against.name,
        verdict=alone,
        alone=alone,
        measure=found.measure,
        difference=difference,
        better=found.improvement(1 - alpha),
        p_value=_p_value(found, alone != "undecided", alpha),
        paired=found.paired,
        n=(len(found.a), len(found.b)),
        seeds_needed=None,
    )


def _p_value(found: Contrast, decided: bool, alpha: float) -> float:
    """The least error probability at which the interval decides; at most alpha just if it does at alpha."""

    def decides(error: float) -> bool:
        return found.answer(1 - error) != "undecided"

    if decided:
        return least_error(decides, alpha * LEAST, alpha)
    return least_error(decides, alpha, MOST) if decides(MOST) else 1.0
