"""Data from outside of the package: arrays, files, scikit-learn, openml.org. Nothing here trains."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from bench.registry import importing, trusting
from bench.spec import TaskSpec
from bench.tasks.arrays import parts_of
from bench.tasks.definition import Task
from bench.tasks.making import made
from bench.tasks.openml import PINNED
from bench.tasks.supplied import Supply, supplied_task

X = np.arange(24.0).reshape(12, 2)
TABLE = pd.DataFrame(
    {"age": np.arange(12), "height": np.linspace(1, 2, 12), "color": ["red", "blue", "green"] * 4, "label": ["no", "yes", "no"] * 4}
)
# 12 rows of which 4 are 'yes'.


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of its own, in which an experiment of the user's own is read."""
    monkeypatch.chdir(tmp_path)
    with importing():
        yield tmp_path


def of(given: Any, target: Any = None, **options: Any) -> Task:
    parts = parts_of(given, target)
    return supplied_task(Supply.of(lambda seed: parts, **options))


def data(task: Task, seed: int = 0) -> Any:
    return task.sample(seed, jnp.float32)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "inputs", "outputs", "kind", "classes"),
    [
        ((X, X[:, 0]), 2, 1, "regression", ()),
        ((X, X), 2, 2, "regression", ()),
        ((X.astype(np.float16), np.arange(12) % 3), 2, 3, "classification", ()),
        ((X > 11, np.arange(12) % 2 == 0), 2, 1, "classification", ()),
        ((X.astype(np.uint8), [5, 7] * 6), 2, 1, "classification", ("5", "7")),
        ((X.reshape(12, 1, 2, 1), ["b", "a", "c"] * 4), 2, 3, "classification", ("a", "b", "c")),
        ((X, np.arange(12)[:, None] % 2, X[:3], np.ones((3, 1), int)), 2, 1, "classification", ()),
        ((TABLE[["age", "color"]], TABLE["label"]), 4, 1, "classification", ("no", "yes")),
        (datasets.load_wine(), 13, 3, "classification", ()),
        (datasets.load_linnerud(as_frame=True), 3, 3, "regression", ()),
    ],
)
def test_arrays_of_any_kind_are_a_task(given: Any, inputs: int, outputs: int, kind: str, classes: tuple[str, ...]) -> None:
    task = of(given)
    found = data(task)
    assert (task.inputs, task.outputs, task.kind, task.class_names, task.seeded) == (inputs, outputs, kind, classes, False)
    assert found.x.shape[1] == inputs and found.x.dtype == np.float32
    assert found.y.shape == ((len(found.x),) if outputs > 1 and kind == "classification" else (len(found.x), outputs))


def test_labels_are_numbered_in_their_order() -> None:
    found = data(of((X, ["b", "a", "c"] * 4, X, ["c"] * 12)))
    np.testing.assert_array_equal(found.y, [1, 0, 2] * 4)
    np.testing.assert_array_equal(found.test_y, [2] * 12)


def test_texts_become_columns_of_zeros_and_ones() -> None:
    np.testing.assert_array_equal(data(of(TABLE, "label")).x[:3, 2:], [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


WRONG: list[tuple[Any, str]] = [
    ((X, np.arange(11)), "x has 12 examples, y has 11"),
    ((X, np.arange(12)), "12 different classes in 12 examples"),
    ((X, np.ones(12)), "y is 1 for every example"),
    ((X, ["a"] * 12), "y is 'a' for every example"),
    ((np.where(X == 5, np.nan, X), X[:, 0]), r"x has 1 missing value or infinite ones, the first in row 2, column 1"),
    ((X, np.where(X[:, 0] > 9, np.inf, 0)), "y has 7 missing values or infinite ones, the first in row 5"),
    ((X.astype(object), X[:, 0]), "x holds float objects, which are no numbers"),
    ((X, [None, 1] * 6), "y holds NoneType objects such as None"),
    ((X.astype(str), X[:, 0]), "x holds <U"),
    ((X[:, 0], X[:, 0]), r"x has the shape \(12,\): a row for each example"),
    (([[1], [1, 2]], [0, 1]), "x is no array: its rows have different lengths"),
    ((X[:0], X[:0, 0]), "it is empty"),
    ((X, np.arange(24).reshape(12, 2)), "one class for each example; several outputs are floats"),
    ((X, ["a", "b"] * 6, X, ["c"] * 12), "y_test has the class 'c', which no training example has; they have 'a', 'b'"),
    ((X, X, X[:, :1], X), "x_test has 1 features for each example, x has 2"),
    ((X, X, X), "it returns 3 values"),
    (X, "it returns a ndarray; what it may return: a Task"),
    ({"x": X, "Y": X}, "a name 'Y'; allowed: x, x_test, y, y_test"),
    ({"x": X, "y": X, "x_test": X}, "needed: x and y, and x_test and y_test together"),
    ((1e300 * X, X), "cannot hold"),
    (TABLE, "target = the name of the column to learn; it has age, height, color, label"),
]


@pytest.mark.parametrize(("given", "told"), WRONG, ids=[told[:20] for _, told in WRONG])
def test_what_is_wrong_with_arrays_is_told_in_one_line(given: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        of(given)
    assert "\n" not in str(caught.value)


def of_file(**options: Any) -> Task:
    return made("file", TaskSpec.model_validate({"name": "file", **options}).options)


def test_files_of_three_kinds_hold_the_same_data() -> None:
    TABLE.to_csv("a.csv", index=False)
    TABLE.to_parquet("a.parquet")
    np.savez("a.npz", x=data(of(TABLE, "label")).x, y=TABLE["label"].to_numpy(str))
    found = [data(of_file(path="a.csv", target="label")), data(of_file(path="a.parquet", target="label")), data(of_file(path="a.npz"))]
    for other in found[1:]:
        jax.tree.map(lambda one, same: np.testing.assert_allclose(one, same, rtol=1e-5), found[0], other)
    np.testing.assert_allclose(np.mean(found[0].x, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.std(found[0].x, axis=0), 1, atol=1e-6)
    together = data(of_file(path="a.csv", target="label", standardize="together")).x
    assert abs(np.mean(together)) < 1e-6 < np.ptp(np.mean(together, axis=0))
    several = of_file(path="a.csv", target=["age", "height"], features=["color"], kind="regression", standardize=False)
    np.testing.assert_allclose(data(several).y, TABLE[["age", "height"]], rtol=1e-6)


def test_a_file_is_split_as_asked() -> None:
    TABLE.to_csv("a.csv", index=False)
    given = {"path": "a.csv", "target": "height", "features": ["age"], "standardize": False, "test_fraction": 0.25}
    last = data(of_file(**given, split="last"))
    np.testing.assert_array_equal(last.test_x[:, 0], [9, 10, 11])
    fixed, seeded = of_file(**given), of_file(**given, split="seed")
    assert not fixed.seeded and seeded.seeded and seeded.resamples
    drawn = jax.jit(jax.vmap(lambda seed: seeded.sample(seed, jnp.float32)))(jnp.arange(3, dtype=jnp.uint32))
    for x, test_x in zip(drawn.x, drawn.test_x, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([x, test_x]), axis=0)[:, 0], np.arange(12))
    assert len({tuple(test_x[:, 0].tolist()) for test_x in np.asarray(drawn.test_x)}) > 1
    np.testing.assert_array_equal(data(seeded, 2).x, drawn.x[2])
    with jax.enable_x64(True):
        wide = jax.jit(jax.vmap(lambda seed: seeded.sample(seed, jnp.float64)))(jnp.arange(3, dtype=jnp.uint32))
    assert wide.y.dtype == np.float64 and wide.floor.shape == (3,)
    sums = np.concatenate([wide.y, wide.test_y], axis=1).sum(axis=1)[:, 0]
    np.testing.assert_allclose(sums, TABLE["height"].sum(), rtol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.8])
def test_a_share_of_positives_leaves_out_as_few_as_it_can(share: float) -> None:
    y = np.arange(1000) % 4 == 0
    pd.DataFrame({"x": np.arange(1000), "y": y}).to_csv("a.csv", index=False)
    found = data(of_file(path="a.csv", target="y", positives=share, standardize=False))
    assert np.mean(found.y) == pytest.approx(share, abs=0.002)
    assert np.sum(found.y == (0 if share < 0.25 else 1)) == (750 if share < 0.25 else 250)
    np.testing.assert_array_equal(y[found.x[:, 0].astype(int)], found.y[:, 0])


@pytest.mark.parametrize("name", ["blobs", "moons", "spirals"])
def test_a_share_of_positives_of_a_synthetic_task(name: str) -> None:
    classes = {"classes": 2} if name == "blobs" else {}
    spec = TaskSpec.model_validate({"name": name, "n": 200, "n_test": 50, "positives": 0.02, **classes})
    found = made(name, spec.options).sample(jax.random.key(0), jnp.dtype("float32"))
    assert found.test_y is not None and (np.sum(found.y), np.sum(found.test_y)) == (4, 1)
    with pytest.raises(ValueError, match="of 50 examples that is none"):
        TaskSpec.model_validate({"name": name, "n": 200, "n_test": 50, "positives": 0.005, **classes})


FILES: list[tuple[dict[str, Any], str]] = [
    ({"path": "b.csv", "target": "label"}, "there is no such file in "),
    ({"path": "a.txt", "target": "label"}, "a file that ends in .csv, .npz, .parquet"),
    ({"path": "a.csv", "target": "lable"}, "the table has no column 'lable'; did you mean 'label'"),
    ({"path": "a.csv", "target": "label", "features": ["heigth"]}, "features: the table has no column 'heigth'; did you mean 'height'"),
    ({"path": "a.csv", "target": "label", "features": ["label"]}, "'label' is the target"),
    ({"path": "a.csv", "target": "label", "test_fraction": 0.01}, "of 12 examples that is none"),
    ({"path": "a.csv", "target": "color", "positives": 0.1}, "the second of two classes, but this is 3 classes"),
    ({"path": "a.csv", "target": "label", "positives": 0.001}, "none would be left"),
    ({"path": "holes.csv", "target": "label"}, "column 'age' has 2 missing values"),
    ({"path": "names.csv", "target": "y"}, "column 'name' has 101 different texts"),
    ({"path": "no.csv", "target": "label"}, "cannot be read as .csv"),
    ({"path": "no.npz"}, "cannot be read as .npz: it is no archive"),
    ({"path": "objects.npz"}, "cannot be read as .npz: it is no archive"),
    ({"path": "no.parquet", "target": "label"}, "cannot be read as .parquet"),
]


@pytest.mark.parametrize(("options", "told"), FILES, ids=[told[:20] for _, told in FILES])
def test_what_is_wrong_with_a_file_is_told_in_one_line(options: dict[str, Any], told: str) -> None:
    TABLE.to_csv("a.csv", index=False)
    TABLE.assign(age=TABLE["age"].where(TABLE["age"] > 1)).to_csv("holes.csv", index=False)
    pd.DataFrame({"name": [f"n{i}" for i in range(101)], "y": np.arange(101) % 2}).to_csv("names.csv", index=False)
    np.savez("objects.npz", x=X.astype(object), y=X)
    for name in ("no.csv", "no.npz", "no.parquet"):
        Path(name).write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match=told) as caught:
        TaskSpec.model_validate({"name": "file", **options})
    assert options["path"] in str(caught.value)


def test_a_changed_file_is_read_again() -> None:
    TABLE.to_csv("a.csv", index=False)
    before = data(of_file(path="a.csv", target="height", kind="regression", standardize=False)).y
    # What has not changed is not treated again, which takes seconds where it is large.
    assert data(of_file(path="a.csv", target="height", kind="regression", standardize=False)).y is before
    TABLE.assign(height=TABLE["height"] + 1).to_csv("a.csv", index=False)
    os.utime("a.csv", (1, 1))
    np.testing.assert_allclose(data(of_file(path="a.csv", target="height", kind="regression", standardize=False)).y, before + 1, rtol=1e-6)


def test_a_reader_opens_no_file_that_a_folder_names() -> None:
    TABLE.to_csv("theirs.csv", index=False)
    given = {"name": "file", "path": "theirs.csv", "target": "label"}
    with trusting(()):
        spec = TaskSpec.model_validate(given)
        with pytest.raises(ValueError, match="--trust 'theirs.csv'"):
            made(spec.name, spec.options)
        with pytest.raises(ValueError, match="--trust 'mnist_784'"):
            made("openml", {"data": "mnist_784"})
    with trusting(["theirs.csv"]):
        assert made(spec.name, TaskSpec.model_validate(given).options).inputs == 5


def test_a_maker_of_scikit_learn_draws_with_the_data_seed() -> None:
    task = made("sklearn", {"loader": "make_moons", "arguments": {"n_samples": 40, "noise": 0.1}, "standardize": False})
    found = data(task, 7)
    x, _ = datasets.make_moons(40, noise=0.1, random_state=7)
    np.testing.assert_allclose(np.sort(np.concatenate([found.x, found.test_x]), axis=0), np.sort(x, axis=0), rtol=1e-6)
    fixed = made("sklearn", {"loader": "make_moons", "arguments": {"random_state": 3}, "split": "fixed"})
    assert task.seeded and not task.resamples and not fixed.seeded


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loader": "make_mons"}, "did you mean 'make_moons'"),
        ({"loader": "load_files"}, "no loader or maker of sklearn.datasets without a file"),
        ({"loader": "fetch_openml"}, "it needs the network; the task 'openml'"),
        ({"loader": "make_moons", "arguments": {"nois": 1}}, "make_moons has no 'nois'; did you mean 'noise'"),
        ({"loader": "make_moons", "arguments": {"noise": "loud"}}, "loader = 'make_moons': The 'noise' parameter"),
        ({"loader": "make_low_rank_matrix"}, "it returns a ndarray"),
    ],
)
def test_what_is_wrong_with_a_loader_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TaskSpec.model_validate({"name": "sklearn", **options})


def as_downloaded(home: Path, number: int, name: str) -> None:
    """Write a small data set as scikit-learn keeps what it has downloaded from openml.org: eight images of four pixels, two classes."""
    lines = [f"{i},{2 * i},0,255,{'ab'[i % 2]}" for i in range(8)]
    columns = "".join(f"@attribute pixel{i} numeric\n" for i in range(4))
    arff = f"@relation {name}\n{columns}@attribute class {{a,b}}\n@data\n" + "\n".join(lines) + "\n"
    described = {
        "id": str(number), "name": name, "version": "1", "status": "active", "format": "ARFF", "description": "", "file_id": "1",
        "url": f"https://www.openml.org/data/v1/download/{number}/{name}.arff", "md5_checksum": hashlib.md5(arff.encode()).hexdigest(),
    }  # fmt: skip
    usual: dict[str, Any] = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
    features = [{"index": str(i), "name": f"pixel{i}", "data_type": "numeric", "is_target": "false", **usual} for i in range(4)]
    features.append({"index": "4", "name": "class", "data_type": "nominal", "nominal_value": ["a", "b"], "is_target": "true", **usual})
    api = "api/v1/json/data"
    for path, text in {
        f"{api}/{number}": json.dumps({"data_set_description": described}),
        f"{api}/features/{number}": json.dumps({"data_features": {"feature": features}}),
        f"{api}/qualities/{number}": json.dumps({"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "8.0"}]}}),
        f"data/v1/download/{number}/{name}.arff": arff,
    }.items():
        place = home / "openml" / "openml.org" / f"{path}.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(gzip.compress(text.encode()))


def test_data_of_openml_are_loaded_pinned_and_checked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*arguments: Any, **options: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(here))
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", no_network)
    with pytest.raises(ValueError, match=f"'CIFAR_10': it is not in {here}, and openml.org cannot be reached"):
        TaskSpec.model_validate({"name": "openml", "data": "CIFAR_10"})
    as_downloaded(here, PINNED["mnist_784"].data_id, "mnist_784")
    as_downloaded(here, 5, "small")
    task = made("openml", {"data": "mnist_784", "test_fraction": 0.25, "standardize": False})
    found = data(task)
    np.testing.assert_array_equal(found.x, [[i, 2 * i, 0, 255] for i in range(6)])
    np.testing.assert_array_equal(found.test_y, [[0], [1]])
    assert task.class_names == ("a", "b") and task.digest is not None
    assert made("openml", {"data": "small", "data_id": 5, "sha256": task.digest()}).inputs == 4
    for options, told in (
        ({"data": "small"}, "its data_id as well"),
        ({"data": "large", "data_id": 5}, "number 5 of openml.org is called 'small'"),
        ({"data": "mnist_784", "sha256": "0" * 64}, f"have the digest {task.digest()}"),
    ):
        with pytest.raises(ValueError, match=told):
            TaskSpec.model_validate({"name": "openml", **options})
