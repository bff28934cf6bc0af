"""The convolutional network of sequences against the convolutions of flax."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.lane.objective import Noise
from bench.lane.state import Params
from bench.startup import HASTY
from tests.models.test_convolution import KEY, X, channels_first, dense, drawn, network


def test_a_network_of_sequences_is_flax_s_convolutions() -> None:
    """A sequence of 36 becomes one of 17, 8 and 5: kernels of even and odd sizes, and sequences that do and do not end with a window."""
    net = network("cnn1d", channels=[4, 2, 3], kernel_sizes=[5, 4, 1], activation="tanh")
    params = drawn(net)
    weights = jax.random.normal(KEY, (len(X), 3))
    hidden = jax.eval_shape(net.trace, params, X)[1]
    assert [layer.activation.shape[1] for layer in hidden] == [4 * 17, 2 * 8, 3 * 5]

    def ours(params: Params, shifts: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
        outputs = net.trace(params, X, Noise(shifts=shifts))[0]
        return jnp.sum(weights * outputs), outputs

    def theirs(params: Params) -> tuple[jax.Array, jax.Array]:
        features = X[:, :, None]
        for index, (before, after, size) in enumerate([(1, 4, 5), (4, 2, 4), (2, 3, 1)]):
            layer: Any = nnx.Conv(before, after, (size,), strides=2, padding=1, rngs=nnx.Rngs(0))
            layer.kernel[...], layer.bias[...] = (params["convolutions"][index][name] for name in ("kernel", "bias"))
            features = jnp.tanh(layer(features))
        outputs = dense(params["output"], channels_first(features))
        return jnp.sum(weights * outputs), outputs

    @partial(jax.jit, compiler_options=HASTY)
    def both(params: Params) -> tuple[Any, Any]:
        silent = [jnp.zeros(layer.activation.shape) for layer in hidden]
        return jax.grad(ours, (0, 1), has_aux=True)(params, silent), jax.grad(theirs, has_aux=True)(params)

    ((by_params, by_shifts), outputs), (wanted, reference) = both(params)
    np.testing.assert_allclose(outputs, reference, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), by_params, wanted)
    # What is added to all places of a channel is added to its bias.
    for slopes, layer in zip(by_shifts, wanted["convolutions"].values(), strict=True):
        np.testing.assert_allclose(slopes.reshape(len(X), len(layer["bias"]), -1).sum(axis=(0, 2)), layer["bias"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_sizes": [5, 3]}, r"kernel_sizes = \[5, 3\]: one for each of the 3 model.channels"),
        ({"channels": [2, 2], "kernel_sizes": [36, 5]}, r"kernel_sizes = \[36, 5\]: 5 on a sequence of 2 with a zero at each end"),
    ],
)
def test_kernels_that_no_sequence_has_room_for_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network("cnn1d", **options)
