"""The protocol of models: what a model must be, what it may offer, and the checks of both.

Required: a `flax.nnx.Module` whose parameters, `nnx.Param`, are float32 or float64, and whose `__call__(x)` maps one example (input,) to
its outputs (output,); x has the shape `model.input_shape` if the experiment file gives one, and is an integer array where the task's
examples are integers or the file says `model.symbols`. It is built by a class or function, which is given
`inputs`, `outputs`, `rngs` and `key`, a key of JAX, as far as it declares them; its other arguments are options. `bench.models.bridges`
makes such a module of one of flax.linen or equinox, and of a pair of functions `init` and `apply`; a pair computes the same in training as
when it is measured.

A model is measured, at every check of the loss and for all probes and tests, after `eval()`, and trains after `train()`: `nnx.Dropout`
drops and `nnx.BatchNorm` takes the statistics of the batch in training alone. In training:

- Random streams, `nnx.Rngs` and `nnx.RngStream`, begin with a key of the training run, the step and the example. A model that draws when it
  is measured is refused.
- Other variables that a pass changes, such as the running averages of a batch normalization, move with the training run: they are kept,
  compared and hashed like parameters, but no initializer, gradient or name in an experiment file reaches them. They have one value for all
  examples, whose axis is called `example`: `nnx.BatchNorm` averages over it, and `jax.lax.pmean(value, "example")` does.
- Variables that no pass changes stay as the model builds them, which is the same for all training runs.

Optional, written for one example as well; each one unlocks what stands behind it:

- `trace(x)` -> outputs (output,) and a list of `Hidden`, one per hidden layer; it takes the place of `__call__`: the views
  `pre_activation` and `activation` (hidden,), and `saturation` if every layer has it.
- `trace(x, forward)` with a `Forward`: the view `pre_activation_gradient`, and training noise that the model draws from `forward.key`.
- `units()` -> a list over the hidden layers of arrays (hidden, feature), one row per unit with its incoming weights, bias and outgoing
  weights: the view `units`. If there is one weight layer more than there are such arrays, also the view `incoming`, and settings that
  count weight layers (`zero_layers` by number, `first_layer_offset`).
- `heads()` -> a list over the blocks of arrays (head, feature): the view `heads`.
- `jacobian(x)` -> the last state by the first (state, state), and `time_steps`, an int: the views `recurrent_jacobian`, `time_steps`.
- `generated(x)` -> a point (coordinate,): the views `generated`, `real` and `mode`.
- `players`, names of parts of the parameters, as many as there are outputs: output i is the loss on which part i is trained.
- `frozen`, names or patterns of parameters that are not trained.
- `whole_batch = True`: `__call__` or `trace` takes all examples (example, input) at once, and its results have a leading example axis.
- `examples_last = True`: `trace` takes one example, or several as an array (input, example).

A parameter's name is its path, like `layers.0.kernel`. A parameter called `bias` is a bias; another one with two axes or more is a weight,
and its last axis counts units, unless the layer that owns it tells otherwise (`bench.models.axes`). Any other parameter starts as the model
builds it. The order of the weight layers is that in which an example meets them in the traced program (`bench.lane.order`), not that of
their names.
"""

import math
from typing import Any

import numpy as np
from flax import nnx

from bench.models.activations import Hidden
from bench.registry import Entry

MOST_NUMBERS = 1 << 40
"""Largest number of parameters, far below the sizes at which arrays that are computed from them overflow."""
PRECISIONS = ("float32", "float64")


def check_module(entry: Entry, module: Any) -> None:
    """Check that a model is a flax.nnx module that maps examples to outputs; `PieceError` if it is not."""
    if not isinstance(module, nnx.Module):
        raise entry.fault(f"it makes a {type(module).__name__}, which is no flax.nnx.Module", fix="return an nnx.Module from it")
    if not callable(module) and not hasattr(module, "trace"):
        raise entry.fault(
            "it has neither __call__(x) nor trace(x)", fix="write def __call__(self, x) that returns the outputs of one example"
        )


def check_variables(entry: Entry, state: Any) -> None:
    """Check that a model has parameters, in a precision in which they can be trained; `PieceError` if it does not."""
    variables = [(path, variable) for path, variable in nnx.to_flat_state(state) if isinstance(variable, nnx.Param)]
    if not variables:
        raise entry.fault("it has no parameters", fix="hold its weights in layers of flax.nnx or in nnx.Param")
    size = sum(math.prod(variable.get_value().shape) for _, variable in variables)
    if size > MOST_NUMBERS:
        raise entry.fault(f"its parameters would be {size:.3g} numbers; at most {MOST_NUMBERS:,}")
    for path, variable in variables:
        name = ".".join(map(str, path))
        if str(variable.get_value().dtype) not in PRECISIONS:
            raise entry.fault(
                f"'{name}' is {variable.get_value().dtype}; parameters are float32, and trained as training.dtype says",
                fix="build it with param_dtype = jnp.float32, or as nnx.Variable if it is no parameter",
            )


def check_modes(entry: Entry, draws_measured: bool, moving: dict[str, Any]) -> None:
    """Check that a model can be measured without chance, and moves numbers alone in training; `PieceError` if not.

    `moving` are the shapes of what it moves, by their names.
    """
    if draws_measured:
        raise entry.fault(
            "it draws random numbers when it is measured as well",
            fix="a layer of noise has an attribute deterministic, which eval() sets, and draws nothing while it is True",
        )
    for name, leaf in moving.items():
        if str(leaf.dtype) not in PRECISIONS:
            raise entry.fault(
                f"'{name}' is {leaf.dtype}, and training changes it; what a model moves itself is float32",
                fix=f"begin it with jnp.zeros({leaf.shape}), and count in float32",
            )


def check_moved(entry: Entry, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that what training moves keeps its shape and dtype; `PieceError` if it does not."""
    for name, old in before.items():
        new = after[name]
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            raise entry.fault(f"'{name}' is {old.dtype} of shape {old.shape}, and training makes it {new.dtype} of shape {new.shape}")


def check_outputs(entry: Entry, outputs: np.ndarray) -> None:
    """Check that the outputs of some examples are finite; `PieceError` if they are not."""
    wrong = ~np.isfinite(outputs)
    if np.any(wrong):
        rows = int(np.sum(np.any(wrong.reshape(len(wrong), -1), axis=1)))
        raise entry.fault(
            f"with the weights that it builds itself, {rows} of {len(outputs)} examples have outputs that are not finite, "
            f"{outputs[wrong][0]} among them",
            fix="keep zero out of divisions, logarithms and roots, as with jnp.maximum(x, 1e-6), and symbols below the size of nnx.Embed",
        )


def check_trace(entry: Entry, traced: Any, outputs: int, dtype: str) -> None:
    """Check the shapes of a trace of one example: outputs (1, output) of the dtype of the parameters, and hidden layers.

    `traced` has a leading example axis of length 1. `PieceError` if a shape or dtype is wrong.
    """
    if not isinstance(traced, tuple) or len(traced) != 2:
        raise entry.fault("its trace does not give two things, outputs and hidden layers", fix="return outputs, []")
    if not isinstance(traced[1], list | tuple) or not all(isinstance(layer, Hidden) for layer in traced[1]):
        what = "its trace gives hidden layers that are no list of initbench.Hidden"
        raise entry.fault(what, fix="write initbench.activate('tanh', z) for each of them, or return outputs, []")
    if isinstance(traced[0], tuple | list | dict):
        what = f"for one example it returns a {type(traced[0]).__name__} of {len(traced[0])} parts, not an array of shape {(outputs,)}"
        raise entry.fault(what, fix="return the outputs alone, joined by jnp.concatenate if there are several")
    shape, found = getattr(traced[0], "shape", (1,))[1:], getattr(traced[0], "dtype", type(traced[0]).__name__)
    if shape != (outputs,) or found != dtype:
        number = f"{outputs} output{'s' * (outputs != 1)}"
        fixes = (
            [] if shape == (outputs,) else [f"give its last layer {number}, and return an array of shape {(outputs,)}, also for one number"]
        )
        if found != dtype:
            fixes.append("write outputs.astype(x.dtype), and param_dtype = jnp.float32 in its layers")
        what = f"for one example its output is a {found} of shape {shape}, which must be a {dtype} of shape {(outputs,)}"
        raise entry.fault(what, fix="; ".join(fixes))
    for layer in traced[1]:
        if layer.pre_activation.ndim != 2 or layer.activation.ndim != 2:
            shapes = layer.pre_activation.shape[1:], layer.activation.shape[1:]
            raise entry.fault(
                f"a hidden layer of its trace has the shapes {shapes[0]} and {shapes[1]}, which must have one axis, (hidden,)"
            )


def check_axes(entry: Entry, method: str, array: Any, axes: tuple[str, ...]) -> None:
    """Check the number of axes of what a method gives for one example; `PieceError` if it is another."""
    if getattr(array, "ndim", None) != len(axes):
        found = getattr(array, "shape", type(array).__name__)
        raise entry.fault(f"its {method}(x) gives {found}, which must be an array with the axes ({', '.join(axes)})")


def check_names(entry: Entry, attribute: str, unknown: list[str]) -> None:
    """Check that the model has all parameters that an attribute names; `PieceError` if some are `unknown`."""
    if unknown:
        raise entry.fault(f"its {attribute} names {', '.join(unknown)}, which it does not have")


def check_rows(entry: Entry, method: str, rows: Any) -> None:
    """Check the shapes of what `units` or `heads` gives: a list of arrays with two axes; `PieceError` if it is not."""
    if not isinstance(rows, list | tuple) or not all(getattr(layer, "ndim", None) == 2 for layer in rows):
        found = [getattr(layer, "shape", type(layer).__name__) for layer in rows] if isinstance(rows, list | tuple) else type(rows).__name__
        raise entry.fault(f"its {method}() gives {found}, which must be a list of arrays with two axes, a row for each of its {method}")
