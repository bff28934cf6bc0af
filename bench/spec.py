"""The experiment file: read, validate, expand into cells, hash."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Annotated, Any, Literal, Self

import numpy as np
import tomlkit
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from bench.initializers import draws, initializer
from bench.messages import explain, nearest
from bench.models import model
from bench.optimizers import check_optimizer
from bench.probes import probe
from bench.registry import STRICT, Registry
from bench.schemes import scheme
from bench.tasks import task

SECTIONS = ("task", "model", "initializer", "optimizer", "training")
COMMON = ("curves", "loss_initial", "metric", "test_loss", "test_metric", "grad_norm")
"""What a report may do without, besides probes."""
RELATIVE_RATE = re.compile(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*/\s*curvature\s*")

Frozen = Annotated[tuple[Any, ...], Field(strict=False)]
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
            raise ValueError(f"needs a name; allowed: {', '.join(registry)}")
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


class TaskSpec(Piece):
    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(task, raw)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
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
        if self.scheme is not None:
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
    steps: PositiveInt = 5000
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
        content = self.model_dump(mode="json", exclude_defaults=True)
        for section, registry in (("task", task), ("model", model), ("initializer", initializer)):
            piece = getattr(self, section)
            options = registry[piece.name].options.model_validate(piece.options)
            content[section]["options"] = options.model_dump(mode="json", exclude_defaults=True)
        return content


class Range(Part):
    """Numbers at equal distances, or equal ratios, from one to another."""

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    log: bool = False

    @model_validator(mode="after")
    def _has_a_logarithm(self) -> Self:
        if self.log and min(self.start, self.stop) <= 0:
            raise ValueError("log needs positive numbers")
        return self

    def at(self, share: np.ndarray) -> np.ndarray:
        """The numbers at these shares (0 to 1) of the way."""
        if self.log:
            return self.start * (self.stop / self.start) ** share
        return self.start + (self.stop - self.start) * share


class GridRange(Range):
    """A range as the values of a grid's axis, to six digits."""

    count: Annotated[int, Field(ge=2)]

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
    init: PositiveInt = 1000
    data: PositiveInt | Literal["paired"] = 1
    """Data seeds, crossed with the init seeds; "paired": init seed i meets data seed i."""
    map: Map | None = None
    """Init seeds are then the points of a map."""

    @model_validator(mode="after")
    def _one_data_set(self) -> Self:
        if self.map is not None and self.data != 1:
            raise ValueError("map: all points have the same data; data = 1")
        return self

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Data seed and init seed of every lane of a cell."""
        if self.data == "paired":
            return np.arange(self.init), np.arange(self.init)
        data, init = np.divmod(np.arange(self.data * self.init), self.init)
        return data, init

    def __len__(self) -> int:
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

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs: exactly one of at_least, at_most")
        return self


class Claim(Part):
    """A statement and the criterion that judges it, both fixed before the run."""

    id: str
    says: str
    family: str | None = None
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
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """With `each`: the share of runs that must meet the bound (default 0.99)."""
    greater_than: Comparison | None = None
    paired: bool = False
    """Compare lanes of the same seeds: of the pairs that differ, the larger share must be this side's."""
    best: str | None = None
    """An axis of which the best value counts, chosen on one half of the clusters and judged on the other, on each side of a comparison."""
    needs: Control | None = None
    """A positive control: where it does not hold, the verdict is withheld."""
    law: str | None = None
    by: Names = ()
    pool: Names = ()
    """Axes whose rows are judged together on purpose; any other axis must stand in `where` or `by`, or be `best`."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    edited: str | None = None
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

    name: str
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


def axis_label(value: Any) -> Any:
    """A grid value as it stands in a column: scalars as they are, lists as text, tables as name and options."""
    if not isinstance(value, dict):
        return json.dumps(value) if isinstance(value, list) else value
    options = ", ".join(f"{key}={option}" for key, option in value.items() if key != "name")
    return f"{value.get('name', '')}({options})" if options else value.get("name", "")


def digest(content: Any, length: int = 64) -> str:
    """SHA-256 of a JSON-able value, independent of the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


class Experiment(Part):
    """A question, the grid of settings that is run to answer it, and the claims that it settles."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
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
    """Laws of `analysis.theory` that must hold before a verdict is printed."""
    grid: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_spelled_out), Field(strict=False, min_length=1)]] = {}
    case: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    published: Annotated[tuple[Published, ...], Field(strict=False)] = ()
    figure: Annotated[tuple[Figure, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for key in (*self.grid, *(key for case in self.case for key in case if key != "label")):
            section = key.partition(".")[0]
            if section not in SECTIONS:
                raise ValueError(f"grid: '{key}' is no setting; a dotted path that begins with {', '.join(SECTIONS)}")
        for case in self.case:
            if not isinstance(case.get("label"), str):
                raise ValueError("case: each one needs a label")
        self.cells  # noqa: B018  (expands and validates every cell)
        for name in (*(self.probes or ()), *self.track):
            probe[name]  # noqa: B018  (looks the name up)
        for name in self.unreported:
            if "*" not in name and name not in (known := {*COMMON, *probe}):
                raise ValueError(f"unreported: '{name}' is no column; {nearest(name, known)}")
        ids = [claim.id for claim in self.claim]
        for claim in self.claim:
            if ids.count(claim.id) > 1:
                raise ValueError(f"claim: id '{claim.id}' is used twice")
            self._check_conditions(claim)
        for figure in self.figure:
            self._matching(f"figure '{figure.name}': where", figure.where)
        for number in self.published:
            self._matching("published: where", number.where)
        if self.seeds.map is not None:
            for axis in (self.seeds.map.x, self.seeds.map.y):
                if axis.path in self.axes:
                    raise ValueError(f"seeds.map: '{axis.path}' is an axis of the grid as well")
        return self

    def _check_conditions(self, claim: Claim) -> None:
        place = f"claim '{claim.id}'"
        for key, axes in (("by", claim.by), ("best", (claim.best,) if claim.best else ())):
            for axis in axes:
                if axis not in self.axes:
                    raise ValueError(f"{place}: {key}: '{axis}' is no axis; {nearest(axis, self.axes)}")
        self._matching(f"{place}: where", claim.where)
        for criterion in ("greater_than", "equal_to"):
            other = getattr(claim, criterion)
            if isinstance(other, Comparison):
                self._matching(f"{place}: {criterion}.where", other.where)

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
                raise ValueError(f"{place}: '{axis}' is no axis; {nearest(axis, self.axes)}")
            for value in wanted_labels(wanted, self.axes[axis]):
                if value not in self.axes[axis]:
                    raise ValueError(f"{place}: {axis} = {value!r}; allowed: {', '.join(map(repr, self.axes[axis]))}")

    _text: str | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, text: str, place: str = "experiment", overrides: Mapping[str, Any] | None = None) -> Self:
        """Read TOML text, with `--set` values put into it; ValueError with one line if anything is wrong."""
        try:
            document = tomlkit.parse(text)
            for path, value in (overrides or {}).items():
                override(document, path, value)
            text = tomlkit.dumps(document)
            content = tomllib.loads(text)
        except (tomlkit.exceptions.TOMLKitError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{place}: not TOML: {error}") from error
        try:
            experiment = cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{place}: {explain(error, cls)}") from error
        experiment._text = text
        return experiment

    @property
    def text(self) -> str:
        """The experiment as TOML: as it was read, or written from its fields."""
        if self._text is not None:
            return self._text
        return tomlkit.dumps(self.model_dump(mode="json", exclude_defaults=True, by_alias=True))

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
        base = {section: getattr(self, section) for section in SECTIONS if getattr(self, section) is not None}
        check_sections(base)
        cells: list[Cell] = []
        for case in self.case or ({},):
            for values in product(*self.grid.values()):
                raw = deepcopy(base)
                axes = {"case": case["label"]} if case else {}
                for path in case.keys() - {"label"}:
                    assign(raw, path, case[path])
                for path, value in zip(self.grid, values, strict=True):
                    assign(raw, path, value)
                    axes[path] = axis_label(value)
                settings = settings_of(raw)
                cells.append(Cell(digest(settings.essence(), 12), axes, settings, self.seeds.map))
        if len({cell.id for cell in cells}) < len(cells):
            twin = next(cell for cell in cells if sum(cell.id == other.id for other in cells) > 1)
            raise ValueError(f"grid: two cells have the same settings: {twin.axes}")
        return cells

    @property
    def hash(self) -> str:
        """Identifies what was registered: cells, probes, laws and claims, but not the number of seeds, which may grow."""
        content = self.model_dump(mode="json", include={"name", "probes", "track", "laws", "claim"}, exclude_defaults=True)
        cells = [(cell.id, cell.axes) for cell in self.cells]
        seeds = self.seeds.model_dump(mode="json", include={"map"}, exclude_defaults=True)
        return digest({**content, "paired": self.seeds.data == "paired", "cells": cells, **seeds})


def check_sections(base: dict[str, Any]) -> None:
    """Validate the sections of a file as they stand, so that a fault is found even where the grid replaces it."""
    for section, raw in base.items():
        if section in ("optimizer", "training") or isinstance(raw, str) or "name" in raw:
            annotation: Any = Settings.model_fields[section].annotation
            try:
                annotation.model_validate(raw)
            except ValidationError as error:
                message = explain(error, annotation)
                bare = message.startswith(f"{section}: ")
                raise ValueError(message if bare else f"{section}: {message}") from error


def settings_of(raw: dict[str, Any]) -> Settings:
    """Validated settings of one cell; ValueError with one line."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise ValueError(explain(error, Settings)) from error


def wanted_labels(wanted: Any, labels: list[Any]) -> list[Any]:
    """What a `where` value asks for: one label, or any of a list of them."""
    if isinstance(wanted, list) and json.dumps(wanted) in labels:
        return [json.dumps(wanted)]
    if isinstance(wanted, list):
        return [json.dumps(value) if isinstance(value, list) else value for value in wanted]
    return [wanted]


def assign(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path; a bare name of a piece (`initializer = "zeros"`) may be refined further."""
    *parents, last = path.split(".")
    for key in parents:
        child = tree.get(key)
        if isinstance(child, str):
            child = {"name": child}
        tree[key] = dict(child or {})
        tree = tree[key]
    tree[last] = deepcopy(value)


def override(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    """Put a `--set` value into an experiment file.

    Setting an axis of the grid narrows that axis to the one value; claims, figures and published numbers about its other
    values go with them.
    """
    if path not in document.get("grid", {}):
        assign_in_document(document, path, value)
        return
    document["grid"][path] = [value]
    kept = axis_label(value)
    for kind in ("claim", "figure", "published"):
        if kind in document:
            document[kind] = [item for item in document[kind].unwrap() if _still_asked(item, path, kept)]


def _still_asked(item: dict[str, Any], path: str, kept: Any) -> bool:
    others = [item[criterion] for criterion in ("greater_than", "equal_to") if isinstance(item.get(criterion), dict)]
    conditions = [one.get("where", {}) for one in (item, *others)]
    return all(kept in wanted_labels(where[path], [kept]) for where in conditions if path in where)


def assign_in_document(document: tomlkit.TOMLDocument, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    table: Any = document
    for key in parents:
        if isinstance(table.get(key), str):
            table[key] = {"name": str(table[key])}
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ValueError(f"--set {path}: '{key}' is not a table")
    table[last] = value
