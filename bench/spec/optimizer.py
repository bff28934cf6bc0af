"""The optimizer of a cell: its name, its learning rate, and what is done to gradients and updates beside it."""

import math
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from bench.messages import nearest, shown
from bench.optimizers import check_optimizer, mask_of, optimizer, optimizers
from bench.optimizers.clipping import clippings, is_clipping
from bench.optimizers.schedules import check_schedule, checked, settled
from bench.piece_names import all_options
from bench.registry import is_opaque
from bench.spec.document import walk
from bench.spec.part import Names
from bench.spec.pieces import Piece

RELATIVE_RATE = re.compile(r"\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e-?[0-9]+)?)\s*/\s*curvature\s*")


class OptimizerSpec(Piece):
    """The optimizer, any of optax or a user's own, its learning rate, and what is done to gradients and updates beside it."""

    name: str = "sgd"
    learning_rate: float | str = 0.1
    """A number, or `"c/curvature"`: c over the largest Hessian eigenvalue of the training loss at the origin; the peak of a schedule."""
    schedule: dict[str, Any] | None = None
    """How the learning rate changes from step to step: a schedule of optax by name, and the arguments of optax that the file gives, which
    are the table of `learning_rate` without its `peak`; None: it does not change."""
    clipping: dict[str, float] = {}
    """Functions of optax that clip gradients, each with its number; in a file each is a key of its own."""
    weight_decay_exclude: Names = ()
    """Names of parameters that the optimizer's weight decay leaves alone."""
    learning_rates: dict[str, float] = {}
    """Factors of the updates of parameters, by their names; of several that match, the product counts."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict):
            raise ValueError("needs a name and a learning_rate")
        name = raw.get("name", cls.model_fields["name"].default)
        known = cls._settings() - cls._own_options(name, raw)
        clipping = {key: value for key, value in raw.items() if key in known and key in clippings()}
        fields = {key: value for key, value in raw.items() if key in known and key not in clipping}
        options = {key: value for key, value in raw.items() if key not in known}
        for key, value in clipping.items():
            if not is_clipping(value):
                raise ValueError(f"{key} = {shown(value)}: a number > 0")
        if isinstance(fields.get("learning_rate"), dict):
            shape = fields.pop("learning_rate")
            fields["schedule"] = checked({key: value for key, value in shape.items() if key != "peak"}, "learning_rate")
            fields |= {"learning_rate": shape["peak"]} if "peak" in shape else {}
        if isinstance(name, str) and ":" in name and not is_opaque(name):
            options = cls._validated(name, options)
        return {**fields, "options": options, **({"clipping": clipping} if clipping else {})}

    @classmethod
    def _settings(cls) -> set[str]:
        """The keys of the section that are no options of the optimizer, but for its name."""
        return {*cls.model_fields, *clippings()} - {"options", "clipping", "schedule"}

    @classmethod
    def _own_options(cls, name: Any, raw: Mapping[str, Any]) -> set[str]:
        """The options of a user's own optimizer, to which settings of their names give way."""
        if not isinstance(name, str) or ":" not in name:
            return set()
        if is_opaque(name):
            # Which of these keys it has as options is not known; what is no value of a setting is an option.
            settings = cls._settings() - {"name", "learning_rate"}
            return {key for key, value in raw.items() if key in settings and not cls._takes(key, value)}
        return set(optimizer[name].options.model_fields)

    @classmethod
    def _takes(cls, key: str, value: Any) -> bool:
        return is_clipping(value) if key in clippings() else super()._takes(key, value)

    @classmethod
    def _validated(cls, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the file gives to a user's own optimizer, as the types that it declares."""
        found = all_options(optimizer[name], options, cls._settings())
        return {key: found[key] for key in options}

    @model_validator(mode="after")
    def _known(self) -> Self:
        for path, value in walk(self.options):
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{'.'.join(path)} = {value}: a finite number")
        for pattern, factor in self.learning_rates.items():
            if factor < 0:
                raise ValueError(f"learning_rates: '{pattern}' = {factor}: a factor of the learning rate, at least 0")
        if not is_opaque(self.name):
            if ":" not in self.name:
                check_optimizer(self.name, self.options, self._settings())
            self._check_exclude()
        if self.rate < 0 or self.rate == float("inf"):
            raise ValueError(f"learning_rate = {self.learning_rate}: a finite number >= 0 or 'c/curvature'")
        if self.schedule and self.rate == 0:
            raise ValueError(f"learning_rate.peak = {shown(self.learning_rate)}: a number > 0 or 'c/curvature'")
        return self

    def _check_exclude(self) -> None:
        if self.weight_decay_exclude and mask_of(self.name) is None:
            able = [name for name in optimizers() if mask_of(name)]
            raise ValueError(f"weight_decay_exclude: '{self.name}' has no weight decay with exceptions; {nearest(self.name, able)}")

    @property
    def relative(self) -> bool:
        """Whether the learning rate is counted in units of 1 / curvature."""
        return isinstance(self.learning_rate, str)

    @property
    def rate(self) -> float:
        """The number in `learning_rate`; ValueError if its text is not like `1/curvature`."""
        if not isinstance(self.learning_rate, str):
            return self.learning_rate
        match = RELATIVE_RATE.fullmatch(self.learning_rate)
        if match is None:
            raise ValueError(f"learning_rate = '{self.learning_rate}': a number, or a text like '1/curvature'")
        return float(match[1])

    @property
    def unadorned(self) -> bool:
        """Whether nothing but the optimizer itself, at one learning rate, makes the updates."""
        return self == OptimizerSpec.model_construct(name=self.name, options=self.options, learning_rate=self.learning_rate)

    @property
    def is_gradient_descent(self) -> bool:
        """Whether an update is the gradient times the same learning rate at every step."""
        return self.unadorned and (self.name, self.options) == ("sgd", {})

    def compiled(self, steps: int) -> dict[str, Any]:
        """All that is compiled into a program of this many steps: everything but the learning rate, or the peak of its schedule."""
        content = self.model_dump(mode="json", exclude={"learning_rate", "schedule"})
        return {**content, "schedule": settled(self.schedule, steps) if self.schedule else None}

    def check_steps(self, steps: int) -> None:
        """Raise ValueError if optax refuses the schedule in a training of this many steps."""
        if self.schedule:
            check_schedule(self.schedule, steps)
