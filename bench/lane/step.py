"""The advance of a lane from one check of its training loss to the next."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bench.keys import noise_key, order_key, shuffled
from bench.lane.measure import Probe, probed
from bench.lane.objective import Recipe, gradient, loss_of_outputs
from bench.lane.state import Fixed, Inputs, Params, State, Status
from bench.lane.update import chosen, evaluated, updated
from bench.lane.views import Views
from bench.probes import breaking, probe
from bench.tasks.definition import Examples

POINTS_PER_DECADE = 12
"""Points of a curve per decade of steps."""

OverBlock = Callable[[Array], Array]
"""The largest of the values that the lanes of a block have."""
Trained = tuple[Params, Any]
"""Parameters and the optimizer's state."""


class _Checked(NamedTuple):
    """A lane at a check: its values before the steps that follow, and after them."""

    after: Trained
    fixed_point: Bool[Array, ""]
    """Whether the update is known to change no bit, now and ever after."""
    seen: dict[str, Array]
    loss: Float[Array, ""]


@cache
def log_steps(check_every: int) -> np.ndarray:
    """Return the steps at which curves are kept: 0 and about twelve per decade, moved up to the next check of the loss."""
    # The same for every budget, so that a lane's checks do not depend on the cells beside it.
    steps = np.round(10 ** (np.arange(int(POINTS_PER_DECADE * np.log10(2**31))) / POINTS_PER_DECADE)).astype(np.int64)
    checks = np.unique(np.concatenate([[0], -(-steps // check_every) * check_every]))
    return checks[checks < 2**31 - check_every].astype(np.int32)


def due(recipe: Recipe, track: dict[str, Probe], inputs: Inputs, state: State) -> Bool[Array, ""]:
    """Tell whether a lane's loss over all examples is needed: at its start and end, to see it solved or its tie broken, for its curve.

    A loss that overflows while the parameters do not is seen at these steps alone.
    """
    watched = (inputs.solved_below > -jnp.inf) | (breaking(track) is not None)
    on_curve = inputs.logged & jnp.any(state.step == jnp.asarray(log_steps(recipe.check_every)))
    return watched | on_curve | (state.step == 0) | (state.step >= inputs.budget) | ~_finite(state.params)


def advance(
    recipe: Recipe, track: dict[str, Probe], fixed: Fixed, state: State, over_block: OverBlock | None, loops_ask_host: bool
) -> tuple[State, dict[str, Array]]:
    """Check the training loss and then take the steps until the next check, unless the lane has ended.

    Returns the new state, and the loss and the tracked probes before those steps, which are 0 if they were not due for any lane of the
    block. Without `over_block` they are always computed. Minibatches need it. With `loops_ask_host` the condition of a loop or a branch is
    expensive to test, as in `Hardware`.
    """
    inputs = fixed.inputs
    running = state.status == Status.RUNNING
    check = _by_minibatches if recipe.batch_size else _by_full_batch
    new, fixed_point, seen, loss = check(recipe, track, fixed, state, running, over_block, loops_ask_host)

    solves = running & (loss < inputs.solved_below) & (state.steps_to_solve < 0)
    steps_to_solve = jnp.where(solves, state.step, state.steps_to_solve)
    break_step = state.break_step
    if (name := breaking(track)) is not None:
        breaks = running & (seen[name] > probe[name].traits["first_above"]) & (break_step < 0)
        break_step = jnp.where(breaks, state.step, break_step)

    solved = steps_to_solve >= 0
    finished = (solved & inputs.stop_when_solved) | (state.step >= inputs.budget)
    healthy = jnp.isfinite(loss) & _finite(state.params)
    goes_on = running & healthy & ~finished
    # Decided from the values before the update, so that the update and this choice are one operation.
    params, optimizer = chosen(goes_on, new, (state.params, state.optimizer))

    over = jnp.where(solved, Status.SOLVED, jnp.where(finished, Status.UNSOLVED, Status.STUCK))
    status = jnp.where(finished | fixed_point, over, Status.RUNNING)
    status = jnp.where(running, jnp.where(healthy, status, Status.DIVERGED), state.status).astype(jnp.int32)
    return State(
        params=params,
        optimizer=optimizer,
        step=jnp.where(status == Status.RUNNING, jnp.minimum(state.step + recipe.check_every, inputs.budget), state.step),
        status=status,
        loss=jnp.where(running, loss, state.loss),
        loss_initial=jnp.where(running & (state.step == 0), loss, state.loss_initial),
        steps_to_solve=steps_to_solve,
        break_step=break_step,
    ), seen


def _by_full_batch(
    recipe: Recipe, track: dict[str, Probe], fixed: Fixed, state: State, running: Array, over_block: OverBlock | None, loops_ask_host: bool
) -> _Checked:
    """Take one step on all examples; the loss at the check is that of its gradient, unless training computes something else."""
    inputs, data = fixed.inputs, fixed.data
    key = noise_key(inputs.init_seed, inputs.data_seed, state.step) if recipe.noisy else None
    found = gradient(recipe, state.params, fixed, data.x, data.y, key, training=True)
    loss, outputs = found.loss, found.outputs
    new = updated(recipe, state, fixed, data.x, data.y, found)
    # With noise, an update that changes nothing proves nothing about the next one.
    fixed_point = jnp.zeros((), bool) if recipe.noisy else _same(new, (state.params, state.optimizer), over_block)
    shown = evaluated(recipe, state)
    if recipe.measured_apart or shown is not state:
        outputs = recipe.network.trace(shown.params, data.x)[0]
        loss = loss_of_outputs(recipe, outputs, shown.params, data.y, data, inputs.l2)
    if over_block is None:
        seen = {"loss": loss, **probed(track, Views(recipe, shown.params, fixed))}
    else:
        seen, loss = _seen_if_due(recipe, track, fixed, shown, lambda: outputs, fixed_point, over_block, loops_ask_host)
    return _Checked(new, fixed_point, seen, loss)


def _by_minibatches(
    recipe: Recipe, track: dict[str, Probe], fixed: Fixed, state: State, running: Array, over_block: OverBlock | None, loops_ask_host: bool
) -> _Checked:
    """Take the steps of one epoch, as far as the lane's budget goes."""
    assert over_block is not None
    left = jnp.where(running, jnp.minimum(fixed.inputs.budget - state.step, recipe.check_every), 0)
    new = _epoch(recipe, fixed, state, over_block(left), loops_ask_host)
    fixed_point, shown = jnp.zeros((), bool), evaluated(recipe, state)
    seen, loss = _seen_if_due(
        recipe, track, fixed, shown, lambda: _outputs(recipe, shown.params, fixed.data.x), fixed_point, over_block, loops_ask_host
    )
    return _Checked(new, fixed_point, seen, loss)


def _seen_if_due(
    recipe: Recipe,
    track: dict[str, Probe],
    fixed: Fixed,
    state: State,
    outputs: Callable[[], Array],
    ends: Array,
    over_block: OverBlock,
    loops_ask_host: bool,
) -> tuple[dict[str, Array], Array]:
    """Return the loss and the tracked probes if they are due for any lane of the block, and the lane's last known loss."""

    def check() -> dict[str, Array]:
        loss = loss_of_outputs(recipe, outputs(), state.params, fixed.data.y, fixed.data, fixed.inputs.l2)
        return {"loss": loss, **probed(track, Views(recipe, state.params, fixed))}

    wanted = (due(recipe, track, fixed.inputs, state) | ends) & (state.status == Status.RUNNING)
    if loops_ask_host and not recipe.batch_size and not track:
        # The loss is there already; an accelerator would wait for the host to learn whether it is wanted.
        seen = check()
        return seen, jnp.where(wanted, seen["loss"], state.loss)
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(check))
    seen = jax.lax.cond(over_block(wanted.astype(jnp.int32)) > 0, check, lambda: empty)
    return seen, jnp.where(wanted, seen["loss"], state.loss)


def _outputs(recipe: Recipe, params: Params, x: Examples) -> Float[Array, "example output"]:
    """Return the outputs for all examples, computed in minibatches: the patches of convolutions for all examples would exceed a cache."""

    def outputs(part: Examples) -> Float[Array, "example output"]:
        return recipe.network.trace(params, part)[0]

    whole = len(x) // recipe.batch_size * recipe.batch_size
    found = jax.lax.map(outputs, x[:whole].reshape(-1, recipe.batch_size, x.shape[1])).reshape(whole, -1)
    return found if whole == len(x) else jnp.concatenate([found, outputs(x[whole:])])


def _epoch(recipe: Recipe, fixed: Fixed, state: State, steps: Array, loops_ask_host: bool) -> Trained:
    """Take this many steps of one epoch, as far as the lane's budget goes."""
    data, inputs = fixed.data, fixed.inputs
    key = order_key(inputs.init_seed, inputs.data_seed, state.step // recipe.check_every)
    order = shuffled(key, recipe.n_examples)

    def step(i: Array, carried: Trained) -> Trained:
        batch = jax.lax.dynamic_slice_in_dim(order, i * recipe.batch_size, recipe.batch_size)
        now = state._replace(params=carried[0], optimizer=carried[1])
        # Data that are part of the program are arrays of NumPy, which a traced index cannot enter.
        x, y = jnp.asarray(data.x)[batch], jnp.asarray(data.y)[batch]
        noise = noise_key(inputs.init_seed, inputs.data_seed, state.step + i) if recipe.noisy else None
        found = gradient(recipe, now.params, fixed, x, y, noise, training=True)
        return chosen(state.step + i < inputs.budget, updated(recipe, now, fixed, x, y, found), carried)

    start = state.params, state.optimizer
    if loops_ask_host:
        # A loop of known length goes on without asking the host after every step.
        return jax.lax.cond(steps > 0, lambda: jax.lax.fori_loop(0, recipe.check_every, step, start), lambda: start)
    return jax.lax.fori_loop(0, steps, step, start)


def _same(new: Trained, old: Trained, over_block: OverBlock | None) -> Bool[Array, ""]:
    """Tell whether two trees are equal in every bit."""
    pairs = list(zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True))

    def equal(pairs: list[tuple[Array, Array]]) -> Array:
        return jnp.all(jnp.stack([jnp.all(_bits(a) == _bits(b)) for a, b in pairs]))

    if over_block is None:
        return equal(pairs)
    # Nearly always the smallest leaf has changed.
    suspected = equal([min(pairs, key=lambda pair: pair[0].size)])
    return jax.lax.cond(over_block(suspected.astype(jnp.int32)) > 0, lambda: equal(pairs), lambda: jnp.zeros((), bool))


def _bits(leaf: Array) -> Array:
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    return jax.lax.bitcast_convert_type(leaf, jnp.dtype(f"uint{8 * leaf.dtype.itemsize}"))


def _finite(tree: Any) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
