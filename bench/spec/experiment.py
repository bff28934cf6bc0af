"""The experiment file: read, validate, expand into cells, hash."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bench.initializers import draws, initializer
from bench.messages import explain, nearest, one_line, shown
from bench.models import model
from bench.optimizers import check_optimizer
from bench.probes import probe
from bench.registry import STRICT, Registry, importing, is_opaque, is_reading, module_of
from bench.runs.record import Name
from bench.schemes import scheme
from bench.spec.document import check_content, read_document, walk, write_document
from bench.spec.grid import assign, axis_label, check_labels, check_order, flat_paths, label_key, wanted_labels
from bench.tasks import task

SECTIONS = ("task", "model", "initializer", "optimizer", "training")
COMMON = ("curves", "loss_initial", "metric", "test_loss", "test_metric", "grad_norm")
"""What a report may do without, besides probes."""
NEEDED = (
    "experiment", "cell", "data_seed", "init_seed", "outcome", "steps_to_solve", "steps_run", "learning_rate", "loss_final", "params_digest"
)  # fmt: skip
"""Columns that a report cannot do without."""
MAX_STEPS = 2_000_000_000
"""Steps are counted in 32 bits, an epoch at a time."""
MAX_SEEDS = 1 << 32
"""Seeds are 32 bits wide; more would begin again at 0."""
MAX_RANGE, MAX_CELLS = 10_000, 20_000
"""Most values of a grid's range, and most cells of an experiment."""
LARGEST = {"float32": float(np.finfo(np.float32).max), "float64": 1e150}
SMALLEST = {"float32": float(np.finfo(np.float32).tiny), "float64": 1e-150}
"""Sizes of numbers that do not overflow or vanish as such, or in float64 when they are squared."""
LONGEST_LABEL = 200
RELATIVE_RATE = re.compile(r"\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e-?[0-9]+)?)\s*/\s*curvature\s*")
MOST_SIZE = 2**31 - 1
"""Of any number of examples, units or layers: products of a few of them do not overflow 64 bits."""
MOST_LANES = 1 << 44
"""Most lanes of a cell: no number of a lane overflows 64 bits, whatever the number of cells."""

Names = Annotated[tuple[str, ...], Field(strict=False)]


def _spelled_out(values: Any) -> Any:
    """A grid's range as a list of its numbers."""
    if not isinstance(values, dict):
        return values
    try:
        return GridRange.model_validate(values).values()
    except ValidationError as error:
        raise ValueError(explain(error, GridRange)) from error


class Part(BaseModel):
    """A node of the experiment file; unknown keys are errors."""

    model_config = STRICT


class Piece(Part):
    """A registered thing: its name, and its options with their defaults filled in."""

    name: str
    options: dict[str, Any] = {}

    @classmethod
    def gather(cls, registry: Registry, raw: Any) -> Any:
        """From `{name, option, ...}` or a bare name, as it stands in a file."""
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            raise ValueError(f"needs a name; {nearest('', registry)}")
        if is_opaque(raw["name"]):
            # Which of these keys the piece has as options of its own is not known; what is no value of a setting is an option.
            own = {key: value for key, value in raw.items() if key in cls.model_fields and key != "options" and cls._takes(key, value)}
            return {**own, "options": {key: value for key, value in raw.items() if key not in own}}
        entry = registry[raw["name"]]
        # A setting of this section gives way to an option of a user's own piece that has its name.
        settings = set(cls.model_fields) - {"options"} - (set(entry.options.model_fields) if entry.own else set())
        own = {key: value for key, value in raw.items() if key in settings}
        given = {key: value for key, value in raw.items() if key not in own}
        try:
            options = entry.options.model_validate(given).model_dump()
        except ValidationError as error:
            raise ValueError(explain(error, entry.options, also=settings)) from error
        return {**own, "options": options}

    @classmethod
    def _takes(cls, key: str, value: Any) -> bool:
        """Whether a setting of this section can have a value."""
        field = cls.model_fields[key]
        kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        try:
            TypeAdapter(kind, config=STRICT).validate_python(value)
        except ValidationError:
            return False
        return True


class TaskSpec(Piece):
    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(task, raw)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if not is_reading():
            task[self.name].bind(self.options)()
        return self


class ModelSpec(Piece):
    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(model, raw)


class LayerInitializer(Piece):
    """The initializer of some parameters, weights or not: its name and options; the lane's gain multiplies weights alone."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(initializer, raw)


class InitializerSpec(Piece):
    gain: NonNegativeFloat = 1.0
    """Multiplies the standard deviation (and any constant)."""
    bias: Literal["zeros", "uniform_fan_in"] | float | None = None
    """Biases: zero, U(+-1/sqrt(fan_in)), or a number; None: the initializer's own convention."""
    bias_stddev: NonNegativeFloat = 0.0
    """Standard deviation of a normal added to the biases."""
    layers: dict[str, LayerInitializer] = {}
    """Initializers of single parameters, by their names in the model; of several that match, the last counts."""
    zero_layers: Annotated[tuple[NonNegativeInt | str, ...], Field(strict=False)] = ()
    """Weight layers set to zero: their indices, or names of parameters."""
    zero_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    first_layer_offset: float = 0.0
    """Added to every weight of the first layer."""
    scheme: str | None = None
    """Applied last, to all parameters: a function that sees the network and the data."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(initializer, raw)

    @model_validator(mode="after")
    def _known_scheme(self) -> Self:
        if self.scheme is not None and not is_opaque(self.scheme) and not is_opaque(self.name):
            scheme[self.scheme]  # noqa: B018  (looks the name up)
        return self

    @property
    def bias_law(self) -> str | float:
        if self.bias is None:
            return initializer[self.name].traits.get("bias", "zeros")
        return self.bias

    @property
    def random(self) -> bool:
        """Whether two seeds give different parameters."""
        random = any(draws(one.name, one.options) for one in (self, *self.layers.values()))
        draws_weights = random and self.gain > 0 and self.zero_fraction < 1
        return draws_weights or self.bias_law == "uniform_fan_in" or self.bias_stddev > 0


class OptimizerSpec(Part):
    name: str = "sgd"
    learning_rate: float | str = 0.1
    """A number, or `"c/curvature"`: c over the largest Hessian eigenvalue of the training loss at the origin."""
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict):
            raise ValueError("needs a name and a learning_rate")
        own = {key: raw[key] for key in ("name", "learning_rate") if key in raw}
        return {**own, "options": {key: value for key, value in raw.items() if key not in own}}

    @model_validator(mode="after")
    def _known(self) -> Self:
        for path, value in walk(self.options):
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{'.'.join(path)} = {value}: a finite number")
        if not is_opaque(self.name):
            check_optimizer(self.name, self.options)
        if self.rate < 0 or self.rate == float("inf"):
            raise ValueError(f"learning_rate = {self.learning_rate}: a finite number >= 0 or 'c/curvature'")
        return self

    @property
    def relative(self) -> bool:
        """Whether the learning rate is counted in units of 1 / curvature."""
        return isinstance(self.learning_rate, str)

    @property
    def rate(self) -> float:
        """The number in `learning_rate`."""
        if not isinstance(self.learning_rate, str):
            return self.learning_rate
        match = RELATIVE_RATE.fullmatch(self.learning_rate)
        if match is None:
            raise ValueError(f"learning_rate = '{self.learning_rate}': a number, or a text like '1/curvature'")
        return float(match[1])


class Training(Part):
    steps: Annotated[int, Field(gt=0, le=MAX_STEPS)] = 5000
    batch_size: NonNegativeInt = 0
    """Examples per update; 0: all of them."""
    solved_below: float | None = None
    """Training loss below which a lane has solved its task; None: never."""
    stop: Literal["solved", "budget"] = "solved"
    dtype: Literal["float32", "float64"] = "float32"
    l2: NonNegativeFloat = 0.0
    """Adds l2/2 times the squared norm of the weights (not the biases) to the loss."""
    label_noise: NonNegativeFloat = 0.0
    """At each step each label is drawn anew from all classes with this probability; a regression's values get a normal of this stddev."""
    weight_noise: NonNegativeFloat = 0.0
    """Standard deviation of a normal added to the weights for the gradient of each step."""
    dropconnect: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability with which each weight is dropped, for each example at each step."""
    freeze_zeros: bool = False
    """Whether weights that begin at 0 stay there: with `initializer.zero_fraction`, a pruning mask."""
    frozen: Names = ()
    """Names of parameters that are not trained."""
    updates: Literal["simultaneous", "alternating"] = "simultaneous"
    """Of a model with several players: all of them from the same parameters, or each from those that the ones before have updated."""


class Settings(Part):
    """Everything that one lane needs besides its seeds."""

    task: TaskSpec
    model: ModelSpec
    initializer: InitializerSpec
    optimizer: OptimizerSpec = OptimizerSpec()
    training: Training = Training()

    def essence(self) -> dict[str, Any]:
        """What differs from the defaults: the same after new options were added, so that stored runs keep their identity."""
        found = {section: _essence(section, getattr(self, section)) for section in SECTIONS}
        return {section: content for section, content in found.items() if content is not None}

    def foreign(self) -> Iterator[tuple[str, str]]:
        """Kind and name of each piece that is imported from a module of the user's own."""
        layers = ((f"initializer.layers.{layer}", piece.name) for layer, piece in self.initializer.layers.items())
        pieces = (
            ("task", self.task.name),
            ("model", self.model.name),
            ("initializer", self.initializer.name),
            *layers,
            ("initializer.scheme", self.initializer.scheme or ""),
            ("optimizer", self.optimizer.name),
        )
        yield from ((kind, name) for kind, name in pieces if ":" in name)


class Range(Part):
    """Numbers at equal distances, or equal ratios, from one to another."""

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    log: bool = False

    @model_validator(mode="after")
    def _has_values_between(self) -> Self:
        if self.start == self.stop:
            raise ValueError(f"from and to are both {self.start:g}")
        if self.log and min(self.start, self.stop) <= 0:
            raise ValueError("log needs positive numbers")
        if not 0 < abs(self.stop / self.start if self.log else self.stop - self.start) < np.inf:
            raise ValueError(f"from {self.start:g} to {self.stop:g}: too far apart for the numbers between them")
        return self

    def at(self, share: np.ndarray) -> np.ndarray:
        """The numbers at these shares (0 to 1) of the way."""
        if self.log:
            return self.start * (self.stop / self.start) ** share
        return self.start + (self.stop - self.start) * share


class GridRange(Range):
    """A range as the values of a grid's axis, to six digits."""

    count: Annotated[int, Field(ge=2, le=MAX_RANGE)]

    def values(self) -> list[float]:
        return [float(f"{value:.6g}") for value in self.at(np.linspace(0, 1, self.count))]


class Span(Part):
    """A part of a map's axis."""

    at_least: float = -np.inf
    at_most: float = np.inf


class MapAxis(Range):
    path: Literal["optimizer.learning_rate", "initializer.gain", "initializer.first_layer_offset", "training.l2"]


class Map(Part):
    """Lanes as the points of a lattice, all with the same initial weights.

    Lane i stands where the bits of i say, in reverse: the first 4^k lanes are a regular lattice of 2^k x 2^k points, so that more
    seeds refine the map and every lane stays where it is.
    """

    x: MapAxis
    y: MapAxis

    @model_validator(mode="after")
    def _two_axes(self) -> Self:
        if self.x.path == self.y.path:
            raise ValueError(f"x and y are the same setting, {self.x.path}")
        return self

    def places(self, lane: np.ndarray) -> dict[str, np.ndarray]:
        """The value of each axis for these lanes."""
        lane = np.asarray(lane, np.int64)
        bits = [(lane[..., None] >> np.arange(first, 62, 2)) & 1 for first in (0, 1)]
        shares = [bit @ 0.5 ** np.arange(1, bit.shape[-1] + 1) for bit in bits]
        return {axis.path: axis.at(share) for axis, share in zip((self.x, self.y), shares, strict=True)}


class Seeds(Part):
    init: Annotated[int, Field(gt=0, le=MAX_SEEDS)] = 1000
    data: Annotated[int, Field(gt=0, le=MAX_SEEDS)] | Literal["paired"] = 1
    """Data seeds, crossed with the init seeds; "paired": init seed i meets data seed i."""
    map: Map | None = None
    """Init seeds are then the points of a map, and each data seed is one draw of data and initial weights, which all its points share."""

    @model_validator(mode="after")
    def _crossed_with_points(self) -> Self:
        if self.map is not None and self.data == "paired":
            raise ValueError("map: each draw of data has all points; data = the number of draws")
        return self

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.data != "paired" and self.data * self.init > MOST_LANES:
            raise ValueError(f"init = {self.init} crossed with data = {self.data}: at most {MOST_LANES:,} training runs of one cell")
        return self

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Data seed and init seed of every lane of a cell."""
        return self.at(np.arange(len(self)))

    def at(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Data seed and init seed of the lanes of a cell that stand at these places."""
        if self.data == "paired":
            return place, place
        data, init = np.divmod(place, self.init)
        return data, init

    def places(self, data_seed: np.ndarray, init_seed: np.ndarray) -> np.ndarray:
        """Where lanes with these seeds stand in a cell; -1 where there is none."""
        known = (init_seed >= 0) & (init_seed < self.init)
        if self.data == "paired":
            return np.where(known & (data_seed == init_seed), init_seed, -1)
        known &= (data_seed >= 0) & (data_seed < self.data)
        return np.where(known, data_seed * self.init + init_seed, -1)

    def __len__(self) -> int:
        """Training runs of a cell."""
        return self.init if self.data == "paired" else self.data * self.init


class Comparison(Part):
    """The rows that a claim's own are held against; what it does not say is as in the claim."""

    where: dict[str, Any] = {}
    measure: str | None = None


class Control(Part):
    """A positive control: what must hold of other rows, or of the same, before a claim can be judged."""

    where: dict[str, Any] = {}
    measure: str
    at_least: float | None = None
    at_most: float | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With a numeric measure: the share of runs that must meet the bound (default 0.99)."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs: exactly one of at_least, at_most")
        return self


class Claim(Part):
    """A statement and the criterion that judges it, both in the file before the run, or marked as `edited`."""

    id: Name
    says: str
    family: Name | None = None
    """The claim of the thread (C1-C23) that this one settles; Holm's correction is taken over a family."""
    where: dict[str, Any] = {}
    measure: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    equal_to: float | Comparison | None = None
    """A number, or the same lanes of another condition, paired by their seeds; `margin` is then relative."""
    margin: Annotated[float, Field(ge=0)] | None = None
    """With `equal_to`: how far off counts as equal. With `greater_than`: the smallest difference that counts, of shares (default 0.02) or
    of P(larger) from 1/2 (default 0.05)."""
    each: bool = False
    """Judge the share of runs that meet the bound, not their median."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With `each`: the share of runs that must meet the bound (default 0.99)."""
    greater_than: Comparison | None = None
    paired: bool = False
    """Refuse to compare other lanes than pairs of the same seeds, which are compared wherever the sides share them one to one."""
    best: str | None = None
    """An axis of which the best value counts, chosen on one half of the clusters and judged on the other, on each side of a comparison."""
    needs: Control | None = None
    """A positive control: where it does not hold, the verdict is withheld."""
    law: str | None = None
    by: Names = ()
    pool: Names = ()
    """Axes whose rows are judged together on purpose; any other axis must stand in `where` or `by`, or be `best`."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    edited: Annotated[str, Field(min_length=1)] | None = None
    """When and why the criterion was changed after rows existed: the claim is then exploratory until fresh seeds confirm it."""

    @model_validator(mode="after")
    def _one_criterion(self) -> Self:
        criteria = [name for name in ("at_least", "at_most", "equal_to", "greater_than", "law") if getattr(self, name) is not None]
        if len(criteria) != 1:
            raise ValueError(f"has {len(criteria)} criteria; exactly one of at_least, at_most, equal_to, greater_than, law")
        if self.equal_to is not None and self.margin is None:
            raise ValueError("equal_to and margin stand together")
        if self.margin is not None and self.equal_to is None and self.greater_than is None:
            raise ValueError("margin stands with equal_to or greater_than")
        if (self.measure is None) != (self.law is not None):
            raise ValueError("a claim has either a measure or a law")
        if self.law is not None and (self.where or self.by or self.pool or self.best or self.needs):
            raise ValueError("a law names its own runs and conditions; where, by, pool, best and needs stand with a measure")
        if self.paired and self.greater_than is None:
            raise ValueError("paired stands with greater_than")
        if self.each and (self.greater_than is not None or self.law is not None):
            raise ValueError("each stands with at_least, at_most or equal_to")
        if self.share is not None and not self.each:
            raise ValueError("share stands with each")
        return self


class Published(Part):
    """A published number that the report prints beside ours."""

    says: str
    value: float
    source: str
    differs: str
    """Where its protocol differs from ours."""
    measure: str
    where: dict[str, Any] = {}


class Figure(Part):
    """A figure of the report: what it draws from the rows."""

    name: Name
    """Names its files."""
    kind: str
    caption: str
    where: dict[str, Any] = {}
    x: str | None = None
    y: str | None = None
    color: str | None = None
    panel: str | None = None
    log: bool | None = None
    lines: dict[str, float] = {}
    """Labeled reference values."""


@dataclass(frozen=True)
class Cell:
    """One point of the grid: its settings, its value on each axis as it stands in the rows, and a stable id."""

    id: str
    axes: dict[str, Any]
    settings: Settings
    map: Map | None = None


def digest(content: Any, length: int = 64) -> str:
    """SHA-256 of a JSON-able value, independent of the order of keys."""
    return _digest(_json(content), length)


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


class Experiment(Part):
    """A question, the grid of settings that is run to answer it, and the claims that it settles."""

    name: Name
    question: str = ""
    headline: bool = False
    """Whether `initbench reproduce` without a name runs it."""
    task: Any = None
    model: Any = None
    initializer: Any = None
    optimizer: Any = {}
    training: Any = {}
    seeds: Seeds = Seeds()
    probes: Names | None = None
    """Names of the probes measured at start and end; None: all that the model allows, but the optional ones."""
    unreported: Names = ()
    """What a report's copy of the rows leaves out: `curves`, columns of probes and common ones (without `_initial` and `_final`), or a
    pattern of columns like `signal_variance_*_final`."""
    track: Names = ()
    """Probes recorded along the curves; with `tie_spread`, the column `break_step` as well."""
    laws: Names = ()
    """Laws of `analysis.laws` that must hold before a verdict is printed."""
    grid: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_spelled_out), Field(strict=False, min_length=1)]] = {}
    case: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    published: Annotated[tuple[Published, ...], Field(strict=False)] = ()
    figure: Annotated[tuple[Figure, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_plain_values(cls, content: Any) -> Any:
        check_content(content)
        return content

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for key in (*self.grid, *(key for case in self.case for key in case if key != "label")):
            section = key.partition(".")[0]
            if section not in SECTIONS or key.endswith(".") or ".." in key:
                raise ValueError(f"grid: '{one_line(key)}' is no setting; a dotted path that begins with {', '.join(SECTIONS)}")
        for case in self.case:
            label = case.get("label")
            if not isinstance(label, str) or not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
                raise ValueError(f"case: each one needs a label, a line of at most {LONGEST_LABEL} characters")
            check_order("grid", self.grid, before=flat_paths({key: value for key, value in case.items() if key != "label"}))
        if not self.case:
            check_order("grid", self.grid)
        self.cells  # noqa: B018  (expands and validates every cell)
        for axis, labels in self.axes.items():
            check_labels(axis, labels)
        self._check_columns()
        for key, entries in (("claim: id", self.claim), ("figure: name", self.figure)):
            _check_once(key, [getattr(entry, key.rpartition(" ")[2]) for entry in entries])
        for claim in self.claim:
            self._check_axes(claim)
        for place, where in self._conditions():
            self._matching(place, where)
        if self.seeds.map is not None:
            self._check_map(self.seeds.map)
        return self

    # After all others, which it goes around.
    @model_validator(mode="wrap")
    @classmethod
    def _may_import(cls, raw: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        with importing():
            return validate(raw)

    def _check_columns(self) -> None:
        """Probes exist and have columns of their own; what a report leaves out is not what it needs."""
        for name in (*(self.probes or ()), *self.track):
            if not is_opaque(name):
                probe[name]  # noqa: B018  (looks the name up)
        for key in ("probes", "track"):
            names = getattr(self, key) or ()
            _check_once(key, names)
            columns = [name.rpartition(":")[2] for name in names]
            for place, (name, column) in enumerate(zip(names, columns, strict=True)):
                if column in columns[:place] or ":" in name and column in {*probe, *COMMON, *NEEDED, "lane", "step", "loss"}:
                    raise ValueError(f"probe '{one_line(name)}': there is another column '{column}'; give the function another name")
        for key in ("laws", "unreported"):
            _check_once(key, getattr(self, key))
        known = {*COMMON, *probe, *(name.rpartition(":")[2] for name in self.probes or ())}
        for name in self.unreported:
            if "*" not in name and name not in known:
                raise ValueError(f"unreported: '{one_line(name)}' is no column; {nearest(name, known)}")
            needed = next((column for column in (*NEEDED, *self.axes) if fnmatchcase(column, name)), None)
            if needed is not None:
                raise ValueError(f"unreported: '{one_line(name)}' would leave out '{needed}', which every report needs")

    def _check_axes(self, claim: Claim) -> None:
        place = f"claim '{claim.id}'"
        for key, axes in (("by", claim.by), ("pool", claim.pool), ("best", (claim.best,) if claim.best else ())):
            _check_once(f"{place}: {key}", axes)
            for axis in axes:
                if axis not in self.axes:
                    raise ValueError(f"{place}: {key}: '{one_line(axis)}' is no axis; {nearest(axis, self.axes)}")

    def _conditions(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every `where` of the file, and where it stands."""
        for claim in self.claim:
            yield f"claim '{claim.id}': where", claim.where
            for key in ("greater_than", "equal_to", "needs"):
                other = getattr(claim, key)
                if isinstance(other, Comparison | Control):
                    yield f"claim '{claim.id}': {key}.where", other.where
        for figure in self.figure:
            yield f"figure '{figure.name}': where", figure.where
        for number in self.published:
            yield "published: where", number.where

    def _matching(self, place: str, where: Mapping[str, Any]) -> None:
        mapped = [axis.path for axis in (self.seeds.map.x, self.seeds.map.y)] if self.seeds.map else []
        for axis, wanted in where.items():
            if axis in mapped:
                try:
                    Span.model_validate(wanted)
                except ValidationError as error:
                    raise ValueError(
                        f"{place}: {axis}: a part of the map, {{ at_least = ..., at_most = ... }}: {explain(error, Span)}"
                    ) from error
                continue
            if axis not in self.axes:
                raise ValueError(f"{place}: '{one_line(axis)}' is no axis; {nearest(axis, self.axes)}")
            labels = wanted_labels(wanted, self.axes[axis])
            if not labels:
                raise ValueError(f"{place}: {axis} = []: at least one of its values")
            known = set(map(label_key, self.axes[axis]))
            for value in labels:
                if label_key(value) not in known:
                    raise ValueError(f"{place}: {axis} = {shown(value)}; {nearest(repr(value), map(repr, self.axes[axis]))}")

    def _check_map(self, places: Map) -> None:
        """The ends of a map's axes are held to what is allowed of the setting itself."""
        for axis in (places.x, places.y):
            if axis.path in self.axes:
                raise ValueError(f"seeds.map: '{axis.path}' is an axis of the grid as well")
            section, _, key = axis.path.partition(".")
            for cell in (self.cells[0], *(cell for cell in self.cells if cell.settings.training.dtype == "float32"))[:2]:
                piece = getattr(cell.settings, section)
                if section == "initializer" and key in piece.options:
                    raise ValueError(f"seeds.map: '{axis.path}' is an option of '{one_line(piece.name, 100)}', no setting")
                own = {} if section == "training" else {"name": piece.name, **piece.options}
                for end in (axis.start, axis.stop):
                    try:
                        changed = _validated(section, {**own, key: end})
                        _check_sizes(_extremes(section, changed), cell.settings.training.dtype)
                    except ValueError as error:
                        raise ValueError(f"seeds.map: {error}") from error

    _text: str | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, text: str, place: str = "experiment", overrides: Mapping[str, Any] | None = None) -> Self:
        """Read TOML text, with `--set` values put into it; ValueError with one line if anything is wrong."""
        try:
            text, content = read_document(text, overrides)
        except ValueError as error:
            raise ValueError(one_line(f"{place}: {error}")) from error
        try:
            experiment = cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(one_line(f"{place}: {explain(error, cls)}")) from error
        experiment._text = text
        return experiment

    @property
    def text(self) -> str:
        """The experiment as TOML: as it was read, or written from its fields."""
        if self._text is not None:
            return self._text
        return write_document(self.model_dump(mode="json", exclude_defaults=True, by_alias=True))

    @property
    def lanes(self) -> int:
        """Number of lanes of the whole grid."""
        return len(self.cells) * len(self.seeds)

    @cached_property
    def axes(self) -> dict[str, list[Any]]:
        """Values of each axis, as they stand in the rows."""
        found: dict[str, list[Any]] = {}
        if self.case:
            found["case"] = [case["label"] for case in self.case]
        for key, values in self.grid.items():
            found[key] = [axis_label(value) for value in values]
        return found

    @cached_property
    def cells(self) -> list[Cell]:
        """The grid, expanded: cases times the cross product of the axes."""
        count = max(len(self.case), 1) * math.prod(map(len, self.grid.values()))
        if count > MAX_CELLS:
            raise ValueError(f"grid: {count:,} cells; at most {MAX_CELLS:,}")
        base = {section: getattr(self, section) for section in SECTIONS if getattr(self, section) is not None}
        for section, raw in base.items():
            # Also what the grid replaces; it may be what completes a section without a name.
            if section in ("optimizer", "training") or not isinstance(raw, dict) or "name" in raw:
                _validated(section, raw)
        sections = _Sections(base, self.case or ({},), self.grid)
        labels = [[axis_label(value) for value in values] for values in self.grid.values()]
        cells: list[Cell] = []
        for number, case in enumerate(self.case or ({},)):
            for places in product(*(range(len(values)) for values in self.grid.values())):
                settings, identity = sections.settings(number, places)
                axes = {"case": case["label"]} if case else {}
                axes.update((path, labels[i][place]) for i, (path, place) in enumerate(zip(self.grid, places, strict=True)))
                cells.append(Cell(identity, axes, settings, self.seeds.map))
        twins = Counter(cell.id for cell in cells)
        if len(twins) < len(cells):
            twin = next(cell for cell in cells if twins[cell.id] > 1)
            raise ValueError(f"grid: two cells have the same settings: {twin.axes}")
        return cells

    def identified(self, ids: Sequence[str]) -> Self:
        """The same experiment with these ids of its cells, as a folder keeps them: of opaque pieces they cannot be computed."""
        other = self.model_copy()
        other.__dict__["cells"] = [replace(cell, id=identity) for cell, identity in zip(self.cells, ids, strict=True)]
        return other

    @property
    def training_hash(self) -> str:
        """Identifies what trains: cells and probes, but not the number of seeds, which may grow, nor anything that only judges rows."""
        content = self.model_dump(mode="json", include={"name", "probes", "track"}, exclude_defaults=True)
        cells = [(cell.id, cell.axes) for cell in self.cells]
        seeds = self.seeds.model_dump(mode="json", include={"map"}, exclude_defaults=True)
        return digest({**content, "paired": self.seeds.data == "paired", "cells": cells, **seeds})

    @property
    def judging_hash(self) -> str:
        """Identifies what judges: claims and laws, which can be mended without training anew."""
        return digest(self.model_dump(mode="json", include={"laws", "claim"}, exclude_defaults=True))

    @property
    def criteria(self) -> dict[str, str]:
        """Identifies what each claim is judged by, without its words, by the claims' ids."""
        words = {"id", "says", "family", "edited"}
        return {claim.id: digest(claim.model_dump(mode="json", exclude=words, exclude_defaults=True)) for claim in self.claim}


def modules_named(experiment: Experiment, figures: bool = False) -> list[str]:
    """Modules of the user's own that the experiment's pieces and probes (and kinds of `figures`) come from, in alphabetical order."""
    names = {name for cell in experiment.cells for _, name in cell.settings.foreign()}
    others = (*(experiment.probes or ()), *experiment.track, *(figure.kind for figure in experiment.figure if figures))
    names |= {name for name in others if ":" in name}
    return sorted(set(map(module_of, names)))


class _Sections:
    """The sections of every cell, each validated once for all cells in which it stands with the same values."""

    def __init__(self, base: Mapping[str, Any], cases: Sequence[Mapping[str, Any]], grid: Mapping[str, Sequence[Any]]) -> None:
        self._base, self._cases, self._grid = base, cases, grid
        self._axes = {section: [i for i, path in enumerate(grid) if path.partition(".")[0] == section] for section in SECTIONS}
        self._known: dict[tuple[Any, ...], tuple[Any, str, list[tuple[str, float]]]] = {}

    def settings(self, case: int, places: Sequence[int]) -> tuple[Settings, str]:
        """Settings of the cell of this case with the values at these places of the grid's axes, and the cell's id."""
        parts, texts, extremes = {}, [], []
        for section in SECTIONS:
            changed = tuple(places[i] for i in self._axes[section])
            key = (section, case, changed)
            if key not in self._known:
                self._known[key] = self._section(section, case, changed)
            part, text, numbers = self._known[key]
            extremes += numbers
            parts[section] = part
            if text:
                texts.append(f'"{section}":{text}')
        # Not validated: every section has been.
        settings = Settings.model_construct(**parts)
        _check_sizes(extremes, settings.training.dtype)
        return settings, _digest(f"{{{','.join(sorted(texts))}}}", 12)

    def _section(self, section: str, case: int, places: Sequence[int]) -> tuple[Any, str, list[tuple[str, float]]]:
        """The section, what of it differs from the defaults, as text, and its extreme numbers."""
        tree = {section: deepcopy(self._base[section])} if section in self._base else {}
        paths = [path for path in self._grid if path.partition(".")[0] == section]
        written = {path: value for path, value in self._cases[case].items() if path.partition(".")[0] == section}
        for path, value in (*written.items(), *((path, self._grid[path][place]) for path, place in zip(paths, places, strict=True))):
            assign(tree, path, value)
        if section not in tree:
            field = Settings.model_fields[section]
            if field.is_required():
                raise ValueError(f"{section}: missing; a name, or a table with a name")
            return field.default, "", []
        part = _validated(section, tree[section])
        if section in ("task", "model"):
            _check_integers(section, part)
        essence = _essence(section, part)
        return part, _json(essence) if essence is not None else "", _extremes(section, part)


def _essence(section: str, part: Any) -> dict[str, Any] | None:
    """What of a section differs from the defaults; None: nothing, of one that may be left out."""
    content = part.model_dump(mode="json", exclude_defaults=True)
    registry = {"task": task, "model": model, "initializer": initializer}.get(section)
    if registry is None:
        return content if part != Settings.model_fields[section].default else None
    if is_opaque(part.name):
        return content
    options = registry[part.name].options.model_validate(part.options)
    return {**content, "options": options.model_dump(mode="json", exclude_defaults=True)}


def _validated(section: str, raw: Any) -> Any:
    """A section of the settings; ValueError with one line."""
    annotation: Any = Settings.model_fields[section].annotation
    try:
        return annotation.model_validate(raw)
    except ValidationError as error:
        message = explain(error, annotation)
        raise ValueError(message if message.startswith(f"{section}: ") else f"{section}: {message}") from error


def _extremes(section: str, part: Part) -> list[tuple[str, float]]:
    """Finite numbers of a section that float32 cannot hold, with their paths."""
    found = [(".".join((section, *path)), value) for path, value in walk(part.model_dump()) if isinstance(value, float)]
    return [(path, number) for path, number in found if math.isfinite(number) and not _fits(number, "float32")]


def _fits(number: float, dtype: str) -> bool:
    return number == 0 or SMALLEST[dtype] <= abs(number) <= LARGEST[dtype]


def _check_sizes(numbers: Iterable[tuple[str, float]], dtype: str) -> None:
    """Raise ValueError on a number that overflows or vanishes in the arithmetic that the cell is trained in."""
    for path, number in numbers:
        if not _fits(number, dtype):
            raise ValueError(f"{path} = {number:g}: in {dtype} a number is 0 or of size {SMALLEST[dtype]:.2g} to {LARGEST[dtype]:.2g}")


def _check_integers(section: str, part: Part) -> None:
    """Raise ValueError on a number of examples, units or layers that overflows the sizes of arrays."""
    for path, value in walk(part.model_dump()):
        if isinstance(value, int) and abs(value) > MOST_SIZE:
            raise ValueError(f"{'.'.join((section, *path))} = {value}: at most {MOST_SIZE:,}")


def _check_once(place: str, names: Sequence[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{place}: '{one_line(twice)}' stands there twice")
