"""Data sets of openml.org, such as MNIST, which scikit-learn downloads once and keeps."""

import warnings
from functools import lru_cache
from http.client import HTTPException
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PositiveInt

from bench.losses.definition import AnyLoss, Kind
from bench.messages import one_line
from bench.registry import check_allowed
from bench.tasks import task
from bench.tasks.arrays import Parts, parts_of
from bench.tasks.definition import Positives, Task
from bench.tasks.supplied import Fraction, Split, Standardize, Supply, Treatment, supplied_task


class Pinned(NamedTuple):
    """The number of a data set at openml.org, which stands for one version of it, and the share of it that is for testing."""

    data_id: int
    test_fraction: float


PINNED = {"mnist_784": Pinned(554, 1 / 7), "Fashion-MNIST": Pinned(40996, 1 / 7), "CIFAR_10": Pinned(40927, 1 / 6)}
"""Data sets whose last 10,000 examples are their usual test part."""


@task(opens="data")
def openml(
    data: str,
    data_id: PositiveInt | None = None,
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = "",
    kind: Kind | None = None,
    loss: AnyLoss | None = None,
    standardize: Standardize = "together",
    test_fraction: Fraction | None = None,
    split: Split = "last",
    positives: Positives = None,
) -> Task:
    """A data set of openml.org: `mnist_784`, `Fashion-MNIST`, `CIFAR_10`, or any other one by its name and `data_id`.

    It is downloaded once, into scikit-learn's folder. `sha256`, if given, is that of the numbers that were loaded, which the provenance
    of a run records. The other options are those of the task `file`.

    Formula: all features minus one mean, over one standard deviation, both of the training examples.
    Source: OpenML (Vanschoren et al., 2014); for the sets by name LeCun et al., 1998; Xiao et al., 2017; Krizhevsky, 2009.
    Law: over the training examples all numbers together have mean 0 and variance 1.
    Limit: the numbers as they were fetched for standardize = false.
    """
    check_allowed("data of task 'openml'", data)
    pinned = PINNED.get(data)
    number = data_id or (pinned.data_id if pinned else None)
    if number is None:
        raise ValueError(f"data = '{one_line(data, 100)}': its data_id as well, the number at openml.org; without it {', '.join(PINNED)}")
    share = test_fraction if test_fraction is not None else pinned.test_fraction if pinned and data_id is None else 0.0
    try:
        found = supplied_task(_supply(number, data, kind, Treatment(standardize, share, split, positives)), loss)
    except ValueError as error:
        raise ValueError(f"data = '{one_line(data, 100)}': {one_line(error, 300)}") from error
    if sha256 and found.digest is not None and found.digest() != sha256:
        raise ValueError(f"sha256: the numbers of '{one_line(data, 100)}' have the digest {found.digest()}")
    return found


@lru_cache(maxsize=2)
def _supply(data_id: int, name: str, kind: Kind | None, treatment: Treatment) -> Supply:
    """Fetch, check and treat a data set, which takes seconds where it is large."""
    parts = _fetched(data_id, name)
    return Supply.of(lambda seed: parts, False, kind, treatment)


@lru_cache(maxsize=1)
def _fetched(data_id: int, name: str) -> Parts:
    """Return a data set from scikit-learn's folder, or from the network; ValueError in one line if there is none."""
    # Here, for importing scikit-learn takes two thirds of a second.
    from sklearn import datasets

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bunch: Any = datasets.fetch_openml(data_id=data_id, as_frame=True, n_retries=1)
    except (OSError, HTTPException) as error:
        raise ValueError(
            f"it is not in {datasets.get_data_home()}, and openml.org cannot be reached ({one_line(error, 100)}); "
            "load it once on a machine with a network, and copy that folder"
        ) from error
    if bunch.details["name"] != name:
        raise ValueError(f"number {data_id} of openml.org is called '{bunch.details['name']}'")
    return parts_of(bunch)
