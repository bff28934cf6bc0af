"""The contracts that a piece of a user's own must keep, tried one by one, and what its kind is.

Every contract is one that training relies on; what a piece of the package keeps by its tests, a user's own shows here.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tomlkit
from flax import linen, nnx

from bench.hardware import precision
from bench.imports import described
from bench.initializers import drawn, draws, initializer
from bench.lane.checks import MOST_EXAMPLES, check_model
from bench.lane.contracts import check_values
from bench.lane.data import data_shapes, problem, sampled
from bench.lane.grouping import programs
from bench.lane.network import Network
from bench.lane.state import Inputs
from bench.lane.views import VIEWS, missing
from bench.losses import loss
from bench.models import model
from bench.models.protocol import check_outputs
from bench.optimizers import optimizer
from bench.probes import probe
from bench.registry import PieceError, Registry, importing
from bench.schemes import scheme
from bench.spec import Experiment, ModelSpec, TaskSpec
from bench.tasks import task
from bench.tasks.definition import Task

State = Literal["kept", "broken", "untried"]
REGISTRIES: dict[str, Registry] = {
    "initializer": initializer,
    "model": model,
    "task": task,
    "optimizer": optimizer,
    "probe": probe,
    "loss": loss,
    "scheme": scheme,
}
"""The kinds of pieces."""
SHAPES = ((6, 4), (4, 6), (5, 5), (3, 3, 2, 4))
"""Shapes of weights that initializers are asked for: wide, tall, square, a convolution."""
BASE = {
    "name": "check",
    "task": {"name": "blobs"},
    "model": {"name": "mlp", "widths": [4]},
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "training": {"steps": 3},
    "initializer": {"name": "lecun_normal"},
    "seeds": {"init": 2},
}
"""The experiment in which a piece is tried that needs one."""
TRIED = 2
"""Segments of training that it is tried for."""


@dataclass(frozen=True)
class Contract:
    """One contract, and whether the piece keeps it."""

    says: str
    state: State
    why: str = ""


def kind_of(name: str) -> str:
    """Guess the kind of a user's piece from its type, its signature, or what it returns; ValueError if none fits, or it cannot be imported.

    `PieceError` if the module cannot be imported.
    """
    found = _found(name)
    if inspect.isclass(found) and issubclass(found, nnx.Module | linen.Module) or isinstance(found, linen.Module | tuple):
        return "model"
    if not callable(found):
        return "model"
    try:
        parameters = inspect.signature(found.__init__ if inspect.isclass(found) else found).parameters
    except ValueError as error:
        raise ValueError(f"'{name}': {error}; say which kind it is: --kind KIND") from error
    names = set(parameters)
    for kind, needed in (
        ("loss", {"outputs", "targets"}),
        ("scheme", {"params", "network", "x"}),
        ("initializer", {"key", "shape"}),
        ("optimizer", {"learning_rate"}),
    ):
        if needed <= names:
            return kind
    required = {
        one.name for one in parameters.values() if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    if required and required <= set(VIEWS):
        return "probe"
    if names & {"rngs", "inputs"}:
        return "model"
    if not required:
        return _kind_of_result(name, found)
    raise ValueError(f"'{name}': its arguments {', '.join(sorted(required))} are those of no kind of piece; say which it is: --kind KIND")


def _found(name: str) -> Any:
    """Import the value of a name; `PieceError` as the registry of models tells it."""
    from bench.imports import imported

    with importing():
        try:
            model[name]
        except PieceError as error:
            module, _, attribute = name.partition(":")
            if "cannot be imported" in str(error):
                raise
            return getattr(imported(module), attribute)
    module, _, attribute = name.partition(":")
    return getattr(imported(module), attribute)


def _kind_of_result(name: str, found: Any) -> str:
    try:
        made = found()
    except Exception as error:
        raise ValueError(f"'{name}': called without arguments it raises {described(error)}; say which kind it is: --kind KIND") from error
    if isinstance(made, nnx.Module | linen.Module):
        return "model"
    if isinstance(made, Task) or isinstance(made, tuple) and not isinstance(made, optax.GradientTransformation):
        return "task"
    if callable(made) and {"key", "shape"} <= set(inspect.signature(made).parameters):
        return "initializer"
    raise ValueError(f"'{name}': it returns a {type(made).__name__}, which is no piece; say which kind it is: --kind KIND")


def contracts(kind: str, name: str, options: dict[str, Any], inputs: int, outputs: int) -> tuple[list[Contract], dict[str, list[str]]]:
    """Try the contracts of a piece; also return, for a model, the views that it does not offer with the probes that need them.

    `PieceError` if the piece cannot be imported. ValueError if the kind is unknown.
    """
    if kind not in REGISTRIES:
        raise ValueError(f"--kind {kind}: allowed: {', '.join(REGISTRIES)}")
    with importing():
        tried = {"initializer": _initializer, "model": _model, "task": _task}.get(kind)
        trials = _in_training(kind, name, options) if tried is None else tried(name, options, inputs, outputs)
        found = list(_tried(trials))
        lacking = _lacking(name, options, inputs, outputs) if kind == "model" and all(one.state == "kept" for one in found) else {}
    return found, lacking


Trial = tuple[str, Callable[[], str | None]]
"""A contract in words, and what tries it: it returns what was seen, and raises if the contract is broken."""


class Untried(Exception):
    """A contract cannot be tried."""


def _tried(trials: Iterator[Trial]) -> Iterator[Contract]:
    """Try contracts until one is broken that the others rest on: the rest cannot be tried."""
    broken = False
    for says, trial in trials:
        if broken:
            yield Contract(says, "untried", "what stands above it is broken")
            continue
        try:
            yield Contract(says, "kept", trial() or "")
        except Untried as why:
            yield Contract(says, "untried", str(why))
        except (PieceError, ValueError) as error:
            broken = True
            yield Contract(says, "broken", str(error))


def _initializer(name: str, options: dict[str, Any], inputs: int, outputs: int) -> Iterator[Trial]:
    entry = initializer[name]

    def asked() -> None:
        entry.options.model_validate(options)
        drawn(entry, options, 0, SHAPES[0])

    def shaped() -> str | None:
        refused = []
        for shape in SHAPES[1:]:
            try:
                drawn(entry, options, 0, shape)
            except PieceError as error:
                if error.__cause__ is None:
                    raise
                refused.append(f"{shape}: {described(error.__cause__)}")
        return f"it refuses {'; '.join(refused)}" if refused else None

    def doubled() -> None:
        with precision("float64"):
            drawn(entry, options, 0, SHAPES[0], "float64")

    def repeated() -> None:
        if not np.array_equal(drawn(entry, options, 0, SHAPES[0]), drawn(entry, options, 0, SHAPES[0])):
            raise entry.fault("the same key gives two different arrays; draw with jax.random and the key alone, not with NumPy")

    def traced() -> None:
        keys = jax.vmap(lambda seed: jax.random.key(seed, impl="threefry2x32"))(jnp.arange(2))
        both = jax.jit(jax.vmap(lambda key: entry.bind(options)(key, SHAPES[0], jnp.dtype("float32"))))(keys)
        if not np.allclose(both[0], drawn(entry, options, 0, SHAPES[0]), rtol=1e-5, atol=1e-6):
            raise entry.fault("inside of jax.jit and jax.vmap it gives other numbers than outside")

    yield "it gives finite float32 weights of the shape that it is asked for", asked
    yield "it gives weights of other shapes too: tall, square, of a convolution", shaped
    yield "it gives float64 weights when it is asked for them", doubled
    yield "the same key gives the same weights", repeated
    yield "it works for many keys at once, inside of jax.jit and jax.vmap", traced
    yield "what it says about chance is true", lambda: "two keys differ" if draws(name, options) else "every key gives the same weights"


def _model(name: str, options: dict[str, Any], inputs: int, outputs: int) -> Iterator[Trial]:
    made: list[Network] = []

    def built() -> str:
        made.append(Network(ModelSpec.model_validate({"name": name, **options}), inputs, outputs))
        return f"weight layers: {', '.join(made[0].weight_names) or 'none'}"

    def finite() -> None:
        network = made[0]
        values = network.model.as_built()
        params = jax.tree.unflatten(jax.tree.structure(network.shapes), [jnp.asarray(values[path]) for path in network.paths])
        x = jax.random.normal(jax.random.key(0), (MOST_EXAMPLES, inputs))
        check_outputs(network.entry, np.asarray(network.trace(params, x)[0]))

    def clear() -> None:
        if made[0].unclear_paths:
            where = ", ".join(".".join(map(str, path)) for path in made[0].unclear_paths)
            raise Untried(f"nobody knows which axes of {where} are inputs, as initializers with a fan-in must; give them two axes")

    yield f"it builds a module whose weights all have a part in its outputs ({inputs} inputs, {outputs} outputs)", built
    yield (
        "one example gives outputs of the right shape and dtype, and what it offers beside has the right shape",
        lambda: check_model(made[0], outputs, "float32"),
    )
    yield "the same in float64", lambda: _within("float64", lambda: check_model(made[0], outputs, "float64"))
    yield "with the weights that it builds itself its outputs are finite", finite
    yield "every weight tells which of its axes are inputs", clear


def _within(dtype: str, function: Callable[[], None]) -> None:
    with precision(dtype):
        function()


def _lacking(name: str, options: dict[str, Any], inputs: int, outputs: int) -> dict[str, list[str]]:
    """Return the views that a model does not offer, each with the probes that cannot be measured without it."""
    network = Network(ModelSpec.model_validate({"name": name, **options}), inputs, outputs)
    lacking: dict[str, list[str]] = {view: [] for view in missing(network, tuple(VIEWS))}
    for one in probe:
        for view in set(inspect.signature(inspect.unwrap(probe[one].target)).parameters) & set(lacking):
            lacking[view].append(one)
    return {view: probes for view, probes in lacking.items() if probes}


def _task(name: str, options: dict[str, Any], inputs: int, outputs: int) -> Iterator[Trial]:
    spec: list[TaskSpec] = []

    def made() -> str:
        spec.append(TaskSpec.model_validate({"name": name, **options}))
        found = problem(spec[0])
        return f"{found.kind}, {found.inputs} inputs, {found.outputs} outputs, loss {found.loss.name}"

    def values() -> None:
        for seed in range(3):
            check_values(task[name], problem(spec[0]), sampled(spec[0], seed, "float32"))

    def repeated() -> str:
        one, again, other = (sampled(spec[0], seed, "float32") for seed in (0, 0, 1))
        if not all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(again))):
            raise task[name].fault("the same data seed gives two different data sets; draw with jax.random and the key alone")
        same = all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))
        return "all data seeds give the same data" if same else "two data seeds give different data"

    yield "it describes a task", made
    yield "its data have the shapes and dtypes of the task", lambda: _nothing(data_shapes(spec[0], "float32"))
    yield "the same in float64", lambda: _within("float64", lambda: _nothing(data_shapes(spec[0], "float64")))
    yield "its numbers are finite, its classes exist, its probabilities lie in 0 to 1", values
    yield "the same data seed gives the same data", repeated


def _nothing(_: Any) -> None:
    return None


def _in_training(kind: str, name: str, options: dict[str, Any]) -> Iterator[Trial]:
    """Contracts of a piece that is tried in a small training run."""
    made: list[Any] = []

    def planned() -> None:
        raw: dict[str, Any] = {**BASE}
        if kind == "probe":
            raw["probes"] = [name]
        elif kind == "loss":
            raw["task"] = {**BASE["task"], "loss": name}  # type: ignore[dict-item]
        elif kind == "scheme":
            raw["initializer"] = {**BASE["initializer"], "scheme": {"name": name, **options}}  # type: ignore[dict-item]
        else:
            raw["optimizer"] = {"name": name, "learning_rate": 0.1, **options}
        experiment = Experiment.parse(tomlkit.dumps(raw), "check")
        made.extend(programs(experiment.cells, experiment.probes, experiment.track))

    def trained() -> None:
        program = made[0]
        seeds = np.zeros(1, np.int64)
        with precision(program.dtype):
            inputs = Inputs(*(leaf[0] for leaf in program.inputs_of(program.cells[0], seeds, seeds)))

            def run(inputs: Inputs) -> Any:
                fixed, state = program.start(program.variants[0], inputs)
                for _ in range(TRIED):
                    state, _ = program.advance_alone(fixed, state)
                return state.params, program.measure(fixed, state)

            params, measured = jax.jit(run)(inputs)
        wanted = measured if kind == "probe" else {"parameters": jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])}
        for what, value in wanted.items():
            if (kind != "probe" or name.rpartition(":")[2] in what) and not np.all(np.isfinite(np.asarray(value))):
                raise REGISTRIES[kind][name].fault(f"after {TRIED} steps {what} is not finite")

    yield f"an experiment can name it as its {kind}, and it passes all checks before training", planned
    yield "a multilayer perceptron on a small task trains with it, inside of jax.jit, and stays finite", trained
