"""The settings of one cell: task, model, initializer, optimizer and training."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, ValidationError

from bench.messages import explain
from bench.models.activations import second_moment_gain
from bench.piece_names import name_of
from bench.registry import is_opaque
from bench.spec.optimizer import OptimizerSpec
from bench.spec.part import Names, Part
from bench.spec.pieces import REGISTRIES, InitializerSpec, ModelSpec, TaskSpec

MAX_STEPS = 2_000_000_000
"""Most steps of a training run: steps are counted in 32 bits, an epoch at a time."""


class Training(Part):
    """How long and how a cell is trained."""

    steps: Annotated[int, Field(gt=0, le=MAX_STEPS)] = 5000
    batch_size: NonNegativeInt = 0
    """Examples per update; 0: all of them."""
    solved_below: float | None = None
    """Training loss below which a training run has solved its task; None: never."""
    stop: Literal["solved", "budget"] = "solved"
    """Whether a training run ends when it is solved, or after all of its steps."""
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
    """How the players of a model are updated: all from the same parameters, or each from those that the players before it have updated."""


class Settings(Part):
    """Everything that a training run needs besides its seeds."""

    task: TaskSpec
    model: ModelSpec
    initializer: InitializerSpec
    optimizer: OptimizerSpec = OptimizerSpec()
    training: Training = Training()

    def check_gain(self) -> None:
        """Check that a gain that follows the activation function has one to follow; ValueError if the model has none."""
        if self.initializer.gain == "auto" and not is_opaque(self.model.name) and "activation" not in self.model.options:
            raise ValueError(f"initializer.gain = 'auto': model '{self.model.name}' has no option 'activation' that it could follow")

    @property
    def gain(self) -> float:
        """The number by which initial weights are multiplied."""
        if self.initializer.gain == "auto":
            return second_moment_gain(self.model.options["activation"])
        return self.initializer.gain

    def identity(self) -> dict[str, Any]:
        """The settings that differ from the defaults: the same after new options were added, so that stored runs keep their ids."""
        found = {section: section_identity(section, getattr(self, section)) for section in SECTIONS}
        return {section: content for section, content in found.items() if content is not None}

    def foreign(self) -> Iterator[tuple[str, str]]:
        """Kind and name of each piece that is imported from a module of the user's own."""
        layers = ((f"initializer.layers.{layer}", piece.name) for layer, piece in self.initializer.layers.items())
        of_options = (
            (f"{section}.{option}", name_of(piece.options.get(option) or ""))
            for section, piece in (("task", self.task), ("model", self.model))
            for option in ("loss", "activation")
            if ":" not in piece.name
        )
        pieces = (
            ("task", self.task.name),
            ("model", self.model.name),
            *of_options,
            ("initializer", self.initializer.name),
            *layers,
            ("initializer.scheme", self.initializer.scheme_name or ""),
            ("optimizer", self.optimizer.name),
        )
        yield from ((kind, name) for kind, name in pieces if ":" in name)


SECTIONS = tuple(Settings.model_fields)
"""Names of the sections, with which every dotted path of a setting begins."""


def section_identity(section: str, part: Any) -> dict[str, Any] | None:
    """The values of a section that differ from the defaults; None if there are none and the section may be left out."""
    content = part.model_dump(mode="json", exclude_defaults=True)
    if section not in REGISTRIES:
        return content if part != Settings.model_fields[section].default else None
    if is_opaque(part.name):
        return content
    options = REGISTRIES[section][part.name].options.model_validate(part.options)
    return {**content, "options": options.model_dump(mode="json", exclude_defaults=True)}


def validated(section: str, raw: Any) -> Any:
    """A section of the settings from its content in a file; ValueError with one line if it is wrong."""
    annotation: Any = Settings.model_fields[section].annotation
    try:
        return annotation.model_validate(raw)
    except ValidationError as error:
        message = explain(error, annotation)
        raise ValueError(message if message.startswith(f"{section}: ") else f"{section}: {message}") from error
