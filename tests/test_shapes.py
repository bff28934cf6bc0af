"""Tests check shapes and types: a call with a wrong shape raises, on every floor whose annotations give shapes."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from analysis.figures.gallery import _cosines
from analysis.geometry.orbits import ends
from analysis.laws.teacher import quadrature_loss
from analysis.stats.multiplicity import rejected
from bench.engine.slots import places
from bench.hardware import hardware_here
from bench.initializers.scaling import normal
from bench.keys import named, root
from bench.lane.update import chosen
from bench.linalg import eigenvalues
from bench.losses.squared import mse
from bench.models.mlp import product
from bench.optimizers import make_optimizer
from bench.probes.symmetry import distinct_units
from bench.schemes.lsuv import lsuv
from bench.tasks.floor import floor_of
from tests.conftest import SHAPED
from tests.test_house import MODULES

WRONG: dict[str, tuple[str, Callable[..., Any], tuple[Any, ...]]] = {
    "bench.keys": ("key", named, (jax.random.split(root(), 2), "data")),
    "bench.linalg": ("symmetric", eigenvalues, (jnp.ones((2, 3)),)),
    "bench.initializers": ("key", normal, (jax.random.split(root(), 2), (2, 3), jnp.float32)),
    "bench.models": ("x", product, (jnp.ones((2, 3)), jnp.ones((3, 2)))),
    "bench.losses": ("outputs", mse, (jnp.ones(4), jnp.ones((4, 1)))),
    "bench.optimizers": ("learning_rate", make_optimizer, ("sgd", {}, jnp.ones(2))),
    "bench.probes": ("units", distinct_units, (jnp.ones(3),)),
    "bench.schemes": ("x", lsuv, ({}, None, jnp.ones(3))),
    "bench.tasks": ("y", floor_of, (jnp.ones((4, 2)), jnp.ones((3, 1)), "mse")),
    "bench.lane": ("condition", chosen, (jnp.ones(2, bool), 0.0, 1.0)),
    "bench.engine": ("flags", places, (jnp.ones((2, 2), bool), 4, hardware_here())),
    "analysis.stats": ("levels", rejected, (np.ones(3), np.ones(2))),
    "analysis.geometry": ("layers", ends, (np.ones((3, 2)), 1, "order", 1e-6)),
    "analysis.laws": ("w", quadrature_loss, (np.ones(3),)),
    "analysis.figures": ("units", _cosines, (np.ones(3),)),
}
"""For each package a function with its arguments, and the name of the one whose shape is wrong."""


def package(module: str) -> str:
    """The package of `bench` or `analysis` that a module belongs to."""
    return ".".join(module.split(".")[:2])


def test_all_annotations_that_give_shapes_are_checked() -> None:
    shape = re.compile(r"\b(Bool|Float|Int|Key|UInt32)\[")
    shaped = {module for module, path in MODULES.items() if shape.search(path.read_text(encoding="utf-8"))}
    assert shaped
    assert {module for module in shaped if not f"{module}.".startswith(tuple(f"{name}." for name in SHAPED))} == set()
    assert set(WRONG) == {package(name) for name in SHAPED}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_shape_raises(name: str) -> None:
    wrong, function, arguments = WRONG[name]
    assert package(function.__module__) == name
    with pytest.raises(TypeCheckError, match=f"typechecking parameter '{wrong}'"):
        function(*arguments)
