"""Any optax optimizer by name; its learning rate is an input of the compiled program."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from jaxtyping import Array, Float

from bench.messages import nearest, one_line, shown

LearningRate = Float[Array, ""] | np.floating | float


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
    parameters = inspect.signature(known[name]).parameters
    allowed = set(parameters) - {"learning_rate"}
    for option, value in options.items():
        if option not in allowed:
            raise ValueError(f"unknown option '{option}' of optimizer '{name}'; {nearest(option, [*allowed, 'learning_rate'])}")
        default = parameters[option].default
        if "mask" in option and not isinstance(default, bool):
            raise ValueError(f"optimizer.{option}: it names single weights, which a file cannot; see training.frozen")
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
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"optimizer '{name}' refuses {shown(options)}: {one_line(error)}") from error
    if any(_is_key(leaf) for leaf in jax.tree.leaves(state)):
        raise ValueError(f"optimizer '{name}' draws from a key of its own, which would be the same in every training run")
    _ACCEPTED.add((name, repr(options)))


def _takes_text(parameter: inspect.Parameter) -> bool:
    """Whether optax gives an option a meaning when it is a text: the name of a dtype, or one of a few words."""
    return "dtype" in parameter.name or re.search(r"\bstr\b|Literal", str(parameter.annotation)) is not None


def _is_key(leaf: Any) -> bool:
    """Whether a part of an optimizer's state is a random key, typed or not."""
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == jnp.uint32)


def asks_for_loss(name: str, options: dict[str, Any]) -> bool:
    """Whether an optimizer's step takes more than gradient, state and parameters: the loss, or a function that gives it."""
    params = {"w": jnp.zeros((2, 2))}
    transformation = make_optimizer(name, options, 0.1)
    try:
        jax.eval_shape(lambda: transformation.update(params, transformation.init(params), params))
    except (TypeError, ValueError):
        return True
    return False


def asks_for_function(name: str, options: dict[str, Any]) -> bool:
    """Whether an optimizer's step evaluates the loss at other parameters, as a line search does."""
    params = {"w": jnp.zeros((2, 2))}
    transformation = make_optimizer(name, options, 0.1)
    known = {"value": jnp.zeros(()), "grad": params}
    try:
        jax.eval_shape(lambda: transformation.update(params, transformation.init(params), params, **known))
    except (TypeError, ValueError):
        return True
    return False


def make_optimizer(name: str, options: dict[str, Any], learning_rate: LearningRate) -> optax.GradientTransformationExtraArgs:
    """The named optimizer at a learning rate, which may be traced."""
    return optax.with_extra_args_support(optimizers()[name](learning_rate=learning_rate, **options))
