"""Any optax optimizer by name; its learning rate is an input of the compiled program."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jaxtyping import Array, Float

from bench.messages import nearest, one_line, shown

LearningRate = Float[Array, ""] | float


@cache
def optimizers() -> dict[str, Callable[..., Any]]:
    """Every function of optax (and `contrib.` of optax.contrib) that makes an optimizer of a learning rate alone."""
    return {
        prefix + name: function
        for prefix, module in (("", optax), ("contrib.", optax.contrib))
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and not name.startswith(("_", "scale_by_"))
        and "learning_rate" in inspect.signature(function).parameters
        and _required(function) <= {"learning_rate"}
    }


def _required(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.default is parameter.empty}


_ACCEPTED: set[tuple[str, str]] = set()
"""Names and options that optax has accepted: sweeps meet the same ones in every cell."""


def check_optimizer(name: str, options: dict[str, Any]) -> None:
    """Raise ValueError on an unknown optimizer, an unknown option, or options that optax refuses."""
    if (name, repr(options)) in _ACCEPTED:
        return
    known = optimizers()
    if name not in known:
        raise ValueError(f"unknown optimizer '{one_line(name, 100)}'; {nearest(name, known)}")
    allowed = set(inspect.signature(known[name]).parameters) - {"learning_rate"}
    for option in options:
        if option not in allowed:
            raise ValueError(f"unknown option '{option}' of optimizer '{name}'; {nearest(option, [*allowed, 'learning_rate'])}")
    try:
        make_optimizer(name, options, 0.1).init({"w": jnp.zeros((2, 2))})
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"optimizer '{name}' refuses {shown(options)}: {one_line(error)}") from error
    _ACCEPTED.add((name, repr(options)))


def asks_for_loss(name: str, options: dict[str, Any]) -> bool:
    """Whether an optimizer's step takes more than gradient, state and parameters: the loss, or a function that gives it."""
    params = {"w": jnp.zeros((2, 2))}
    transformation = make_optimizer(name, options, 0.1)
    try:
        jax.eval_shape(lambda: transformation.update(params, transformation.init(params), params))
    except (TypeError, ValueError):
        return True
    return False


def make_optimizer(name: str, options: dict[str, Any], learning_rate: LearningRate) -> optax.GradientTransformationExtraArgs:
    """The named optimizer at a learning rate, which may be traced."""
    return optax.with_extra_args_support(optimizers()[name](learning_rate=learning_rate, **options))
