"""Data of a user's own, from a file."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from pydantic import Field

from bench.losses.definition import AnyLoss, Kind
from bench.messages import one_line, shown
from bench.registry import check_allowed
from bench.tasks import task
from bench.tasks.arrays import Parts, parts_of
from bench.tasks.definition import Positives, Task
from bench.tasks.supplied import Fraction, Split, Standardize, Supply, Treatment, supplied_task
from bench.tasks.tables import table_parts

Columns = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Target = str | tuple[str, ...] | None
Features = tuple[str, ...] | None
Content = tuple[Path, Target, Features, tuple[int, int]]
"""The arguments of `_read`."""


@task(opens="path")
def file(
    path: str,
    target: str | Columns | None = None,
    features: Columns | None = None,
    kind: Kind | None = None,
    loss: AnyLoss | None = None,
    standardize: Standardize = True,
    test_fraction: Fraction = 0.0,
    split: Split = "fixed",
    positives: Positives = None,
) -> Task:
    """A file of your own: .csv or .parquet with a `target` column (or several), .npz with arrays x, y and maybe x_test, y_test.

    Whole numbers, truth values and texts as targets are classes, others values, unless `kind` says otherwise. Columns of texts become a
    column of 0 and 1 for each text. `standardize` over the training examples; `"together"` for all features alike, as for images. The
    test part is a share of the examples, drawn once, for each data seed, or the last ones (`split`). `positives`: the share of the second
    of two classes; examples of the class that is too frequent are left out.

    Formula: features minus their mean, over their standard deviation, both of the training examples.
    Source: your own data.
    Law: over the training examples standardized features have mean 0 and variance 1, or are 0 in all.
    Limit: the numbers of the file for standardize = false.
    """
    check_allowed("data of task 'file'", path)
    place = Path(path)
    if place.suffix not in READERS:
        raise ValueError(f"path = {shown(path)}: a file that ends in {', '.join(READERS)}")
    try:
        stamp = place.stat()
    except (OSError, ValueError) as error:
        raise ValueError(f"path = {shown(path)}: there is no such file in {Path.cwd()}") from error
    names = tuple(target) if isinstance(target, tuple | list) else target
    try:
        content = place.resolve(), names, None if features is None else tuple(features), (stamp.st_mtime_ns, stamp.st_size)
        return supplied_task(_supply(content, kind, Treatment(standardize, test_fraction, split, positives)), loss)
    except ValueError as error:
        raise ValueError(f"{shown(path)}: {error}") from error


@lru_cache(maxsize=2)
def _supply(content: Content, kind: Kind | None, treatment: Treatment) -> Supply:
    """Read, check and treat the content of a file, which takes seconds where it is large."""
    parts = _read(*content)
    return Supply.of(lambda seed: parts, False, kind, treatment)


@lru_cache(maxsize=2)
def _read(path: Path, target: Target, features: Features, stamp: tuple[int, int]) -> Parts:
    """Read the parts of a file; `stamp`, its time and size, tells a changed file from the one that was read before."""
    try:
        found = READERS[path.suffix](path)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"cannot be read as {path.suffix}: {one_line(error, 200)}") from error
    if isinstance(found, pd.DataFrame):
        return Parts(*table_parts(found, target, features))
    if target is not None or features is not None:
        raise ValueError(f"{'target' if target is not None else 'features'}: an .npz file has arrays x and y, no columns")
    return parts_of(found)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as opened:
        try:
            found = np.load(opened, allow_pickle=False)
            return {name: found[name] for name in found.files}
        except (ValueError, AttributeError, BadZipFile) as error:
            raise ValueError("it is no archive of several arrays of numbers or texts, as numpy.savez writes it") from error


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open("rb") as opened:
        return pd.read_csv(opened)


READERS: dict[str, Callable[[Path], Any]] = {".csv": _read_csv, ".npz": _read_arrays, ".parquet": pd.read_parquet}
"""Functions that read a file, by its ending."""
