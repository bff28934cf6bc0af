"""The measures of a lane as it stands: metric, test loss, gradient norm and probes."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array

from bench.lane.objective import Recipe
from bench.lane.state import Fixed, State
from bench.lane.update import evaluated
from bench.lane.views import VIEWS, Views, missing
from bench.messages import nearest
from bench.piece_names import Named, all_options, name_of, options_of
from bench.probes import PER_LAYER, probe
from bench.registry import Entry, PieceError


class Probe(NamedTuple):
    """A probe, bound to its options."""

    function: Callable[..., Any]
    views: tuple[str, ...]
    """Names of the views that are its arguments."""
    over_layers: Callable[[Array], Any]
    """Reduction of its values over the hidden layers, where it looks at one layer at a time."""


def measurable(recipe: Recipe, probes: Iterable[Named], optional: bool) -> dict[str, Probe]:
    """Return those of the named probes that this network has all views for, by the names of their columns.

    `optional`: whether probes that are measured only on request are among them. `PieceError` if a user's own probe looks at something that
    is no view, ValueError with one line on an option that a probe does not have.
    """
    found = {}
    for one in probes:
        name, given = name_of(one), options_of(one)
        entry = probe[name]
        views = _views_of(entry, given)
        try:
            options = all_options(entry, given)
        except PieceError:
            raise
        except ValueError as error:
            raise ValueError(f"{entry.label}: {error}") from error
        if not missing(recipe.network, views) and (optional or not entry.traits.get("optional", False)):
            function = entry.bind(options)
            if entry.own:
                function = entry.guarded(partial(_as_array, function))
            found[name.rpartition(":")[2]] = Probe(function, views, entry.traits.get("over_layers", jnp.mean))
    return found


def _views_of(entry: Entry, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments of a probe that are views; the others are its options, which are `given` or have defaults."""
    fields = entry.options.model_fields
    if entry.own and (unknown := [name for name, option in fields.items() if option.is_required() and name not in given]):
        raise entry.fault(f"nothing that a probe looks at is called '{unknown[0]}'; {nearest(unknown[0], VIEWS)}")
    parameters = inspect.signature(inspect.unwrap(entry.target)).parameters.values()
    # Neither `**options` nor a default that no file can write is a view.
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return tuple(one.name for one in parameters if one.name not in fields and one.default is one.empty and one.kind not in variable)


def _as_array(function: Callable[..., Any], *shown: Any) -> Array:
    return jnp.asarray(function(*shown))


def probed(probes: dict[str, Probe], views: Views) -> dict[str, Array]:
    """Return the value of each probe: a scalar, or several values with a leading axis (layer,)."""
    found = {}
    for name, one in probes.items():
        shown = [getattr(views, view) for view in one.views]
        if any(view in PER_LAYER for view in one.views):
            found[name] = jnp.asarray(one.over_layers(jnp.stack([one.function(*layer) for layer in zip(*shown, strict=True)])))
        else:
            found[name] = jnp.asarray(one.function(*shown))
    return found


def measure(recipe: Recipe, probes: dict[str, Probe], fixed: Fixed, state: State) -> dict[str, Array]:
    """Return metric, gradient norm, test loss and test metric (if there is a test part) and all probes of a lane as it stands.

    A probe with several values has a name for each of them: `probe_0`, `probe_1`, ...
    """
    data, task, state = fixed.data, recipe.task, evaluated(recipe, state)
    views = Views(recipe, state.params, fixed)
    found = {
        "metric": task.metric(views.outputs, data.y),
        "grad_norm": optax.tree.norm(views.gradient),
    }
    if data.test_x is not None and data.test_y is not None:
        test_outputs, _ = recipe.network.trace(state.params, data.test_x)
        found["test_loss"] = task.loss(test_outputs, data.test_y)
        found["test_metric"] = task.metric(test_outputs, data.test_y)
    for name, value in probed(probes, views).items():
        if value.ndim == 0:
            found[name] = value
        else:
            found.update({f"{name}_{layer}": value[layer] for layer in range(len(value))})
    return found
