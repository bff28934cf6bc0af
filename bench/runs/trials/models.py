"""The trials of a model, and what it does not offer."""

import inspect
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.hardware import precision
from bench.keys import named, root
from bench.lane.audited_model import called
from bench.lane.checks import MOST_EXAMPLES, check_model
from bench.lane.network import Network
from bench.lane.state import dotted
from bench.lane.views import VIEWS, missing
from bench.models import model
from bench.models.bridges import EXAMPLE, maker
from bench.models.protocol import check_module, check_outputs, check_trace, check_variables
from bench.probes import probe
from bench.registry import PieceError
from bench.runs.trials.trial import Trial, Untried, read
from bench.spec import ModelSpec

FLOAT32_ALONE = (
    "float32 alone: a loop in it begins with float32 numbers; for float64 begin it with those of x's dtype, "
    "as a cell of flax does that is built with param_dtype=float, such as nnx.LSTMCell(..., param_dtype=float)"
)
"""The advice on a model that trains in float32 and does not go on in float64."""


class _Tried:
    """A model with its options, built as it builds itself, and as the network that trains."""

    def __init__(self, name: str, options: dict[str, Any], inputs: int, outputs: int) -> None:
        self._entry, self._options, self._raw = model[name], options, {"name": name, **options}
        self._inputs, self._outputs = inputs, outputs
        self._module: Any = None
        self._network: Network | None = None
        self._fits = False

    def built(self) -> None:
        spec: ModelSpec = read("model", self._raw)
        example = jax.ShapeDtypeStruct(spec.example_shape(self._inputs), "int32" if spec.symbols else "float32")
        with self._entry.calling():
            module = maker(self._entry, spec.options, self._inputs, self._outputs, example)()
            check_module(self._entry, module)
            module.eval()
        self._module, self._spec, self._example = module, spec, example

    def holding(self) -> None:
        check_variables(self._entry, nnx.state(self._needed))

    def networked(self) -> str:
        _ = self._needed
        self._network = Network(self._spec, self._inputs, self._outputs)
        return f"weight layers: {', '.join(self._network.weight_names) or 'none'}"

    def shaped(self) -> None:
        if self._network is not None:
            check_model(self._network, self._outputs, "float32")
            self._fits = True
            return
        check_trace(self._entry, (jax.eval_shape(self._outputs_of, self._examples(1)), []), self._outputs, "float32")

    def resized(self) -> None:
        _ = self._trained
        other = _Tried(self._entry.name, self._options, self._inputs, self._outputs + 1)
        try:
            other.built()
            other.networked()
            other.shaped()
        except PieceError as error:
            fix = "take `outputs` in its constructor to fit others"
            raise Untried(f"it gives {self._outputs} outputs whatever the task needs, and fits such tasks alone; {fix}") from error

    def finite(self) -> None:
        check_outputs(self._entry, np.asarray(self._outputs_of(self._examples(MOST_EXAMPLES))))

    def doubled(self) -> None:
        network = self._trained
        if not self._fits:
            raise Untried("it does not fit in float32")
        try:
            with precision("float64"):
                check_model(network, self._outputs, "float64")
        except PieceError as error:
            if not _begins_with_float32(error.__cause__):
                raise
            raise Untried(FLOAT32_ALONE) from error

    def clear(self) -> None:
        unclear = ", ".join(map(dotted, self._trained.unclear_paths))
        if unclear:
            raise Untried(f"nobody knows which axes of {unclear} are inputs, as initializers with a fan-in must; give them two axes")

    @property
    def _needed(self) -> Any:
        if self._module is None:
            raise Untried("it is not built")
        return self._module

    @property
    def _trained(self) -> Network:
        if self._network is None:
            raise Untried("it cannot be trained")
        return self._network

    def _examples(self, count: int) -> jax.Array:
        """Standard normal examples, or symbols 0 and 1."""
        _ = self._needed
        key, shape = named(root(), "examples"), (count, *self._example.shape)
        return jax.random.normal(key, shape) if self._example.dtype == jnp.float32 else jax.random.randint(key, shape, 0, 2)

    def _outputs_of(self, x: jax.Array) -> Any:
        """Outputs of examples with the weights that it builds itself; without any, there is nothing to check."""
        if self._network is not None:
            values = self._network.model.as_built()
            params = [jnp.asarray(values[path]) for path in self._network.paths]
            given = jax.tree.unflatten(jax.tree.structure(self._network.shapes), params), x.reshape(len(x), -1)
            return self._network.unchecked_trace(*given)[0]
        module = self._needed
        try:
            with self._entry.calling():
                if getattr(module, "whole_batch", False):
                    return called(module, x)
                return jax.vmap(lambda one: called(module, one), axis_name=EXAMPLE)(x)
        except PieceError as error:
            raise Untried("it gives no outputs for one example") from error


def _begins_with_float32(error: BaseException | None) -> bool:
    """Whether JAX refuses a loop because of float32 numbers that it begins with."""
    return isinstance(error, TypeError) and all(word in str(error) for word in ("carry", "float32", "float64"))


def of_model(name: str, options: dict[str, Any], inputs: int, outputs: int) -> Iterator[Trial]:
    """Yield the trials of a model with this number of inputs and outputs."""
    tried = _Tried(name, options, inputs, outputs)
    layers = "build it of layers of flax.nnx, as bench/models/mlp.py does"
    shape = f"end with a layer of {outputs} outputs, and return an array of shape ({outputs},) for one example"
    yield Trial(
        "it builds a module that can be called", tried.built, "write class Net(nnx.Module) with __init__(self, inputs, outputs, *, rngs)"
    )
    yield Trial("it has parameters, and they are float32", tried.holding, layers)
    yield Trial("it can be trained: it takes one example, and all of its weights have a part in its outputs", tried.networked, layers)
    yield Trial(
        f"one example of {inputs} inputs gives {outputs} float32 outputs, and what it offers beside has the right shape",
        tried.shaped,
        shape,
    )
    yield Trial("with the weights that it builds itself its outputs are finite", tried.finite)
    yield Trial("it can be trained in float64", tried.doubled, "write outputs.astype(x.dtype), and no float32 of its own")
    yield Trial("every weight tells which of its axes are inputs", tried.clear)
    yield Trial("it has as many outputs as a task needs", tried.resized)


def lacking(name: str, options: dict[str, Any], inputs: int, outputs: int) -> dict[str, list[str]]:
    """Return the views that a model does not offer, each with the probes that cannot be measured without it."""
    network = Network(ModelSpec.model_validate({"name": name, **options}), inputs, outputs)
    found: dict[str, list[str]] = {view: [] for view in missing(network, tuple(VIEWS))}
    for one in probe:
        for view in set(inspect.signature(inspect.unwrap(probe[one].target)).parameters) & set(found):
            found[view].append(one)
    return {view: probes for view, probes in found.items() if probes}
