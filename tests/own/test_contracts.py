"""What is wrong with a user's own piece is told in one line, before anything is trained."""

from typing import Any

import pytest
import tomlkit

from bench import Experiment
from bench.runs.contracts import contracts
from tests.conftest import XOR
from tests.own.user import PIECES, planned

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
    "Batched": "x is one example, of shape (2,), and it takes a batch of them; write it for one, or say whole_batch = True",
    "Chancy": "it draws random numbers when it is measured as well; a layer of noise has an attribute deterministic",
    "Counted": "'count' is int32, and training changes it",
    "Apart": "a variable that it changes has another value for each example; take jax.lax.pmean(value, 'example')",
    "Unbounded": "4 of 4 examples have outputs that are not finite, nan among them",
    "Branching": "write jnp.where or jax.lax.cond",
    "Indexing": "write jnp.take or jax.lax.fori_loop",
    "Numpy": "write jax.numpy in place of numpy",
    "Whole": "'steps' is int32; parameters are float32",
    "NoModule": "it makes a NoModule, which is no flax.nnx.Module, no module of flax.linen or equinox",
    "Owned": "its weight 'query' has the shape (4, 2, 2), and nobody knows",
    "Required": "its argument 'depth' has no value; write depth = ... beside its name, or give it a default",
    "Half16": "'head.bias' is float16",
    "Idle": "its weights spare.kernel have no part in its outputs",
    "Broken": "TypeError: ",
    "Bare": "hidden layers that are no list of initbench.Hidden",
    "Empty": "it has no parameters",
    "Mute": "it has neither __call__(x) nor trace(x)",
    "Flat": "its units() gives [(4,)], which must be a list of arrays with two axes, a row for each of its units",
    "made_of_nothing": "it makes a dict, which is no flax.nnx.Module",
    "no_pair": "it makes a tuple, which is no flax.nnx.Module",
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
    "unequal_arrays": "x has 5 examples, y has 4",
    "gives_none": "it returns a NoneType; what it may return: a Task, (x, y)",
    "untargeted_table": "a table needs target = the name of the column to learn; it has a, b",
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
    with pytest.raises(ValueError, match=told):
        planned(**changes)[0].measured  # noqa: B018  (traces one training run)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raising:init", r"raising\.py, line 3\): ZeroDivisionError: as it is imported"),
        ("leaving:init", r"leaving\.py, line 2\): SystemExit: 5"),
        ("spelled:init", r"spelled\.py, line 2\): SyntaxError: "),
        ("nowhere:init", r"cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("ring:init", r"ring_too\.py, line 1\): ImportError: .*; two modules import each other: let one of them import inside"),
        ("pieces:nothing", r"module pieces \(.*pieces\.py\) has no 'nothing'"),
        ("pieces:X", r"is not a function or class"),
        ("analysis:siren", r"analysis/__init__\.py\) has no 'siren'; 'analysis' is a package of initbench itself, give your"),
        (".x:y", r"cannot be imported.*: TypeError"),
        (":y", r"cannot be imported.*: ValueError"),
        ("os:system", r"its argument 'command' has no value; write command = .*; an initializer is called as \(key, shape, dtype\)"),
        ("jax.nn.initializers:variance_scaling", r"its argument 'scale' has no value; .*or it is called with its options"),
        ("jax.random:bernoulli", r"it does not take dtype; write def bernoulli\(key, shape, dtype\); an initializer is called as \(key"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_told_in_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Experiment.parse(tomlkit.dumps({**XOR, "initializer": name}))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_jax_s_own_initializers_that_are_no_factories_are_taken() -> None:
    [program] = planned(initializer="jax.nn.initializers:ones")
    assert not program.cells[0].settings.initializer.random


def test_a_model_that_is_built_already_is_no_model() -> None:
    with pytest.raises(ValueError, match="model 'pieces:made', of type Plain, is not a function or class; a model is"):
        planned(model="pieces:made")
    # A name stands for what it is bound to, also for a lambda, and for what is no option because no file can write it.
    assert planned(model="pieces:short")[0].network.weight_names == ["hidden.kernel", "head.kernel"]


def test_a_probe_of_something_that_nobody_shows_is_named() -> None:
    with pytest.raises(ValueError, match=r"probe 'pieces:looks' .*nothing that a probe looks at is called 'nothing'; .*allowed: "):
        planned(probes=["pieces:looks"])


# Some weights or initializers alone go wrong with these two, which is told beside the contract.
FOUND = [(kind, name) for kind, name, _ in WRONG if name not in ("raises", "Owned")]


@pytest.mark.parametrize(("kind", "name"), FOUND, ids=[name for _, name in FOUND])
def test_check_finds_what_stops_training_and_says_what_to_write_instead(kind: str, name: str) -> None:
    try:
        found = contracts(kind, f"pieces:{name}", {}, 2, 1)[0]
    except ValueError as error:
        assert "\n" not in str(error) and f"{kind} 'pieces:{name}' (" in str(error)
        return
    broken = [one for one in found if one.state == "broken"]
    assert broken and all(one.fix and "\n" not in one.why + one.fix and "pieces.py, line " in one.why for one in broken), found
