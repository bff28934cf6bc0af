"""Which columns of a foreign table are the setting, the metric and the seed: as named, or guessed where there is one candidate."""

import re
from dataclasses import dataclass

from analysis.rows.foreign import Columns
from bench.messages import nearest, shown

FAILED = frozenset(
    ("", "nan", "na", "n/a", "none", "null", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "diverged", "failed", "crashed")
)
"""Texts in place of a number where a run failed, in small letters."""
TRUTH = {"true": 1.0, "false": 0.0}
HIGHER = frozenset(
    "accuracy acc score f1 auc auroc auprc reward return r2 bleu rouge precision recall solved success succeeded converged map iou dice "
    "psnr ssim top1 top5 win wins winrate".split()
)
LOWER = frozenset("loss losses error err bpb bpc perplexity ppl nll mse rmse mae steps time seconds regret fid wer cer diverged".split())
"""Words in the name of a metric that say whether higher or lower values are better."""
SETTINGS = frozenset(
    "setting settings init inits initializer initialization initialisation method config configuration condition variant arm group "
    "treatment algorithm algo".split()
)
SEEDS = frozenset("seed seeds".split())
UNNAMED = re.compile(r"column \d+|Unnamed: \d+|__index_level_\d+__")
"""Columns that a program wrote to number the rows."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they are; in a wide table each setting has a column of its own."""

    seed: str | None
    setting: str = ""
    metric: str = ""
    wide: tuple[str, ...] = ()


def number_of(text: str) -> float | None:
    """The number that a cell holds, infinite or NaN where the run failed; None if it holds some other text."""
    if _NUMBER.fullmatch(text):
        return float(text)
    word = text.lower()
    if word in FAILED:
        return float(word) if word.lstrip("+-").startswith("inf") else float("nan")
    return TRUTH.get(word)


def words_of(name: str) -> frozenset[str]:
    """The words of a column's name in small letters: `valLoss`, `val_loss` and `val loss` have the same."""
    return frozenset(re.findall(r"[a-z]+\d*|\d+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()))


def roles_of(columns: Columns, setting: str | None, metric: str | None, seed: str | None) -> Roles:
    """The roles of the columns, each as named or guessed; ValueError with one line if there is no such column, or not one candidate."""
    named = {option: name for option, name in (("setting", setting), ("metric", metric), ("seed", seed)) if name is not None}
    for option, name in named.items():
        if name not in columns:
            raise ValueError(f"--{option}: there is no column {shown(name)}; {nearest(name, columns)}")
    if len(set(named.values())) < len(named):
        raise ValueError("one column cannot be two of --setting, --metric and --seed")
    free = [name for name in columns if name not in named.values() and not UNNAMED.fullmatch(name)]
    if seed is None:
        seed = _only("seed", [name for name in free if words_of(name) & SEEDS])
        free = [name for name in free if name != seed]
    numeric = [name for name in free if _is_numeric(columns[name])]
    if setting is None:
        setting = _only("setting", _setting_candidates(columns, free, numeric))
        if setting is None and metric is None and len(numeric) > 1 and numeric == free and not any(map(_is_metric, free)):
            return Roles(seed, wide=tuple(numeric))
        if setting is None:
            called = next((name for name in numeric if _is_metric(name)), None)
            wide = f", and no wide table has a column called like a metric, {shown(called)}" if called and len(numeric) > 1 else ""
            raise ValueError(f"no column could be the setting{wide}; choose it with --setting: {nearest('', free)}")
    if metric is None:
        rest = [name for name in numeric if name != setting]
        left = [name for name in free if name != setting]
        # In a column of numbers a single other cell is a fault of that cell, which is named as the numbers are read.
        rest = rest or [name for name in left if _is_mostly_numeric(columns[name])]
        metric = _only("metric", [name for name in rest if _is_metric(name)] or rest)
        if metric is None:
            raise ValueError(f"no other column holds numbers alone; choose the metric with --metric: {nearest('', left)}")
    return Roles(seed, setting, metric)


def _setting_candidates(columns: Columns, free: list[str], numeric: list[str]) -> list[str]:
    """Columns that are called a setting, or else those of texts that repeat; of several, those with more than one value."""
    called = [name for name in free if words_of(name) & SETTINGS and not _is_metric(name)]
    found = called or [name for name in free if name not in numeric and len(set(columns[name])) < len(columns[name])]
    return [name for name in found if len(set(columns[name])) > 1] or found


def _is_numeric(cells: list[str]) -> bool:
    """Whether a column holds numbers and failed runs alone, and at least one number."""
    numbers = [number_of(cell) for cell in cells]
    return None not in numbers and any(number is not None and number == number for number in numbers)


def _is_mostly_numeric(cells: list[str]) -> bool:
    return sum(number_of(cell) is not None for cell in cells) > len(cells) / 2


def _is_metric(name: str) -> bool:
    return bool(words_of(name) & (HIGHER | LOWER))


def _only(role: str, candidates: list[str]) -> str | None:
    """The one candidate, or None if there is none; ValueError if there are several."""
    if len(candidates) > 1:
        raise ValueError(f"several columns could be the {role}; choose it with --{role}: {nearest('', candidates)}")
    return candidates[0] if candidates else None
