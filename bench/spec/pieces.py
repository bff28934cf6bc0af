"""The registered pieces that the settings of a cell name: task, model and initializer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, TypeAdapter, ValidationError, model_validator

from bench.initializers import draws, initializer
from bench.messages import explain, nearest
from bench.models import model
from bench.registry import STRICT, Registry, admit_trusted, is_opaque, is_reading
from bench.schemes import scheme
from bench.spec.part import Part
from bench.tasks import task
from bench.tasks.making import made

REGISTRIES: dict[str, Registry] = {"task": task, "model": model, "initializer": initializer}
"""The registries of the sections that are a registered piece."""


class Piece(Part):
    """A registered thing: its name, and its options with their defaults filled in."""

    name: str
    options: dict[str, Any] = {}

    @classmethod
    def gather(cls, registry: Registry, raw: Any) -> Any:
        """Fields of the piece from `{name, option, ...}` or a bare name, as it stands in a file."""
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
    """The task: which data are drawn, and the loss."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(task, raw)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if not is_reading():
            made(self.name, self.options)
        elif self.data is not None:
            admit_trusted(self.data)
        return self

    @property
    def data(self) -> str | None:
        """The name of data from outside, a file or a data set to download, that a task of the package opens; None if there are none."""
        option = None if ":" in self.name else task[self.name].traits.get("opens")
        return None if option is None else self.options[option]


class ModelSpec(Piece):
    """The model that is trained."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(model, raw)


class LayerInitializer(Piece):
    """The initializer of some parameters, weights or not: its name and options; the cell's gain multiplies weights alone."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(initializer, raw)


class InitializerSpec(Piece):
    """How all parameters are initialized."""

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
    """Share of single weights set to zero at the start."""
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
        """`zeros`, `uniform_fan_in` or a number: `bias`, or the initializer's own convention."""
        if self.bias is None:
            return initializer[self.name].traits.get("bias", "zeros")
        return self.bias

    @property
    def random(self) -> bool:
        """Whether two seeds give different parameters."""
        random = any(draws(one.name, one.options) for one in (self, *self.layers.values()))
        draws_weights = random and self.gain > 0 and self.zero_fraction < 1
        return draws_weights or self.bias_law == "uniform_fan_in" or self.bias_stddev > 0
