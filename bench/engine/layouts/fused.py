"""All looks at a block as one GPU kernel: a thread trains a lane, whose numbers stay in registers from the first look to the last.

The step is the flat function of `unroll`, traced from the same model and optimizer; only the loop over looks moves into the kernel. Without
it every step starts some kernels, which takes longer than their arithmetic and brings all parameters from memory and back.
"""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas
from jaxtyping import Array, Int

from bench.engine.layouts.unrolled import ELEMENTWISE, unrolled
from bench.lane.state import Fixed, State, Status

try:
    from jax.experimental.pallas import triton
except ImportError:  # Versions of JAX to come may be without it; `Form.UNROLLED` needs nothing of it.
    triton = None  # type: ignore[assignment]

OPERATIONS = ELEMENTWISE - {"copy", "erf", "erfc", "reduce_precision", "round"} | {"given", "reduce_sum"}
"""What a kernel can do. (The largest of many examples would drop what is no number.)"""
OLDEST = 8.0
"""Triton needs this compute capability of CUDA, Ampere's."""
LANES = 32
"""Of a program of the kernel: one for each thread of a warp; with examples of their own, each lane has threads in several warps."""
WARP_EXAMPLES = 16
"""So many examples of its lanes are one warp's."""
MAX_VECTORS = 200
"""Arguments of a kernel are limited, and more numbers of a lane would not stay in registers."""


def fusible(operations: Collection[str], given: Any) -> bool:
    """Whether there is a kernel for these operations on these arguments (trees of `Unrolled` shapes), here."""
    if triton is None or not _compiles_triton():
        return False
    vectors = jax.tree.leaves(given)
    sizes = {vector.shape[0] for vector in vectors if vector.ndim > 1}
    return OPERATIONS.issuperset(operations) and len(vectors) <= MAX_VECTORS and all(size & (size - 1) == 0 for size in sizes)


def _compiles_triton() -> bool:
    if jax.default_backend() != "gpu":
        return False
    # Other makers' GPUs have names there.
    capability = str(getattr(jax.devices()[0], "compute_capability", ""))
    return capability.replace(".", "", 1).isdigit() and float(capability) >= OLDEST


def fused(
    function: Callable[[Fixed, State], tuple[State, dict[str, Array]]], fixed: Any, state: Any, looks: Int[Array, ""], most_looks: int
) -> tuple[Any, dict[str, Array]]:
    """So many looks at a block, or until no lane of a warp runs; also what was seen (look, lane), up to each lane's end.

    `function` is a program's step for one lane, `fixed` and `state` its arguments as `Unrolled` for all lanes.
    """
    arguments, tree = jax.tree.flatten((fixed, state))
    state_tree = jax.tree.structure(state)
    width = arguments[-1].shape[-1]
    lanes = min(LANES, width)

    def step(fixed: Any, state: Any) -> tuple[Any, dict[str, Array]]:
        state, seen = unrolled(function, jnp.ones(lanes, state.loss.vectors[0].dtype), registers=True)(fixed, state)
        return state, {name: leaf.vectors[0] for name, leaf in seen.items()}

    of_warp = [jax.ShapeDtypeStruct((*leaf.shape[:-1], lanes), leaf.dtype) for leaf in arguments]
    seen = jax.eval_shape(step, *jax.tree.unflatten(tree, of_warp))[1]

    def kernel(looks: Any, *references: Any) -> None:
        given, ended, traces = (
            references[: len(arguments)],
            references[len(arguments) : -len(seen)],
            dict(zip(seen, references[-len(seen) :], strict=True)),
        )
        loaded = [reference[...].astype(leaf.dtype) for reference, leaf in zip(given, arguments, strict=True)]
        fixed, state = jax.tree.unflatten(tree, loaded)

        def more(carried: Any) -> Array:
            i, state = carried
            running: Any = state.status.vectors[0] == Status.RUNNING
            return (i < looks[0]) & (jnp.max(running.astype(jnp.int32)) > 0)

        def look(carried: Any) -> Any:
            i, state = carried
            state, seen = step(fixed, state)
            for name, vector in seen.items():
                traces[name][i, :] = vector
            return i + 1, state

        _, state = jax.lax.while_loop(more, look, (jnp.zeros((), jnp.int32), state))
        for reference, vector in zip(ended, jax.tree.leaves(state), strict=True):
            reference[...] = vector.astype(reference.dtype)

    def part(leaf: Any) -> pallas.BlockSpec:
        return pallas.BlockSpec((*leaf.shape[:-1], lanes), lambda i: (*(0,) * (leaf.ndim - 1), i))

    passed = [leaf.astype(_as_number(leaf.dtype)) for leaf in arguments]
    kinds = [leaf.dtype for leaf in jax.tree.leaves(state)]
    results = [
        *(jax.ShapeDtypeStruct((width,), _as_number(kind)) for kind in kinds),
        *(jax.ShapeDtypeStruct((most_looks, width), leaf.dtype) for leaf in seen.values()),
    ]
    examples = max((leaf.shape[0] for leaf in arguments if leaf.ndim > 1), default=1)
    ends = pallas.pallas_call(
        kernel,
        out_shape=results,
        grid=(width // lanes,),
        in_specs=[pallas.BlockSpec((1,), lambda i: (0,)), *map(part, passed)],
        out_specs=[part(result) for result in results],
        compiler_params=triton.CompilerParams(num_warps=max(examples // WARP_EXAMPLES, 1), num_stages=1),
        interpret=jax.default_backend() == "cpu",
        name="looks",
    )(looks[None], *passed)
    state = [end.astype(kind) for end, kind in zip(ends[: -len(seen)], kinds, strict=True)]
    return jax.tree.unflatten(state_tree, state), dict(zip(seen, ends[-len(seen) :], strict=True))


def _as_number(kind: Any) -> Any:
    """How a kernel is given numbers of this kind, and gives them back: flags are 0 or 1."""
    return jnp.dtype(jnp.int32) if jnp.issubdtype(kind, jnp.bool_) else kind
