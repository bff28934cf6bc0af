"""Views that models have, and probes that look at them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.lane.grouping import programs
from bench.lane.state import Inputs
from tests.conftest import experiment


@pytest.mark.parametrize(
    ("model", "measured"),
    [("lstm", {"recurrent_jacobian_max", "recurrent_jacobian_min"}), ("transformer", {"distinct_heads"}), ("lora", set())],
)
def test_a_probe_is_measured_where_the_model_has_what_it_looks_at(model: str, measured: set[str]) -> None:
    names = ["recurrent_jacobian_max", "recurrent_jacobian_min", "distinct_heads"]
    options: dict[str, Any] = {} if model == "lora" else {"features": 4, "width": 4}
    wanted = experiment(task={"name": "first_symbol", "length": 4, "symbols": 4, "n": 40}, model={"name": model, **options}, probes=names)
    [program] = programs(wanted.cells, wanted.probes, ())
    assert set(program.probes) == measured
    inputs = program.inputs_of(wanted.cells[0], np.array([0, 0]), np.array([0, 1]))
    found = jax.jit(jax.vmap(lambda one: program.measure(*program.start(program.variants[0], one))))(Inputs(*inputs))
    for name in measured:
        assert found[name].shape == (2,) and bool(jnp.all(jnp.isfinite(found[name])))
    if model == "transformer":
        assert found["distinct_heads"].tolist() == [2, 2]
