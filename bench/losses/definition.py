"""The loss of a task as one value: a registered loss, its reduction over the examples and its metric."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import AfterValidator, BaseModel, ValidationError

from bench.losses import Targets, loss
from bench.messages import explain
from bench.piece_names import Named, all_options, name_of, options_of, plain
from bench.registry import STRICT, PieceError, is_opaque

Kind = Literal["regression", "classification"]
KINDS: tuple[Kind, ...] = ("regression", "classification")


def _known(piece: Named) -> Named:
    piece = plain(piece)
    if not is_opaque(name_of(piece)):
        Loss.of(piece)
    return piece


def _own(piece: Named) -> Named:
    if ":" not in name_of(plain(piece)):
        raise ValueError("package.module:name of your own" if isinstance(piece, str) else "only a loss of your own takes options")
    return _known(piece)


AnyLoss = Annotated[Named, AfterValidator(_known)]
"""Any loss, by its name or with its options, as an option of a task."""
OwnLoss = Annotated[Named, AfterValidator(_own)]
"""A user's own loss, by its name or with its options, as an option of a task."""


class Traits(BaseModel):
    """The traits of a registered loss; see `bench.losses`."""

    model_config = STRICT
    total: Callable[..., Any] = jnp.mean
    metric: Callable[..., Any] | None = None
    threshold: float | None = 0.5
    kinds: tuple[Kind, ...] = KINDS
    players: bool = False


@dataclass(frozen=True)
class Loss:
    """A registered loss with its traits; see `bench.losses`."""

    name: str
    each: Callable[[Array, Targets], Float[Array, " example"]]
    """The loss of each example, from outputs (example, output) and targets."""
    total: Callable[[Float[Array, " example"]], Float[Array, ""]]
    """The reduction over the examples."""
    threshold: float | None
    """Output above which a single output stands for the second of two classes; None: outputs are no predictions."""
    kinds: tuple[Kind, ...]
    """Kinds of tasks that the loss is for."""
    players: bool
    """Whether the outputs are the losses of several players."""
    measure: Callable[[Array, Targets], Float[Array, ""]] | None
    """The metric of outputs (example, output) and targets, larger where they are better; None: accuracy or R^2."""
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    """Its options."""

    worst: ClassVar[float] = math.inf
    """The loss of a training run that diverged."""
    worst_metric: ClassVar[float] = -math.inf
    """The metric of a training run that diverged."""

    @classmethod
    def of(cls, piece: Named) -> "Loss":
        """Return the loss of this name, which may be a user's own, `module:name`, and may have options; ValueError if there is none."""
        name = name_of(piece)
        if ":" not in name and name not in loss:
            raise ValueError(f"loss = {name!r}: allowed: {', '.join(loss)}, or package.module:name of your own")
        entry = loss[name]
        try:
            options = all_options(entry, options_of(piece))
        except PieceError:
            raise
        except ValueError as error:
            raise ValueError(f"{entry.label}: {error}") from error
        try:
            traits = Traits.model_validate(entry.traits)
        except ValidationError as error:
            raise entry.fault(explain(error, Traits)) from error
        total, metric = traits.total, traits.metric

        def total_of(losses: Array) -> Array:
            return jnp.asarray(total(losses))

        def metric_of(outputs: Array, targets: Targets) -> Array:
            return jnp.asarray(metric(outputs, targets) if metric else jnp.nan, outputs.dtype)

        if entry.own:
            total_of, metric_of = entry.guarded(total_of), entry.guarded(metric_of)
        return cls(
            name,
            entry.bind(options),
            total_of,
            traits.threshold,
            traits.kinds,
            traits.players,
            metric_of if metric else None,
            options,
        )

    @property
    def predicts(self) -> bool:
        """Whether the model's outputs are predictions of the targets."""
        return self.threshold is not None

    @property
    def has_metric(self) -> bool:
        """Whether there is a metric."""
        return self.predicts or self.measure is not None

    def __call__(self, outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, ""]:
        """Return the loss of several examples."""
        return self.total(self.each(outputs, targets))

    def metric(self, kind: Kind, outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, ""]:
        """Return the loss's own metric, or the accuracy of a classification, or R^2 of a regression.

        R^2 is 1 - squared error over variance of the targets. NaN if the outputs are no predictions and the loss has no metric of its own.
        """
        if self.measure is not None:
            return self.measure(outputs, targets)
        if self.threshold is None:
            return jnp.full((), jnp.nan, outputs.dtype)
        if kind == "regression":
            residual = jnp.sum((outputs - targets) ** 2)
            return 1 - residual / jnp.sum((targets - jnp.mean(targets, axis=0)) ** 2)
        if outputs.shape[-1] == 1:
            return jnp.mean((outputs > self.threshold) == (targets > 0.5))
        return jnp.mean(jnp.argmax(outputs, axis=-1) == targets)
