"""Data sets that scikit-learn ships or makes, by the names of its functions."""

import inspect
from collections.abc import Callable
from typing import Any

from bench.losses.definition import AnyLoss, Kind
from bench.messages import nearest, one_line
from bench.tasks import task
from bench.tasks.arrays import Parts, parts_of
from bench.tasks.definition import Positives, Task
from bench.tasks.supplied import Fraction, Split, Standardize, Supply, Treatment, supplied_task


@task
def sklearn(
    loader: str,
    arguments: dict[str, Any] = {},  # noqa: B006  (an option's default is copied by pydantic)
    kind: Kind | None = None,
    loss: AnyLoss | None = None,
    standardize: Standardize = True,
    test_fraction: Fraction = 0.25,
    split: Split = "seed",
    positives: Positives = None,
) -> Task:
    """Any loader or maker of `sklearn.datasets` that needs no network, such as load_wine or make_moons, with its `arguments`.

    A maker draws by the data seed, which is its `random_state`, unless `arguments` fix it. The other options are those of
    the task `file`.

    Formula: the features of the loader, minus their mean, over their standard deviation, both of the training examples.
    Source: scikit-learn (Pedregosa et al., 2011), `sklearn.datasets`.
    Law: over the training examples standardized features have mean 0 and variance 1, or are 0 in all.
    Limit: the loader's own numbers for standardize = false.
    """
    function = _found(loader)
    parameters = inspect.signature(function).parameters
    unknown = next((name for name in arguments if name not in parameters), None)
    if unknown is not None:
        raise ValueError(f"arguments: {loader} has no '{unknown}'; {nearest(unknown, parameters)}")
    seeded = "random_state" in parameters and "random_state" not in arguments

    def parts(seed: int) -> Parts:
        return parts_of(function(**arguments, **({"random_state": seed} if seeded else {})))

    try:
        return supplied_task(Supply.of(parts, seeded, kind, Treatment(standardize, test_fraction, split, positives)), loss)
    except (ValueError, TypeError) as error:
        raise ValueError(f"loader = '{loader}': {one_line(error, 300)}") from error


def _found(name: str) -> Callable[..., Any]:
    """Return the function of this name; ValueError if there is none, or if it would read files or the network."""
    # Here, for importing scikit-learn takes two thirds of a second.
    from sklearn import datasets

    known = [one for one in dir(datasets) if one.startswith(("load_", "make_")) and _needs_nothing(getattr(datasets, one))]
    if name in known:
        return getattr(datasets, name)
    if name.startswith("fetch_") and hasattr(datasets, name):
        raise ValueError(
            f"loader = '{name}': it needs the network; the task 'openml' fetches from openml.org, the task 'file' reads a file"
        )
    raise ValueError(f"loader = '{one_line(name, 100)}': no loader or maker of sklearn.datasets without a file; {nearest(name, known)}")


def _needs_nothing(function: Callable[..., Any]) -> bool:
    """Tell whether all parameters of a function have defaults: what must be told a file or a folder is not taken."""
    return all(one.default is not one.empty for one in inspect.signature(function).parameters.values())
