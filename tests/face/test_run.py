"""Experiments from Python: keyword arguments, texts, paths, and functions in place of names."""

import functools
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import initbench
from bench.initializers import drawn, initializer
from bench.models.mlp import MLP
from bench.runs.own import own_digests
from bench.spec import Experiment
from initbench.reading import given
from tests.conftest import XOR

PIECES = '''
import jax


def small(key, shape, dtype, scale: float = {scale}):
    """Small weights."""
    return scale * jax.random.normal(key, shape, dtype)


def outer():
    def inner(key, shape, dtype):
        return small(key, shape, dtype)

    return inner


inner = outer()
wrapped = jax.jit(small, static_argnums=(1, 2))
'''


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the user's own in the current folder, `own_pieces`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("own_pieces.py").write_text(PIECES.format(scale=0.5))
    yield __import__("own_pieces")
    sys.modules.pop("own_pieces", None)


def test_a_function_stands_for_its_name_wherever_a_name_stands(pieces: Any) -> None:
    settings = {key: value for key, value in XOR.items() if key != "initializer"}
    values = [pieces.small, {"name": pieces.small, "scale": 2.0}, {"label": "one", "name": pieces.small, "scale": 1.0}, "zeros"]
    experiment = Experiment(**{**settings, "model": {"name": MLP, "widths": [3]}, "optimizer": optax.adam, "grid": {"initializer": values}})
    first, second, third, _ = (cell.settings for cell in experiment.cells)
    assert first.initializer.name == second.initializer.name == third.initializer.name == "own_pieces:small"
    assert second.initializer.options == {"scale": 2.0}
    assert (first.model.name, first.optimizer.name) == ("mlp", "adam")
    # The text that a run folder keeps says the same.
    again = Experiment.parse(experiment.text)
    assert [cell.id for cell in again.cells] == [cell.id for cell in experiment.cells]


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (lambda key, shape, dtype: 0, "'<lambda>' stands inside of another function"),
        (jax.nn.initializers.he_normal(), "'variance_scaling.<locals>.init' stands inside of another function"),
        (functools.partial(print, end=""), "has no name of its own"),
    ],
)
def test_what_has_no_name_to_be_found_by_is_refused(piece: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        given(None, None, {**XOR, "initializer": piece})
    assert "\n" not in str(refused.value) and "%%writefile" in str(refused.value)


def test_what_the_name_does_not_stand_for_is_refused(pieces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="inner' stands inside of another function"):
        given(None, None, {**XOR, "initializer": pieces.inner})
    with pytest.raises(ValueError, match="the module 'own_pieces' has another 'small'"):
        given(None, None, {**XOR, "initializer": pieces.wrapped})
    monkeypatch.setattr(pieces.small, "__module__", "__main__")
    with pytest.raises(ValueError, match=r"grid.initializer\[1\]: 'small' is of no module that can be imported \(__main__\)"):
        given(None, None, {**XOR, "grid": {"initializer": ["zeros", pieces.small]}})


def test_a_text_a_path_an_experiment_and_keywords_are_one_experiment(tmp_path: Path) -> None:
    experiment = Experiment(**XOR)
    path = tmp_path / "mine.toml"
    path.write_text(experiment.text)
    for source in (experiment, experiment.text, path, str(path)):
        assert given(source, None, {}).training_hash == experiment.training_hash
        assert given(source, 7, {}).seeds.init == 7
    assert given(None, 7, {key: value for key, value in XOR.items() if key != "seeds"}).training_hash == experiment.training_hash
    assert given("x19-trainability-map", 5, {}).seeds.init == 16


def test_a_run_without_a_name_is_called_after_its_settings() -> None:
    nameless = {key: value for key, value in XOR.items() if key not in ("name", "seeds")}
    names = [given(None, seeds, {**nameless, **more}).name for seeds, more in ((5, {}), (9, {}), (5, {"training": {"steps": 7}}))]
    assert names[0] == names[1] != names[2]
    assert given(None, 5, nameless).text.startswith(f'name = "{names[0]}"')


@pytest.mark.parametrize(
    ("source", "seeds", "settings", "message"),
    [
        (None, None, {"task": "xor", "stesp": 3}, "unknown key 'stesp'"),
        (None, 0, {"task": "xor", "model": "mlp", "initializer": "zeros"}, "seeds.init = 0"),
        ("mine.toml", None, {"task": "xor"}, "task beside it would stand twice"),
        ("name = \n", None, {}, "not TOML"),
        (3, None, {}, "3: an Experiment, the text of an experiment file, a path"),
        ("x01-least-squares", {"init": 3}, {}, "the number of init seeds"),
    ],
)
def test_wrong_input_is_told_in_one_line(source: Any, seeds: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        initbench.run(source, seeds=seeds, **settings)
    assert "\n" not in str(refused.value)


def test_a_file_that_was_edited_in_the_session_trains_as_it_stands(pieces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are those of the source whose digest the rows will carry, although the session still has the old function."""
    source = Path("own_pieces.py")

    class Reached(Exception):
        pass

    def trained(experiment: Experiment, *options: Any) -> None:
        raise Reached(drawn(initializer["own_pieces:small"], {}, 0, (4, 4)), own_digests(experiment)["own_pieces"])

    monkeypatch.setattr("bench.runs.train.run", trained)
    for scale in (1000.0, 30.0):
        source.write_text(PIECES.format(scale=scale))
        with pytest.raises(Reached) as reached:
            initbench.run(**{**XOR, "initializer": pieces.small, "seeds": 4})
        weights, digest = reached.value.args
        assert 0.2 * scale < np.std(weights) < 5 * scale
        assert digest == hashlib.sha256(source.read_bytes()).hexdigest()


def test_progress_is_told_unless_it_is_not_wanted(small: initbench.Run, capsys: pytest.CaptureFixture[str]) -> None:
    text = small.experiment.text
    seen: list[int] = []
    initbench.run(text, watch=lambda progress: seen.append(progress.done))
    assert "80 training runs in results/runs/small" in capsys.readouterr().out and seen[-1] == 80
    initbench.run(text, progress=False)
    assert capsys.readouterr() == ("", "")
