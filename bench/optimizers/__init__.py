"""Any optax optimizer by name, or a user's own; its learning rate is an input of the compiled program."""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from jaxtyping import Array, Float

from bench.messages import nearest, one_line, shown
from bench.optimizers.found import REFUSALS, functions, required
from bench.registry import Registry

LearningRate = Float[Array, ""] | np.floating | float
MASKS = ("mask", "weight_decay_mask")
"""Names that optax gives to the option that says which parameters decay."""

optimizer = Registry(
    "optimizer",
    supplied=("learning_rate", *MASKS),
    needs=("learning_rate",),
    contract="an optimizer is called as (learning_rate, **options), with a learning rate that may be traced, and returns an "
    "optax.GradientTransformation",
)
"""Users' own optimizers; those of optax are found by `optimizers`."""


@cache
def optimizers() -> dict[str, Callable[..., Any]]:
    """Every function of optax (and `contrib.` of optax.contrib) that makes an optimizer of a learning rate alone."""
    return {
        prefix + name: function
        for prefix, module in (("", optax), ("contrib.", optax.contrib))
        for name, function, parameters in functions(module)
        if not name.startswith("scale_by_") and "learning_rate" in parameters and required(parameters) <= {"learning_rate"}
    }


_ACCEPTED: set[tuple[str, str]] = set()
"""Names and options that optax has accepted: sweeps meet the same ones in every cell."""


def check_optimizer(name: str, options: dict[str, Any], beside: Iterable[str] = ("learning_rate",)) -> None:
    """Raise ValueError on an unknown optimizer, an unknown option, or options that optax refuses.

    `beside`: names that stand beside options in a file, among which a misspelled option may belong.
    """
    if (name, repr(options)) in _ACCEPTED:
        return
    known = optimizers()
    if name not in known:
        raise ValueError(f"unknown optimizer '{one_line(name, 100)}'; {nearest(name, known)}, or package.module:name of your own")
    parameters = inspect.signature(known[name]).parameters
    allowed = set(parameters) - {"learning_rate"}
    for option, value in options.items():
        if option not in allowed:
            raise ValueError(f"unknown option '{option}' of optimizer '{name}'; {nearest(option, [*allowed, *beside])}")
        default = parameters[option].default
        if "mask" in option and not isinstance(default, bool):
            instead = "optimizer.weight_decay_exclude" if option in MASKS else "training.frozen"
            raise ValueError(f"optimizer.{option}: it names single weights, which a file cannot; see {instead}")
        if isinstance(default, bool | int | float) and isinstance(value, bool) != isinstance(default, bool):
            raise ValueError(
                f"optimizer.{option} = {shown(value)}: '{name}' takes {'true or false' if isinstance(default, bool) else 'a number'}"
            )
        if isinstance(value, str) and not _takes_text(parameters[option]):
            what = "takes no text here; where it takes a function, a file cannot give one"
            raise ValueError(f"optimizer.{option} = '{one_line(value, 100)}': '{name}' {what}")
    try:
        # Shapes alone, so that reading an experiment does not start JAX.
        state = jax.eval_shape(lambda: make_optimizer(name, options, 0.1).init({"w": jnp.zeros((2, 2))}))
    except REFUSALS as error:
        raise ValueError(f"optimizer '{name}' refuses {shown(options)}: {one_line(error)}") from error
    check_keys(name, state)
    _ACCEPTED.add((name, repr(options)))


def _takes_text(parameter: inspect.Parameter) -> bool:
    """Whether optax gives an option a meaning when it is a text: the name of a dtype, or one of a few words."""
    return "dtype" in parameter.name or re.search(r"\bstr\b|Literal", str(parameter.annotation)) is not None


def check_keys(name: str, state: Any) -> None:
    """Raise ValueError if an optimizer's state holds a random key, typed or not."""
    kinds = [getattr(leaf, "dtype", None) for leaf in jax.tree.leaves(state)]
    if any(kind is not None and (jnp.issubdtype(kind, jax.dtypes.prng_key) or kind == jnp.uint32) for kind in kinds):
        raise ValueError(f"optimizer '{name}' draws from a key of its own, which would be the same in every training run")


def asks_for_loss(name: str, options: dict[str, Any]) -> bool:
    """Whether an optimizer's step takes more than gradient, state and parameters: the loss, or a function that gives it."""
    return not _steps(name, options)


def asks_for_function(name: str, options: dict[str, Any]) -> bool:
    """Whether an optimizer's step evaluates the loss at other parameters, as a line search does."""
    return not _steps(name, options, "value", "grad")


def _steps(name: str, options: dict[str, Any], *extra: str) -> bool:
    """Whether an optimizer takes a step from gradient, state, parameters and these of `value` and `grad`."""
    params = {"w": jnp.zeros((2, 2))}
    transformation = make_optimizer(name, options, 0.1)
    given = {key: value for key, value in {"value": jnp.zeros(()), "grad": params}.items() if key in extra}
    try:
        jax.eval_shape(lambda: transformation.update(params, transformation.init(params), params, **given))
    except (TypeError, ValueError):
        return False
    return True


def mask_of(name: str) -> str | None:
    """The option by which an optimizer takes parameters out of its weight decay; None if it has none."""
    parameters = inspect.signature(optimizer[name].target if ":" in name else optimizers()[name]).parameters
    return next((option for option in MASKS if option in parameters), None)


def make_optimizer(
    name: str, options: dict[str, Any], learning_rate: LearningRate, decayed: Callable[[Any], Any] | None = None
) -> optax.GradientTransformationExtraArgs:
    """Return the named optimizer at a learning rate, which may be traced.

    `decayed` says of each parameter of a tree whether it decays; None: as the optimizer itself does it. `PieceError` if a user's own gives
    something else than a transformation.
    """
    arguments = {"learning_rate": learning_rate, **({str(mask_of(name)): decayed} if decayed else {})}
    if ":" not in name:
        return optax.with_extra_args_support(optimizers()[name](**arguments, **options))
    entry = optimizer[name]
    found = entry.bind(options)(**arguments)
    if not isinstance(found, optax.GradientTransformation):
        raise entry.fault(f"it returns a {type(found).__name__}")
    found = optax.with_extra_args_support(found)
    return optax.GradientTransformationExtraArgs(entry.guarded(found.init), entry.guarded(found.update))
