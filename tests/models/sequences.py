"""Models of sequences with random parameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.spec import InitializerSpec, ModelSpec

FEATURES, WIDTH, OUTPUTS = 3, 4, 2
RECURRENT = ("elman", "gru", "lstm")


def network(name: str, steps: int = 5, outputs: int = OUTPUTS, examples_last: bool = False, **options: Any) -> Network:
    spec = {"name": name, "features": FEATURES, "width": WIDTH, **options}
    return Network(ModelSpec.model_validate(spec), steps * FEATURES, outputs, examples_last)


def random_params(net: Network, scale: float = 0.7) -> Any:
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(scale * rng.normal(size=leaf.shape)), net.shapes)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


def initial(net: Network, **options: Any) -> Any:
    spec = InitializerSpec.model_validate({"name": "glorot_uniform", **options})
    return initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))
