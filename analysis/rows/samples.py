"""The samples of a foreign table: the values of each setting, seed by seed, in which a run that failed has the worst value there is."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.rows.foreign import Columns, check_length, read_columns
from analysis.rows.roles import HIGHER, LOWER, Roles, number_of, roles_of, words_of
from analysis.stats.intervals import Interval, clopper_pearson, quantile_interval
from analysis.stats.means import mean_interval
from bench.messages import first_few, shown

LARGEST = 1e100
"""Largest size of a number that is judged; squares of larger ones have no place."""
MOST_SETTINGS = 40


@dataclass(frozen=True)
class Choice:
    """The choices of a user about a table; None or the empty text where one is to be guessed."""

    setting: str | None = None
    metric: str | None = None
    seed: str | None = None
    higher_is_better: bool | None = None
    solved_above: float | None = None
    solved_below: float | None = None


@dataclass(frozen=True)
class Sample:
    """The runs of one setting."""

    name: str
    values: np.ndarray
    """The metric of each run; infinite, the worst there is, where it failed."""
    solved: np.ndarray | None
    """Whether each run solved its task, if the metric or a threshold says so."""
    seeds: tuple[str, ...]
    """The seed of each run; empty if the table has none."""

    @property
    def failed(self) -> int:
        """The number of runs that failed."""
        return int(np.isinf(self.values).sum())

    def mean(self, level: float) -> Interval | None:
        """The mean with Student's interval; None if a run failed, as there is no mean then."""
        return None if self.failed else mean_interval(self.values, level)

    def median(self, level: float) -> Interval:
        """The median with its order-statistic interval; infinite if half of the runs failed."""
        return quantile_interval(self.values, 0.5, level)

    def share(self, level: float) -> Interval | None:
        """The share of runs that solved their task, with the interval of Clopper and Pearson; None if nothing says which did."""
        return None if self.solved is None else clopper_pearson(int(self.solved.sum()), len(self.solved), level)


@dataclass(frozen=True)
class Samples:
    """All settings of a table, in its order."""

    file: str
    sha256: str
    metric: str
    higher: bool
    """Whether higher values of the metric are better."""
    share: str
    """The share of runs that is judged, in words; empty if the values themselves are."""
    said: tuple[str, ...]
    """Lines that tell the role of each column, and which of them were guessed."""
    samples: tuple[Sample, ...]

    @property
    def wording(self) -> str:
        """The quantity that is judged, in words."""
        return self.share or self.metric


def read_samples(path: Path, choice: Choice) -> Samples:
    """Read a table as samples. ValueError with one line that names the file if it cannot be judged, OSError if it cannot be read."""
    columns, content = read_columns(path)
    try:
        if not any(columns.values()):
            raise ValueError("has no rows")
        roles = roles_of(columns, choice.setting, choice.metric, choice.seed)
        runs = dict(_wide(columns, roles) if roles.wide else _long(columns, roles))
        _check_runs(runs, roles)
        metric = roles.metric or "value"
        numbers = np.concatenate([values for values, _ in runs.values()])
        if not np.isfinite(numbers).any():
            raise ValueError("every run failed; there is nothing to compare")
        higher, guessed = _direction(metric, choice)
        share = _share(metric, numbers, higher, choice)
        worst = -np.inf if higher else np.inf
        samples = tuple(
            Sample(name, np.where(np.isfinite(values), values, worst), _solved(values, share, higher, choice), seeds)
            for name, (values, seeds) in runs.items()
        )
        said = (*_said(columns, roles, samples), f"{metric}: {'higher' if higher else 'lower'} is better{guessed}")
        if not np.isfinite(numbers).all():
            said = (
                *said,
                f"{int((~np.isfinite(numbers)).sum())} of {len(numbers)} runs failed: each counts as the worst value, none is left out",
            )
        return Samples(path.name, hashlib.sha256(content).hexdigest(), metric, higher, share, said, samples)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _long(columns: Columns, roles: Roles) -> Iterator[tuple[str, tuple[np.ndarray, tuple[str, ...]]]]:
    """Names, values and seeds of the settings of a table with a row for each run."""
    names, cells = columns[roles.setting], columns[roles.metric]
    seeds = columns[roles.seed] if roles.seed is not None else []
    places: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if not name:
            raise ValueError(f"row {row + 1} has no setting in column {shown(roles.setting)}")
        places.setdefault(name, []).append(row)
    if len(places) > MOST_SETTINGS:
        raise ValueError(f"column {shown(roles.setting)} has {len(places):,} settings; at most {MOST_SETTINGS} are judged")
    check_length("the name of a setting", places)
    numbers = _numbers(roles.metric, cells)
    for name, rows in places.items():
        yield name, (numbers[rows], tuple(seeds[row] for row in rows) if seeds else ())


def _wide(columns: Columns, roles: Roles) -> Iterator[tuple[str, tuple[np.ndarray, tuple[str, ...]]]]:
    """Names, values and seeds of the settings of a table with a column for each setting and a row for each seed."""
    if len(roles.wide) > MOST_SETTINGS:
        raise ValueError(f"has {len(roles.wide):,} columns of settings; at most {MOST_SETTINGS} are judged")
    seeds = tuple(columns[roles.seed]) if roles.seed is not None else ()
    for name in roles.wide:
        if not seeds and not columns[name][-1]:
            raise ValueError(
                f"column {shown(name)} ends in empty cells: is it shorter, or did these runs fail? "
                "Add a column of seeds (they failed), or write one row for each run"
            )
        yield name, (_numbers(name, columns[name]), seeds)


def _numbers(name: str, cells: list[str]) -> np.ndarray:
    """The numbers of a column, NaN or infinite where a run failed; ValueError at the first other text."""
    numbers = []
    for row, cell in enumerate(cells, 1):
        number = number_of(cell)
        if number is None:
            raise ValueError(
                f"row {row}, column {shown(name)}: {shown(cell)} is no number; a run that failed is nan, inf, diverged or nothing"
            )
        if LARGEST < abs(number) < np.inf:
            raise ValueError(f"row {row}, column {shown(name)}: {shown(cell)} is beyond {LARGEST:g}; a run that failed is written as inf")
        numbers.append(number)
    return np.array(numbers, float)


def _check_runs(runs: dict[str, tuple[np.ndarray, tuple[str, ...]]], roles: Roles) -> None:
    """ValueError if there is nothing to compare, or if a seed is missing or there twice."""
    if len(runs) < 2:
        raise ValueError(f"column {shown(roles.setting)} has one setting, {shown(next(iter(runs)))}; a comparison needs two")
    for name, (values, seeds) in runs.items():
        if len(values) < 2:
            raise ValueError(f"setting {shown(name)} has {len(values)} run; an interval needs two seeds or more")
        if "" in seeds:
            raise ValueError(f"setting {shown(name)} has a run without a seed in column {shown(roles.seed)}")
        if len(set(seeds)) < len(seeds):
            twice = Counter(seeds).most_common(1)[0][0]
            raise ValueError(
                f"setting {shown(name)} has seed {shown(twice)} twice; where another column tells the two apart, write a file for each of "
                "its values"
            )


def _direction(metric: str, choice: Choice) -> tuple[bool, str]:
    """Whether higher values are better, and how that is known, in words; ValueError if it is neither said nor in the name."""
    thresholds = (choice.solved_above, choice.solved_below)
    if None not in thresholds:
        raise ValueError("--solved-above and --solved-below exclude each other")
    by_threshold = None if thresholds == (None, None) else choice.solved_above is not None
    said = choice.higher_is_better
    if said is not None and by_threshold not in (None, said):
        raise ValueError(
            f"--solved-{'above' if by_threshold else 'below'} says that {'higher' if by_threshold else 'lower'} values are better"
        )
    if said is not None or by_threshold is not None:
        return bool(said if said is not None else by_threshold), ""
    found = [words_of(metric) & HIGHER, words_of(metric) & LOWER]
    if bool(found[0]) == bool(found[1]):
        raise ValueError(f"is a higher {shown(metric)} better? Say --higher-is-better or --lower-is-better")
    return bool(found[0]), f" (guessed from '{min(found[0] or found[1])}')"


def _share(metric: str, numbers: np.ndarray, higher: bool, choice: Choice) -> str:
    """The share of runs that is judged, in words, if there is a threshold or the metric is 0 or 1."""
    if choice.solved_above is not None or choice.solved_below is not None:
        bound = f"> {choice.solved_above:g}" if choice.solved_above is not None else f"< {choice.solved_below:g}"
        return f"share with {metric} {bound}"
    finite = numbers[np.isfinite(numbers)]
    return f"share with {metric} = {int(higher)}" if np.isin(finite, (0, 1)).all() else ""


def _solved(values: np.ndarray, share: str, higher: bool, choice: Choice) -> np.ndarray | None:
    """Whether each run solved its task; one that failed did not."""
    if not share:
        return None
    with np.errstate(invalid="ignore"):
        if choice.solved_above is not None:
            return np.isfinite(values) & (values > choice.solved_above)
        if choice.solved_below is not None:
            return np.isfinite(values) & (values < choice.solved_below)
    return values == float(higher)


def _said(columns: Columns, roles: Roles, samples: tuple[Sample, ...]) -> Iterator[str]:
    """Yield lines that tell the role of each column, and how settings are compared."""
    if roles.wide:
        yield f"a column for each setting ({len(roles.wide)}), a row for each {'seed' if roles.seed else 'run'}"
    else:
        yield f"setting: column '{roles.setting}' ({len(samples)} values), metric: '{roles.metric}'"
    if roles.seed is None:
        yield "seed: no column, so that settings are compared without pairs"
    else:
        sets = [set(sample.seeds) for sample in samples]
        shared = set.intersection(*sets)
        whole = "shared by all settings" if all(one == shared for one in sets) else f"{len(shared)} of them shared by all settings"
        yield f"seed: column '{roles.seed}', {whole}"
    unused = [name for name in columns if name not in (roles.seed, roles.setting, roles.metric, *roles.wide)]
    if unused:
        yield f"not used: {first_few(unused)}"
