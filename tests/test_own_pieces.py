"""Users' own pieces: what they may rely on, and the one line that tells what is wrong with one, before anything is trained."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tomlkit

from analysis.figures.check import check_figures
from analysis.rows.load import load
from bench import Experiment, run
from bench.initializers import draws, initializer
from bench.lane.initial import initial_parameters, parameter_keys, zeroed_layers
from bench.lane.network import Network
from bench.lane.order import use
from bench.lane.program import Program, programs
from bench.lane.state import Inputs
from bench.losses.definition import Loss
from bench.models import model
from bench.registry import importing, trusting
from bench.spec import InitializerSpec, ModelSpec
from bench.tasks.definition import Data, Task
from tests.conftest import XOR, Rows, experiment

PIECES = '''
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.initializers import initializer
from bench.losses import loss
from bench.models.activations import activate
from bench.probes import probe
from bench.tasks.definition import Data, Task


def sign_scaled(key, shape, dtype, gain: float = 1.0, bias: float = 0.0, layers: int = 1, scheme: str = "", zero_layers: int = 0):
    return (gain + bias + layers + zero_layers) * jax.random.rademacher(key, shape, dtype)


def same(key, shape, dtype):
    return jnp.linspace(-1, 1, 1000, dtype=dtype)[: np.prod(shape)].reshape(shape)


@initializer(random=False)
def declared(key, shape, dtype):
    return same(key, shape, dtype)


@initializer(random=False)
def contradicts(key, shape, dtype):
    return jax.random.normal(key, shape, dtype)


def flat(key, shape, dtype):
    return jnp.zeros(4, dtype)


def infinite(key, shape, dtype):
    return jnp.full(shape, jnp.inf, dtype)


def raises(key, shape, dtype):
    if shape[0] == 2:
        raise KeyError("no such shape")
    return jnp.zeros(shape, dtype)


def leaves(key, shape, dtype):
    raise SystemExit(3)


def named(key, shape, dtype, name: str = "x"):
    return jnp.zeros(shape, dtype)


class Plain(nnx.Module):
    """One hidden layer, called `hidden`, before the layer that comes first in the alphabet."""

    kind, dtype, width = "plain", None, 4

    def __init__(self, inputs: int, outputs: int, *, rngs):
        self.hidden = nnx.Linear(inputs, self.width, rngs=rngs)
        self.head = nnx.Linear(self.width, outputs, rngs=rngs)

    def trace(self, x):
        found = activate("tanh", self.hidden(x))
        return self.head(found.activation), [found]

    def units(self):
        return [jnp.concatenate([self.hidden.kernel[...].T, self.hidden.bias[...][:, None], self.head.kernel[...]], axis=1)]


class Jitted(Plain):
    def trace(self, x):
        @jax.jit
        def forward(layers, x):
            hidden = jnp.tanh(layers["z"] @ x)
            return layers["a"] @ hidden, hidden

        # The head stands first here, by name and by use; what counts is which of them meets the example first.
        outputs, hidden = forward({"a": self.head.kernel[...].T, "z": self.hidden.kernel[...].T}, x)
        return outputs + self.head.bias[...] + 0 * self.hidden.bias[0], [activate("tanh", hidden)]


class Noisy(Plain):
    def trace(self, x, forward=None):
        found = activate("tanh", self.hidden(x))
        if forward is not None and forward.key is not None:
            found = found._replace(activation=found.activation + jax.random.normal(forward.key, found.activation.shape))
        return self.head(found.activation), [found]


class Quiet(Plain):
    def trace(self, x, forward=None):
        return super().trace(x)


class Scalar(Plain):
    def trace(self, x):
        outputs, hidden = super().trace(x)
        return outputs[0], hidden


class Two(Plain):
    def trace(self, x):
        outputs, hidden = super().trace(x)
        return jnp.tile(outputs, 2), hidden


class Half(Plain):
    def trace(self, x):
        outputs, hidden = super().trace(x)
        return outputs.astype(jnp.bfloat16), hidden


class Alone(Plain):
    def trace(self, x):
        return super().trace(x)[0]


class Normed(Plain):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        super().__init__(inputs, outputs, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)


class Dropped(Plain):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        super().__init__(inputs, outputs, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)


class Half16(Plain):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        super().__init__(inputs, outputs, rngs=rngs)
        self.head = nnx.Linear(self.width, outputs, param_dtype=jnp.float16, rngs=rngs)


class Idle(Plain):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        super().__init__(inputs, outputs, rngs=rngs)
        self.spare = nnx.Linear(inputs, outputs, rngs=rngs)


class Heads(Plain):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        super().__init__(inputs, outputs, rngs=rngs)
        self.query = nnx.LinearGeneral(self.width, (2, 2), rngs=rngs)
        self.image = nnx.Conv(1, 2, (3,), rngs=rngs)

    def trace(self, x):
        found = activate("tanh", self.hidden(x))
        seen = self.image(found.activation[:, None]).mean()
        return self.head(found.activation + self.query(found.activation).ravel() + seen), [found]


class Broken(Plain):
    def trace(self, x):
        return self.head(x @ x), []


class Bare(Plain):
    def trace(self, x):
        outputs, [found] = super().trace(x)
        return outputs, [found.activation]


class Empty(nnx.Module):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        self.outputs = outputs

    def trace(self, x):
        return x[:, : self.outputs], []


class Mute(nnx.Module):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        self.dense = nnx.Linear(inputs, outputs, rngs=rngs)


class Flat(Plain):
    def units(self):
        return [self.hidden.bias[...]]


def made_of_nothing(inputs: int, outputs: int, *, rngs):
    return {}


class Called(nnx.Module):
    def __init__(self, inputs: int, outputs: int, *, rngs):
        self.dense = nnx.Linear(inputs, outputs, rngs=rngs)

    def __call__(self, x):
        return self.dense(x)


X = np.arange(10.0).reshape(5, 2) / 10


def data(x=X, y=X[:, :1], test_x=None, test_y=None, floor=0.0):
    return Data(x, y, test_x, test_y, np.float32(floor))


def listed(seeded: bool = False, **changed) -> Task:
    return Task(2, 1, lambda key, dtype: data(), "mse", "regression", seeded)


def flat_targets() -> Task:
    return Task(2, 1, lambda key, dtype: data(y=5 + X[:, 0]), "mse", "regression")


def not_finite() -> Task:
    return Task(2, 1, lambda key, dtype: data(x=np.where(X == 0.3, np.nan, X)), "mse", "regression")


def seldom_finite() -> Task:
    return Task(2, 1, lambda key, dtype: data(y=jnp.where(jax.random.uniform(key, (5, 1)) > 0.99, jnp.nan, 1.0)), "mse", "regression")


def keyless(seeded: bool = True, scheme: str = "a") -> Task:
    return listed(seeded)


def no_such_class() -> Task:
    return Task(2, 3, lambda key, dtype: data(y=np.array([0, 1, 2, 3, 0])), "cross_entropy", "classification")


def no_such_probability() -> Task:
    return Task(2, 1, lambda key, dtype: data(y=3 * X[:, :1]), "cross_entropy", "classification")


def no_examples() -> Task:
    return Task(2, 1, lambda key, dtype: data(X[:0], X[:0, :1]), "mse", "regression")


def no_outputs() -> Task:
    return Task(2, 0, lambda key, dtype: data(y=X[:, :0]), "mse", "regression")


def other_inputs() -> Task:
    return Task(3, 1, lambda key, dtype: data(), "mse", "regression")


def half_a_test() -> Task:
    return Task(2, 1, lambda key, dtype: data(test_x=X), "mse", "regression")


def bad_test() -> Task:
    return Task(2, 1, lambda key, dtype: data(test_x=X, test_y=X), "mse", "regression")


def unknown_loss() -> Task:
    return Task(2, 1, lambda key, dtype: data(), "hinge", "regression")


def distance(outputs, targets):
    return jnp.sqrt(1 + jnp.sum((outputs - targets) ** 2, axis=1)) - 1


@loss(total=jnp.sum)
def total_distance(outputs, targets):
    return distance(outputs, targets)


def one_number(outputs, targets):
    return jnp.mean(outputs - targets)


def weighted(outputs, targets, weight: float):
    return weight * distance(outputs, targets)


def of_distance(loss: str = "pieces:distance") -> Task:
    return Task(2, 1, lambda key, dtype: data(), loss, "regression")


def arrays():
    return X, X[:, :1]


def tuple_of_arrays() -> Task:
    return Task(2, 1, lambda key, dtype: (X, X[:, :1]), "mse", "regression")


def fails_to_sample() -> Task:
    def sample(key, dtype):
        return data(x=X @ X)

    return Task(2, 1, sample, "mse", "regression")


@jax.jit
def largest_unit(units):
    return jnp.max(jnp.abs(units))


def distinct_units(units):
    return jnp.zeros(())


def metric(weights):
    return jnp.zeros(())


def looks(nothing):
    return nothing


def fails(units):
    return units @ units @ units


def gives_nothing(units):
    pass


def scheme_that_halves(params, network, x):
    return jax.tree.map(lambda leaf: leaf.astype("float16"), params)


def scheme_that_fails(params, network, x):
    raise RuntimeError("a scheme")
'''


@pytest.fixture(scope="module", autouse=True)
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with modules of a user's own, where Python looks for them, and from which they may be imported."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "pieces.py").write_text(PIECES)
    (folder / "pieces_too.py").write_text("import jax.numpy as jnp\ndef largest_unit(units):\n    return jnp.min(units)\n")
    (folder / "raising.py").write_text("import os\n\nraise ZeroDivisionError('as it is imported')\n")
    (folder / "leaving.py").write_text("import sys\nsys.exit(5)\n")
    (folder / "spelled.py").write_text("def init(key, shape, dtype):\n    return (\n")
    sys.path.insert(0, str(folder))
    with importing():
        yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("pieces", None)


def planned(**changes: Any) -> list[Program]:
    """The programs of an experiment, as its file would be read."""
    wanted = Experiment.parse(tomlkit.dumps({**XOR, **changes}))
    return programs(wanted.cells, wanted.probes, wanted.track)


def network(name: str, inputs: int = 2, outputs: int = 1, **options: Any) -> Network:
    return Network(ModelSpec.model_validate({"name": name, **options}), inputs, outputs)


INITIALIZERS = {
    "flat": "it returns a float32 of shape (4,) when asked for a float32 of shape (2, 3)",
    "infinite": "it returns numbers that are not finite, inf among them",
    "raises": "KeyError: 'no such shape'",
    "leaves": "SystemExit: 3",
    "contradicts": "it is registered with random=False, but two keys give different weights",
    "named": "an option cannot be called 'name'",
}
MODELS = {
    "Scalar": "its output is a float32 of shape (), which must be a float32 of shape (1,)",
    "Two": "its output is a float32 of shape (2,), which must be a float32 of shape (1,)",
    "Half": "its output is a bfloat16 of shape (1,)",
    "Alone": "outputs and hidden layers",
    "Normed": "'norm.mean' is a BatchStat; a model may hold nothing but parameters",
    "Dropped": "a model may hold nothing but parameters",
    "Half16": "'head.bias' is float16",
    "Idle": "its weights spare.kernel have no part in its outputs",
    "Broken": "TypeError: ",
    "Bare": "hidden layers that are no list of bench.models.activations.Hidden",
    "Empty": "it has no parameters",
    "Mute": "it has neither __call__(x) nor trace(x)",
    "Flat": "its units() gives [(4,)], which must be a list of arrays with two axes, a row for each of its units",
    "made_of_nothing": "it makes a dict, which is no flax.nnx.Module",
}
TASKS = {
    "flat_targets": "y is float32 of shape (5,), which must be float32 of shape (5, 1)",
    "not_finite": "its data hold NaN or infinity: 64 of the 640 numbers of x",
    "seldom_finite": "its data hold NaN or infinity",
    "no_such_class": "y has values from 0 to 3; classes are 0 to 2",
    "no_such_probability": "y has values from 0 to 2.4; probabilities are 0 to 1",
    "no_examples": "its data have no examples: x has the shape (0, 2)",
    "no_outputs": "outputs = 0: a whole number, at least 1",
    "other_inputs": "x is float32 of shape (5, 2), which must be float32 of shape (5, 3)",
    "half_a_test": "test_x and test_y, which stand together",
    "bad_test": "test_y is float32 of shape (5, 2), which must be float32 of shape (5, 1)",
    "unknown_loss": "loss = 'hinge': allowed: cross_entropy, mse, output, players, rss, or package.module:name",
    "arrays": "it returns a tuple",
    "tuple_of_arrays": "its sample gives a tuple, which must be Data(x, y, test_x, test_y, floor)",
    "fails_to_sample": "ValueError: matmul",
}
WRONG = [
    *(("initializer", name, message) for name, message in INITIALIZERS.items()),
    *(("model", name, message) for name, message in MODELS.items()),
    *(("task", name, message) for name, message in TASKS.items()),
]


@pytest.mark.parametrize(("kind", "name", "message"), WRONG, ids=[name for _, name, _ in WRONG])
def test_what_is_wrong_with_an_own_piece_is_told_in_one_line_before_it_trains(kind: str, name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        planned(**{kind: f"pieces:{name}"})
    told = str(caught.value)
    assert (
        f"{kind} 'pieces:{name}' (" in told
        and "pieces.py, line " in told
        and message in told
        and f"; a{'n' * (kind[0] in 'aeiou')} {kind}" in told
    )
    assert "\n" not in told and len(told) < 1000


def test_the_line_is_that_which_raised() -> None:
    line = PIECES.splitlines().index('        raise KeyError("no such shape")') + 1
    with pytest.raises(ValueError, match=rf"pieces\.py, line {line}\)"):
        planned(initializer="pieces:raises")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"probes": ["pieces:fails"]}, r"probe 'pieces:fails' \(.*pieces\.py, line \d+\): TypeError"),
        (
            {"initializer": {"name": "zeros", "scheme": "pieces:scheme_that_fails"}},
            r"scheme 'pieces:scheme_that_fails' \(.*pieces\.py, line \d+\): RuntimeError: a scheme",
        ),
        ({"probes": ["pieces:gives_nothing"]}, r"probe 'pieces:gives_nothing' \(.*pieces\.py, line \d+\): ValueError"),
        (
            {"initializer": {"name": "zeros", "scheme": "pieces:scheme_that_halves"}},
            r"'pieces:scheme_that_halves' .* it returns parameters",
        ),
    ],
)
def test_a_probe_or_a_scheme_that_raises_is_named(changes: dict[str, Any], told: str) -> None:
    [program] = planned(**changes)
    with pytest.raises(ValueError, match=told):
        program.measured  # noqa: B018  (traces one training run)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raising:init", r"raising\.py, line 3\): ZeroDivisionError: as it is imported"),
        ("leaving:init", r"leaving\.py, line 2\): SystemExit: 5"),
        ("spelled:init", r"spelled\.py, line 2\): SyntaxError: "),
        ("nowhere:init", r"cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("pieces:nothing", r"module pieces \(.*pieces\.py\) has no 'nothing'"),
        ("pieces:X", r"is not a function or class"),
        ("analysis:siren", r"analysis/__init__\.py\) has no 'siren'; 'analysis' is a package of initbench itself, give your"),
        (".x:y", r"cannot be imported.*: TypeError"),
        (":y", r"cannot be imported.*: ValueError"),
        ("os:system", r"it does not take key, shape, dtype; an initializer is called as \(key, shape, dtype\)"),
        ("jax.nn.initializers:variance_scaling", r"does not take key, shape; .*a function that makes initializers is none"),
        ("jax.nn.initializers:he_normal", r"does not take key, shape; .*a function that makes initializers is none"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_told_in_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Experiment.parse(tomlkit.dumps({**XOR, "initializer": name}))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_jax_s_own_initializers_that_are_no_factories_are_taken() -> None:
    [program] = planned(initializer="jax.nn.initializers:ones")
    assert not program.cells[0].settings.initializer.random


def test_an_option_of_an_own_piece_is_never_taken_away() -> None:
    given = {"gain": 2.0, "bias": 0.5, "layers": 3, "scheme": "mine", "zero_layers": 4}
    spec = InitializerSpec.model_validate({"name": "pieces:sign_scaled", **given, "zero_fraction": 0.5})
    assert spec.options == given
    assert (spec.gain, spec.bias, spec.layers, spec.scheme, spec.zero_layers, spec.zero_fraction) == (1.0, None, {}, None, (), 0.5)
    # A piece without such an option has the setting, and one of ours as well.
    assert InitializerSpec.model_validate({"name": "pieces:same", "gain": 2.0}).gain == 2.0
    assert InitializerSpec.model_validate({"name": "zeros", "gain": 2.0}).gain == 2.0


def test_options_of_an_own_piece_are_read_although_it_is_not_imported() -> None:
    given = {"bias": "none", "layers": 3, "scheme": "mine", "zero_layers": 4, "gain": -2.0, "size": 0.5}
    with trusting(()):
        spec = InitializerSpec.model_validate({"name": "not_there:piece", **given, "zero_fraction": 0.5})
    assert {**spec.options, "scheme": spec.scheme} == given and spec.zero_fraction == 0.5


def test_a_map_of_a_setting_that_a_piece_has_as_an_option_is_refused() -> None:
    places = {"x": {"path": "initializer.gain", "from": 0.5, "to": 2.0}, "y": {"path": "training.l2", "from": 0.1, "to": 0.2}}
    content = {**XOR, "seeds": {"init": 4, "map": places}}
    Experiment.model_validate({**content, "initializer": "pieces:same"})
    with pytest.raises(ValueError, match="seeds.map: 'initializer.gain' is an option of 'pieces:sign_scaled'"):
        Experiment.model_validate({**content, "initializer": "pieces:sign_scaled"})


def test_a_probe_of_something_that_nobody_shows_is_named() -> None:
    with pytest.raises(ValueError, match=r"probe 'pieces:looks' .*nothing that a probe looks at is called 'nothing'; .*allowed: "):
        planned(probes=["pieces:looks"])


def test_an_option_that_is_called_like_a_piece_is_none(tmp_path: Path) -> None:
    content = {**XOR, "task": {"name": "pieces:keyless", "scheme": "a"}, "training": {"steps": 3}, "track": [], "seeds": {"init": 2}}
    folder = run(Experiment.parse(tomlkit.dumps(content)), tmp_path)
    with trusting(()):
        assert len(load(folder).lanes) == 2


@pytest.mark.parametrize(
    ("changes", "independent"),
    [
        ({"task": "pieces:keyless", "seeds": {"init": 1, "data": 20}}, 1),
        ({"task": {"name": "pieces:keyless", "seeded": False}, "seeds": {"init": 1, "data": 20}}, 1),
        ({"task": {"name": "pieces:keyless", "seeded": False}, "seeds": {"init": 20}, "initializer": "pieces:same"}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "zero_layers": [0, 1]}}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "layers": {"*": "zeros"}}}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "zero_layers": [1]}}, 20),
        ({"task": "blobs", "seeds": {"init": 1, "data": 20}}, 20),
    ],
)
def test_what_does_not_depend_on_a_seed_is_one_draw(changes: dict[str, Any], independent: int, tmp_path: Path) -> None:
    wanted = Experiment.parse(tomlkit.dumps({**XOR, "training": {"steps": 3}, "track": [], **changes}))
    found = load(run(wanted, tmp_path))
    assert len(found.lanes) == 20
    assert found.clusters.nunique() == independent


def test_randomness_is_measured() -> None:
    assert draws("pieces:sign_scaled", {"gain": 1.0}) and not draws("pieces:sign_scaled", {"gain": 0.0, "layers": 0})
    assert not InitializerSpec.model_validate("pieces:same").random
    assert InitializerSpec.model_validate({"name": "zeros", "layers": {"*": "pieces:sign_scaled"}}).random


def test_traits_of_an_own_piece_are_kept() -> None:
    entry = initializer["pieces:declared"]
    assert entry.traits == {"random": False} and entry.name == "pieces:declared"
    assert "declared" not in initializer and "pieces:declared" not in set(initializer)
    assert not InitializerSpec.model_validate("pieces:declared").random


def test_two_probes_cannot_have_one_column() -> None:
    for probes, told in (
        (["pieces:largest_unit", "pieces_too:largest_unit"], "probe 'pieces_too:largest_unit': there is another column 'largest_unit'"),
        (["pieces:distinct_units"], "probe 'pieces:distinct_units': there is another column 'distinct_units'"),
        (["pieces:metric"], "probe 'pieces:metric': there is another column 'metric'"),
    ):
        with pytest.raises(ValueError, match=told):
            planned(probes=probes)


def test_figures_and_reports_know_the_columns_of_own_probes() -> None:
    curve = {"name": "a", "kind": "curve", "y": "largest_unit", "color": "initializer", "caption": "A."}
    own = ["pieces:largest_unit"]
    content = {"grid": {"initializer": ["zeros", "he_normal"]}, "probes": own, "figure": [curve], "unreported": ["largest_unit"]}
    check_figures(experiment(**content, track=own))
    with pytest.raises(ValueError, match="'largest_unit' is no column of the curves"):
        check_figures(experiment(**content, track=[]))


def test_a_compiled_probe_is_measured() -> None:
    [program] = planned(probes=["pieces:largest_unit"])
    assert "largest_unit" in program.measured


@pytest.mark.parametrize("name", ["Plain", "Jitted"])
def test_weight_layers_stand_in_the_order_of_computation(name: str) -> None:
    net = network(f"pieces:{name}")
    assert net.weight_names == ["hidden.kernel", "head.kernel"]
    assert net.output_paths == [("head", "kernel")] and net.is_layered
    assert zeroed_layers(net, InitializerSpec.model_validate({"name": "zeros", "zero_layers": ["hidden"]})) == [0]


RESIDUAL = ["input.kernel", *(f"blocks.{block}.{part}.kernel" for block in range(2) for part in ("first", "second")), "output.kernel"]
ORDERS = {
    "resmlp": RESIDUAL,
    "rescnn": RESIDUAL,
    "elman": ["cell.x.kernel", "cell.h.kernel", "output.kernel"],
    "gan": [*(f"{player}.layers.{layer}.kernel" for player in ("generator", "discriminator") for layer in range(3))],
    "lora": [f"layers.{layer}.{part}.kernel" for layer in range(2) for part in ("base", "down", "up")],
    "cnn": ["convolutions.0.kernel", "convolutions.1.kernel", "output.kernel"],
    "mlp": ["layers.0.kernel", "layers.1.kernel"],
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_computation_of_our_models(name: str) -> None:
    features = {"features": 2} if "features" in model[name].options.model_fields else {}
    assert network(name, 4, 2, **features).weight_names == ORDERS[name]


def test_the_order_of_use_looks_into_loops_and_branches() -> None:
    def forward(arguments: list[jax.Array], x: jax.Array) -> jax.Array:
        a, b, c, d, _ = arguments
        prepared = d.T @ c
        x = jax.lax.fori_loop(0, 3, lambda i, value: value @ b, x)
        x = jax.lax.cond(x[0] > 0, lambda value: value @ a, lambda value: value, x)
        return x @ prepared

    square = jax.ShapeDtypeStruct((2, 2), "float32")
    assert use(forward, [square] * 5, jax.ShapeDtypeStruct((2,), "float32")) == [1, 0, 3, 2]


def test_a_start_in_which_layers_go_by_number_counts_along_the_computation() -> None:
    net = network("pieces:Plain")

    def start(offset: float = 0.0, **options: Any) -> Any:
        spec = InitializerSpec.model_validate(options)
        return initial_parameters(
            net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), first_layer_offset=offset
        )

    zeroed, moved = start(name="he_normal", zero_layers=[0]), start(2.0, name="zeros")
    assert not np.any(zeroed["hidden"]["kernel"]) and np.any(zeroed["head"]["kernel"])
    assert np.all(np.asarray(moved["hidden"]["kernel"]) == 2) and not np.any(moved["head"]["kernel"])


def test_noise_of_an_own_model_is_seen() -> None:
    [noisy], [quiet] = planned(model="pieces:Noisy"), planned(model="pieces:Quiet")
    assert noisy.noisy and not quiet.noisy


def test_a_kernel_with_several_axes_needs_an_initializer_that_does_not_ask_which_are_inputs() -> None:
    for name in ("zeros", "normal", "constant"):
        planned(model="pieces:Heads", initializer=name)
    for start in ("glorot_normal", "orthogonal", "identity", {"name": "zeros", "bias": "uniform_fan_in"}):
        with pytest.raises(ValueError, match=r"its weight 'query.kernel' has the shape \(4, 2, 2\), and nobody knows"):
            planned(model="pieces:Heads", initializer=start)
    # The bias of four numbers in two axes is none of the weights; the convolution's kernel is known.
    net = network("pieces:Heads")
    assert "query.bias" not in net.weight_names and "image.kernel" in net.weight_names
    assert ("query", "bias") in net.bias_paths and net.unclear_paths == [("query", "kernel")]


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("name", ["xor", "pieces:listed"])
def test_minibatches_of_data_that_are_part_of_the_program(name: str, batch_size: int) -> None:
    [program] = planned(task=name, training={"steps": 8, "batch_size": batch_size}, track=[])
    assert program.constant_data is not None
    inputs = Inputs(*(value[0] for value in program.inputs_of(program.cells[0], np.array([0]), np.array([0]))))

    def trained(inputs: Inputs) -> Any:
        fixed, state = program.start(program.variants[0], inputs)
        fixed = fixed._replace(data=program.constant_data)
        return program.advance(fixed, state, lambda value: value)[0]

    state = jax.jit(trained)(inputs)
    assert state.step == program.check_every and np.isfinite(state.loss)


def test_own_data_from_numpy_with_a_batch_that_does_not_divide_them(rows: Rows) -> None:
    found = rows(
        experiment(task={"name": "pieces:listed", "seeded": True}, training={"steps": 20, "batch_size": 2}, seeds={"init": 4}, track=[])
    )
    assert found["loss_final"].notna().all() and (found["loss_final"] < found["loss_initial"]).any()


def test_a_loss_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="loss = 'hinge': allowed: cross_entropy, mse"):
        Loss.of("hinge")
    for wrong in ({"loss": "hinge"}, {"kind": "ranking"}, {"inputs": 0}, {"outputs": 1.5}, {"loss": "cross_entropy"}):
        given: dict[str, Any] = {"inputs": 1, "outputs": 1, "sample": Data, "loss": "mse", "kind": "regression", **wrong}
        with pytest.raises(ValueError, match=" = "):
            Task(**given)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "one_number",
            r"loss 'pieces:one_number' \(.*line \d+\): for 4 examples it returns a float32 of shape \(\), .*; a loss is",
        ),
        ("weighted", r"loss 'pieces:weighted' \(.*line \d+\): it takes weight, for which a task has no value; a loss is called"),
        ("nothing", r"has no 'nothing'"),
    ],
)
def test_what_is_wrong_with_an_own_loss_is_told(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        planned(task={"name": "xor", "loss": f"pieces:{name}"})


def test_a_package_s_task_and_a_user_s_own_take_a_user_s_own_loss(tmp_path: Path) -> None:
    short: dict[str, Any] = {**XOR, "training": {"steps": 30}, "seeds": {"init": 3}, "track": []}
    of_task = {kind: {"name": "xor", "loss": f"pieces:{kind}"} for kind in ("distance", "total_distance")}
    folders = {kind: run(Experiment.parse(tomlkit.dumps({**short, "task": one})), tmp_path / kind) for kind, one in of_task.items()}
    with trusting(["pieces"]):
        single, summed = (load(folder).lanes for folder in folders.values())
    np.testing.assert_allclose(summed["loss_initial"], 4 * single["loss_initial"], rtol=1e-5)
    assert (single["loss_final"] < single["loss_initial"]).all() and single["metric_final"].notna().all()
    # Nothing is imported to read the folder, and its tasks are not made.
    found = load(folders["distance"])
    assert list(found.tasks.values()) == [None] and len(found.lanes) == 3
    [own] = planned(task="pieces:of_distance", track=[])
    assert own.task.loss.name == "pieces:distance"
    with pytest.raises(ValueError, match="the minimum is known for mse and rss, not for 'pieces:distance'"):
        planned(task={"name": "regression", "loss": "pieces:distance", "excess": True})


def test_frozen_bases_of_low_rank_adapters_stay_as_they_are_drawn(rows: Rows) -> None:
    settings: dict[str, Any] = {"task": {"name": "blobs", "n": 24}, "seeds": {"init": 4}, "track": [], "training": {"steps": 50}}
    both_zero = {"name": "he_normal", "zero_layers": ["*.up", "*.down"]}
    stuck = rows(experiment(**settings, model="lora", initializer=both_zero), "frozen")
    moving = rows(experiment(**settings, model={"name": "lora", "train_base": True}, initializer=both_zero), "trained")
    assert (stuck["outcome"] == "stuck").all() and (stuck["loss_final"] == stuck["loss_initial"]).all()
    assert (moving["loss_final"] < moving["loss_initial"]).all()
    twice = {**settings, "training": {"steps": 50, "frozen": ["layers.*.base"]}}
    assert (rows(experiment(**twice, model="lora", initializer=both_zero), "twice")["params_digest"] == stuck["params_digest"]).all()


ELSEWHERE = """
import sys
import jax, numpy as np
from bench.hardware import precision
from bench.engine.hashing import digest
from bench.lane.program import programs
from bench.lane.state import Inputs
from tests.conftest import experiment
wanted = experiment(task={"name": "blobs", "n": 8}, model={"name": "mlp", "widths": [3], "dropout": 0.5}, track=[])
[program] = programs(wanted.cells, wanted.probes, wanted.track)
with precision("float32"):
    inputs = Inputs(*(value[0] for value in program.inputs_of(wanted.cells[0], np.array([1]), np.array([2]))))
    def trained(inputs):
        fixed, state = program.start(program.variants[0], inputs)
        return digest(program.advance(fixed, state, lambda value: value)[0].params)
    print(np.asarray(jax.jit(trained)(inputs)).tolist())
"""


def test_the_bits_do_not_follow_the_user_s_settings_of_jax() -> None:
    def digest(**settings: str) -> str:
        environment = {**os.environ, **settings}
        done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    other = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_TRANSFER_GUARD": "disallow"}
    assert digest() == digest(**other)
