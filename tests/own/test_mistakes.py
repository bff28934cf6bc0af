"""Fifteen mistakes that users make in pieces of their own: each is one line that says what, where, and what to write instead."""

from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner, Result

import initbench
from initbench.cli.app import app
from tests.own.user import planned

SOURCE = Path(__file__).with_name("mistakes.txt").read_text()


class Told(NamedTuple):
    """A mistake: the kind of piece, what is said about it, and the way out."""

    kind: str
    what: str
    fix: str
    line: str = ""
    """The file and the line that are named; without it, the definition in the module of mistakes."""


MISTAKES = {
    "wrong_shape": Told("initializer", "of shape (", "pass shape and dtype on"),
    "wrong_dtype": Told("initializer", "int32", "end with .reshape(shape).astype(dtype)"),
    "raising": Told("initializer", "KeyError: 'gain'", "called by itself in Python it shows the whole traceback"),
    "Nan": Told("model", "outputs that are not finite, nan among them", "keep zero out of divisions, logarithms and roots"),
    "nowhere:init": Told("initializer", "No module named 'nowhere'", "put nowhere.py into the current folder", " "),
    "spelled:init": Told("initializer", "SyntaxError: '(' was never closed", "mend that line", "spelled.py, line 2"),
    "ring:init": Told("initializer", "two modules import each other", "import inside of the function that needs it", "ring_too.py, line 1"),
    "Branching": Told("model", "if, while, and, or or not on a value that JAX traces", "write jnp.where or jax.lax.cond"),
    "Batched": Told("model", "it takes a batch of them", "write it for one, or say whole_batch = True"),
    "Half": Told("model", "'head.bias' is float16", "build it with param_dtype = jnp.float32"),
    "Two": Told("model", "it returns a tuple of 2 parts", "return the outputs alone"),
    "Wide": Told("model", "which must be a float32 of shape (", "give its last layer "),
    "labels": Told("task", "y has values from 0 to 7; classes are 0 to 2", "count the classes from 0 on, or say outputs = 8"),
    "without_default": Told("initializer", "its argument 'gain' has no value", "write gain = ... beside its name, or give it a default"),
    "NoModule": Told("model", "it makes a NoModule, which is no flax.nnx.Module", "write class Net(nnx.Module)"),
}
SECTIONS = {"task": "xor", "model": "linear", "initializer": "he_normal"}


def called(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_says_what_where_and_what_to_write_instead(mistake: str, tmp_path: Path) -> None:
    told, name = MISTAKES[mistake], mistake if ":" in mistake else f"mistakes:{mistake}"
    sections = "\n".join(f'{section} = "{piece}"' for section, piece in {**SECTIONS, told.kind: name}.items())
    (tmp_path / "mine.toml").write_text(f'name = "mine"\n{sections}\n')
    done = called("run", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "runs"))
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and len(done.stderr) < 1000, done.output
    where = told.line or "mistakes.py, line "
    assert all(part in done.stderr for part in (f"{told.kind} '{name}'", told.what, where, told.fix)), done.stderr
    assert not (tmp_path / "runs").exists()

    tried = called("check", name)
    if ":" in mistake:
        assert tried.exit_code == 2 and tried.stderr.count("\n") == 1
        assert all(part in tried.stderr for part in (told.what, where, told.fix))
    else:
        lines = tried.stdout.splitlines()
        [broken] = [number for number, line in enumerate(lines) if line.startswith("✗") and told.what in line]
        assert tried.exit_code == 1 and where in lines[broken]
        assert lines[broken + 1].startswith(f"  instead: {told.fix}") or told.fix in lines[broken + 1]


def test_the_line_of_an_exception_is_that_which_raised() -> None:
    line = next(number for number, text in enumerate(SOURCE.splitlines(), 1) if "x.sum() > 0" in text)
    with pytest.raises(ValueError, match=rf"mistakes\.py, line {line}\)"):
        planned(model="mistakes:Branching")


def test_a_lambda_has_the_name_that_it_is_bound_to_and_no_other() -> None:
    assert planned(initializer="mistakes:short")
    with pytest.raises(ValueError, match=r"^run: initializer: '.*<lambda>' stands inside .* or is a lambda; .* at the top level of a file"):
        initbench.run(task="xor", model="linear", initializer=lambda key, shape, dtype: 0 * key)
