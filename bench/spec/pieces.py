"""The registered pieces that the settings of a cell name: task, model and initializer."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError, field_validator, model_validator

from bench.initializers import draws, initializer
from bench.messages import explain, nearest
from bench.models import model
from bench.piece_names import all_options
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
        return {**own, "options": all_options(entry, given, settings)}

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

    input_shape: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] | None = None
    """Shape in which a model of the user's own takes an example, such as (28, 28, 1); None: as the row of numbers that a task gives."""
    symbols: bool = False
    """Whether a model of the user's own takes examples as integers, as a layer that looks vectors up does."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(model, raw)

    @model_validator(mode="after")
    def _own_inputs(self) -> Self:
        for setting in ("input_shape", "symbols"):
            if getattr(self, setting) and ":" not in self.name:
                raise ValueError(f"{setting}: for models of your own; '{self.name}' takes an example as the row of numbers that it is")
        return self

    def example_shape(self, inputs: int) -> tuple[int, ...]:
        """Return the shape in which the model takes an example of so many numbers; ValueError if the shape has another number of them."""
        shape = self.input_shape or (inputs,)
        if math.prod(shape) != inputs:
            raise ValueError(f"model.input_shape = {list(shape)}: {math.prod(shape):,} numbers, and an example has {inputs:,}")
        return shape


class LayerInitializer(Piece):
    """The initializer of some parameters, weights or not: its name and options; the cell's gain multiplies weights alone."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(initializer, raw)


class SchemeSpec(Piece):
    """A scheme with options of its own."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(scheme, raw)


class InitializerSpec(Piece):
    """How all parameters are initialized."""

    gain: NonNegativeFloat | Literal["auto"] = 1.0
    """Multiplies the standard deviation (and any constant); "auto": 1 / sqrt(E f(z)^2) of the model's activation function f."""
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
    scheme: str | SchemeSpec | None = None
    """A function that sees the network and the data and changes the parameters, by its name or with options."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        return cls.gather(initializer, raw)

    @field_validator("scheme", mode="before")
    @classmethod
    def _scheme_with_options(cls, value: Any) -> Any:
        try:
            return SchemeSpec.model_validate(value) if isinstance(value, dict) else value
        except ValidationError as error:
            raise ValueError(explain(error, SchemeSpec)) from error

    @model_validator(mode="after")
    def _known_scheme(self) -> Self:
        if isinstance(self.scheme, str) and not is_opaque(self.scheme) and not is_opaque(self.name):
            self._scheme_with_options({"name": self.scheme})
        return self

    @property
    def scheme_piece(self) -> SchemeSpec | None:
        """The scheme with its options."""
        return SchemeSpec.model_validate(self.scheme) if isinstance(self.scheme, str) else self.scheme

    @property
    def scheme_name(self) -> str | None:
        """The name of the scheme."""
        return self.scheme.name if isinstance(self.scheme, SchemeSpec) else self.scheme

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
        if self.scheme_name is not None and not is_opaque(self.scheme_name):
            random = random or scheme[self.scheme_name].takes("key")
        draws_weights = random and self.gain != 0 and self.zero_fraction < 1
        return draws_weights or self.bias_law == "uniform_fan_in" or self.bias_stddev > 0
