"""All checks of a block in a round as one GPU kernel.

A thread trains a lane, whose numbers stay in registers from the first check to the last. The step is the function that the unrolled layout
traces; only the loop over checks moves into the kernel. Without it every step starts some kernels, which takes longer than their
arithmetic and moves all parameters from memory and back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.layouts.unrolled import unrolled
from bench.hardware import Hardware
from bench.lane.state import Fixed, State, Status

try:
    from jax.experimental.pallas import triton
except ImportError:  # Later versions of JAX may lack it; the unrolled layout does not need it.
    triton = None  # type: ignore[assignment]

HAS_TRITON = triton is not None
LANES = 32
"""Lanes of one program of the kernel's grid: one for each thread of a warp. Lanes with data of their own have several warps."""
WARP_EXAMPLES = 16
"""Examples of its lanes that one warp has."""

Advance = Callable[[Fixed, State], tuple[State, dict[str, Array]]]


def run_kernel(
    function: Advance, fixed: Any, state: Any, checks: Int[Array, ""], most_checks: int, hardware: Hardware
) -> tuple[Any, Trace]:
    """Advance a block by up to `checks` loss checks, or until no lane of a warp runs.

    `function` is a program's check of one lane; `fixed` and `state` are its arguments as `Vectors` of all lanes. Returns the new state and
    the trace with axes (check, lane), which is written up to each lane's end.
    """
    arguments, tree = jax.tree.flatten((fixed, state))
    width = arguments[-1].shape[-1]
    lanes = min(LANES, width)

    def step(fixed: Any, state: Any) -> tuple[Any, dict[str, Array]]:
        state, seen = unrolled(function, jnp.ones(lanes, state.loss.vectors[0].dtype), registers=True)(fixed, state)
        return state, {name: leaf.vectors[0] for name, leaf in seen.items()}

    def part(leaf: Any) -> pallas.BlockSpec:
        return pallas.BlockSpec((*leaf.shape[:-1], lanes), lambda i: (*(0,) * (leaf.ndim - 1), i))

    of_warp = [jax.ShapeDtypeStruct((*leaf.shape[:-1], lanes), leaf.dtype) for leaf in arguments]
    seen = jax.eval_shape(step, *jax.tree.unflatten(tree, of_warp))[1]
    passed = [leaf.astype(_as_number(leaf.dtype)) for leaf in arguments]
    kinds = [leaf.dtype for leaf in jax.tree.leaves(state)]
    results = [
        *(jax.ShapeDtypeStruct((width,), _as_number(kind)) for kind in kinds),
        *(jax.ShapeDtypeStruct((most_checks, width), leaf.dtype) for leaf in seen.values()),
    ]
    examples = max((leaf.shape[0] for leaf in arguments if leaf.ndim > 1), default=1)
    ends = pallas.pallas_call(
        _kernel(step, tree, [leaf.dtype for leaf in arguments], list(seen)),
        out_shape=results,
        grid=(width // lanes,),
        in_specs=[pallas.BlockSpec((1,), lambda i: (0,)), *map(part, passed)],
        out_specs=[part(result) for result in results],
        compiler_params=triton.CompilerParams(num_warps=max(examples // WARP_EXAMPLES, 1), num_stages=1),
        interpret=not hardware.compiles_triton,
        name="checks",
    )(checks[None], *passed)
    state_leaves = [end.astype(kind) for end, kind in zip(ends[: -len(seen)], kinds, strict=True)]
    trace = dict(zip(seen, ends[-len(seen) :], strict=True))
    return jax.tree.unflatten(jax.tree.structure(state), state_leaves), trace


def _kernel(
    step: Callable[[Any, Any], tuple[Any, dict[str, Array]]], tree: Any, dtypes: list[Any], names: list[str]
) -> Callable[..., None]:
    """Return the kernel that repeats `step`, whose arguments are a `tree` of these dtypes; `names` are those of its traces."""

    def kernel(checks: Any, *references: Any) -> None:
        given, ended = references[: len(dtypes)], references[len(dtypes) : -len(names)]
        traces = dict(zip(names, references[-len(names) :], strict=True))
        loaded = [reference[...].astype(dtype) for reference, dtype in zip(given, dtypes, strict=True)]
        fixed, state = jax.tree.unflatten(tree, loaded)

        def more(carried: Any) -> Array:
            i, state = carried
            running: Any = state.status.vectors[0] == Status.RUNNING
            return (i < checks[0]) & (jnp.max(running.astype(jnp.int32)) > 0)

        def check(carried: Any) -> Any:
            i, state = carried
            state, seen = step(fixed, state)
            for name, vector in seen.items():
                traces[name][i, :] = vector
            return i + 1, state

        _, state = jax.lax.while_loop(more, check, (jnp.zeros((), jnp.int32), state))
        for reference, vector in zip(ended, jax.tree.leaves(state), strict=True):
            reference[...] = vector.astype(reference.dtype)

    return kernel


def _as_number(kind: Any) -> Any:
    """Return the dtype in which a kernel takes and returns arrays of this dtype: flags are 0 or 1."""
    return jnp.dtype(jnp.int32) if jnp.issubdtype(kind, jnp.bool_) else kind
