"""Tasks of data that come from outside: split, thinned out, standardized, and drawn on the host where they depend on the data seed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from pydantic import Field

from bench.losses.definition import Kind
from bench.piece_names import Named
from bench.tasks.arrays import Labels, Parts, encoded, labels_of, numbers
from bench.tasks.definition import Data, Task, digest_of

Fraction = Annotated[float, Field(ge=0, lt=1)]
Split = Literal["fixed", "seed", "last"]
Standardize = bool | Literal["together"]


class Treatment(NamedTuple):
    """The treatment of supplied data before they are trained on."""

    standardize: Standardize = False
    """Features, and the values of a regression, get mean 0 and variance 1 over the training examples: each for itself, or all together."""
    test_fraction: float = 0.0
    """Share of the examples that are for testing."""
    split: Split = "fixed"
    """Which examples are for testing, and which are left out: drawn once, drawn anew for each data seed, or the last ones."""
    positives: float | None = None
    """Share of the second of two classes, to which examples of the class that is too frequent are left out at random."""


AS_IT_IS = Treatment()


@dataclass(frozen=True)
class Supply:
    """Data from outside of the package, which have been checked."""

    parts: Callable[[int], Parts]
    """Gives the examples of a data seed, as `numbers` returns them; the same ones every time if not `seeded`."""
    seeded: bool
    treatment: Treatment
    labels: Labels

    @classmethod
    def of(cls, parts: Callable[[int], Parts], seeded: bool = False, kind: Kind | None = None, treatment: Treatment = AS_IT_IS) -> "Supply":
        """Check the data of the data seed 0; ValueError in one line if they are wrong.

        `parts` gives the data of a data seed as they came, the same ones every time if not `seeded`. Labels that are not 0, 1, ... are
        classes in ascending order.
        """

        @lru_cache(maxsize=1)
        def checked(seed: int) -> Parts:
            return numbers(parts(seed))

        def of_seed(seed: int) -> Parts:
            return checked(seed if seeded else 0)

        first = of_seed(0)
        found = cls(of_seed, seeded, treatment, labels_of(first, kind))
        _check(first, found)
        found.drawn(0, "float32")
        return found

    @cached_property
    def drawn(self) -> Callable[[int, Any], Data]:
        """`data`, which remembers the last data sets."""
        return lru_cache(maxsize=2)(self.data)

    @property
    def depends_on_seed(self) -> bool:
        """Whether two data seeds give two different data sets."""
        draws = self.treatment.test_fraction > 0 or self.treatment.positives is not None
        return self.seeded or draws and self.treatment.split == "seed"

    def data(self, seed: int, dtype: DTypeLike) -> Data:
        """Return the data set of a data seed as NumPy arrays."""
        parts, treatment = self.parts(seed), self.treatment
        rng = np.random.default_rng(seed if treatment.split == "seed" or self.seeded else 0)
        x, y = parts.x, encoded("y", parts.y, self.labels)
        kept = np.arange(len(x)) if treatment.positives is None else self._thinned(y, treatment.positives, rng)
        if parts.x_test is not None:
            test_x, test_y = parts.x_test, encoded("y_test", parts.y_test, self.labels)
        elif n_test := round(treatment.test_fraction * len(kept)):
            kept = kept if treatment.split == "last" else rng.permutation(kept)
            test_x, test_y = x[kept[-n_test:]], y[kept[-n_test:]]
            kept = kept[:-n_test]
        else:
            test_x, test_y = None, None
        if len(kept) < len(x):
            x, y = x[kept], y[kept]
        move = _standardizing(x, treatment.standardize)
        move_y = _standardizing(y, bool(treatment.standardize)) if self.labels.kind == "regression" else _same
        x, y, test_x, test_y = move(x), move_y(y), test_x if test_x is None else move(test_x), test_y if test_y is None else move_y(test_y)
        x, y, test_x, test_y = (self._as_numbers(one, dtype) for one in (x, y, test_x, test_y))
        return Data(x, y, test_x, test_y, np.zeros((), dtype))

    def _thinned(self, y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """Return the places of the examples that are kept, in ascending order; ValueError if none of a class would be left."""
        classes = [np.flatnonzero(y == number) for number in (0, 1)]
        wanted = [round(len(classes[1]) * (1 - share) / share), round(len(classes[0]) * share / (1 - share))]
        # One of the two numbers is at most what there is of its class; examples of that class are left out.
        scarce = 0 if wanted[0] <= len(classes[0]) else 1
        if wanted[scarce] == 0:
            raise ValueError(
                f"positives = {share:g}: with {len(classes[0]):,} and {len(classes[1]):,} examples of the classes none would be left"
            )
        classes[scarce] = rng.permutation(classes[scarce])[: wanted[scarce]]
        return np.sort(np.concatenate(classes))

    def _as_numbers(self, array: np.ndarray | None, dtype: DTypeLike) -> Any:
        if array is None:
            return None
        if self.labels.classes is not None and array.ndim == 1:
            return array if self.labels.outputs > 1 else array[:, None].astype(dtype)
        with np.errstate(over="ignore"):
            numbers = array.astype(dtype)
        if not np.isfinite(numbers).all():
            raise ValueError(f"its numbers reach {np.max(np.abs(array)):g}, which {jnp.dtype(dtype).name} cannot hold")
        return numbers


def supplied_task(supply: Supply, loss: Named | None = None) -> Task:
    """Return the task of supplied data; without a `loss` it is cross-entropy for classes and the mean squared error for values."""
    first = supply.parts(0)
    found = supply.labels.classes
    names = () if found is None or np.array_equal(found, np.arange(len(found))) else tuple(str(one) for one in found.tolist())
    return Task(
        first.x.shape[1],
        supply.labels.outputs,
        _sampler(supply.drawn, supply.depends_on_seed),
        loss or ("cross_entropy" if supply.labels.kind == "classification" else "mse"),
        supply.labels.kind,
        seeded=supply.depends_on_seed,
        resamples=not supply.seeded and supply.depends_on_seed,
        by_seed=True,
        class_names=names,
        digest=None if supply.seeded else lambda: digest_of(first),
    )


def _sampler(drawn: Callable[[int, Any], Data], seeded: bool) -> Callable[[Any, DTypeLike], Data]:
    """Return `sample` of a task: its data set, or a call of the host from a compiled program where that depends on the data seed."""

    def sample(seed: Any, dtype: DTypeLike) -> Data:
        name = jnp.dtype(dtype).name
        first = drawn(0, name)
        if not seeded:
            return first

        def on_host(seeds: Any) -> Data:
            seeds = np.asarray(seeds)
            found = [_words(drawn(int(one), name)) for one in seeds.flat]
            return jax.tree.map(lambda *leaves: np.stack(leaves).reshape(seeds.shape + leaves[0].shape), *found)

        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), _words(first))
        words = jax.pure_callback(on_host, shapes, seed, vmap_method="broadcast_all")
        return jax.tree.map(
            lambda word, leaf: word if word.dtype == leaf.dtype else jax.lax.bitcast_convert_type(word, leaf.dtype), words, first
        )

    return sample


def _words(data: Data) -> Data:
    """Return arrays of 64 bits as pairs of 32 bits: the thread in which JAX calls the host knows nothing of larger numbers."""
    return jax.tree.map(lambda leaf: leaf.reshape((*leaf.shape, 1)).view(np.uint32) if leaf.dtype.itemsize == 8 else leaf, data)


def _check(parts: Parts, supply: Supply) -> None:
    treatment, n = supply.treatment, len(parts.x)
    if treatment.positives is not None and (supply.labels.kind != "classification" or supply.labels.outputs > 1):
        what = "a regression" if supply.labels.kind == "regression" else f"{supply.labels.outputs} classes"
        raise ValueError(f"positives = {treatment.positives:g}: the share of the second of two classes, but this is {what}")
    if treatment.test_fraction > 0:
        if parts.x_test is not None:
            raise ValueError(f"test_fraction = {treatment.test_fraction:g}: the data have a test part of their own")
        n_test = round(treatment.test_fraction * n)
        if not 0 < n_test < n:
            raise ValueError(f"test_fraction = {treatment.test_fraction:g}: of {n:,} examples that is {'none' if n_test == 0 else 'all'}")


def _standardizing(values: np.ndarray, how: Standardize) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map that gives these values mean 0 and variance 1; values that do not vary stay at 0."""
    if how is False:
        return _same
    axis = None if how == "together" else 0
    mean, spread = np.mean(values, axis=axis, dtype=float), np.std(values, axis=axis, dtype=float)

    def moved(array: np.ndarray) -> np.ndarray:
        centered = array - mean
        # In place: of large data another array took longer than the division.
        centered /= np.where(spread > 0, spread, 1)
        return centered

    return moved


def _same(array: np.ndarray) -> np.ndarray:
    return array
