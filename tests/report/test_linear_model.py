"""What a linear model reaches on real tasks: the same as by hand, only on data that anybody may draw, and on the page."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from analysis.report.linear_model import linear_frame
from analysis.rows.load import Run
from analysis.stats.linear import accuracy_of_logistic_regression
from bench.keys import data_key
from bench.registry import importing
from bench.tasks import task
from bench.tasks.definition import Data
from tests.commands import call
from tests.conftest import experiment
from tests.judging.rows import NO_MANIFEST

SEEDS = range(5, 8)


def run_of(*tasks: Any) -> Run:
    """Rows of an experiment on these tasks, each on three data sets; nothing is trained."""
    cases = [{"label": str(number), "task": wanted} for number, wanted in enumerate(tasks)]
    wanted = experiment(case=cases, seeds={"init": 3, "data": "paired", "first": 5}, model="linear", track=[])
    rows = [pd.DataFrame({"cell": cell.id, "data_seed": SEEDS, "init_seed": SEEDS}) for cell in wanted.cells]
    return Run(Path(), wanted, NO_MANIFEST, pd.concat(rows), pd.DataFrame())


def data(name: str, **options: Any) -> list[Data]:
    made = task[name].target(**options)
    return [jax.tree.map(np.asarray, made.sample(data_key(seed), jnp.dtype("float32"))) for seed in SEEDS]


def test_real_tasks_have_what_scikit_learn_reaches_on_their_data(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "own.csv", np.random.default_rng(0).normal(size=(20, 3)), delimiter=",", header="a,b,c", comments="")
    with importing():
        own = {"name": "file", "path": str(tmp_path / "own.csv"), "target": "c"}
        found = linear_frame(
            run_of(
                "xor", {"name": "wine", "n_train": 20}, {"name": "wine", "n_train": 20, "loss": "mse"}, "diabetes", own,
                {"name": "mnist1d", "n": 300, "n_test": 100}, {"name": "mnist1d", "n": 10**9},
            )
        )  # fmt: skip
    (tmp_path / "own.csv").unlink()
    accuracies = [
        np.median([LogisticRegression(max_iter=2000).fit(one.x, one.y).score(one.test_x, one.test_y) for one in drawn])
        for drawn in (data("wine", n_train=20), data("mnist1d", n=300, n_test=100))
    ]
    explained = []
    for one in data("diabetes"):
        (x, new), y, new_y = (np.asarray(part, float) for part in (one.x, one.test_x)), one.y, np.asarray(one.test_y)
        weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
        errors = new_y - np.c_[new, np.ones(len(new))] @ weights
        explained.append(1 - np.sum(errors**2) / np.sum((new_y - np.mean(new_y)) ** 2))
    assert found["task"].tolist() == ["wine (n train = 20)", "diabetes", "mnist1d (n = 300, n test = 100)"]
    assert found["linear model"].tolist() == ["logistic regression", "least squares", "logistic regression"]
    assert found["reaches"].tolist() == [
        f"test accuracy {accuracies[0]:.3f}",
        f"test R² {np.median(explained):.3f}",
        f"test accuracy {accuracies[1]:.3f}",
    ]
    assert found["on"].tolist() == ["3 resamples", "3 resamples", "3 data sets"]


def test_a_linear_model_names_classes_as_far_as_a_plane_parts_them() -> None:
    x = np.random.default_rng(1).normal(size=(400, 2))
    apart, crossed = x[:, :1] > 0, (x[:, :1] > 0) ^ (x[:, 1:] > 0)
    scores = [accuracy_of_logistic_regression(x[:300], y[:300], x[300:], y[300:]) for y in (apart, crossed)]
    assert scores[0] > 0.97 and scores[1] < 0.7
    # Whoever knows examples of one class names that class.
    assert accuracy_of_logistic_regression(x[:2], np.ones(2), x[:4], np.array([1, 0, 1, 1])) == 0.75


TINY = """
name = "tiny"
task = "wine"
model = "linear"
training = { steps = 2, stop = "budget" }
seeds = { init = 3, data = "paired" }
probes = []
[grid]
initializer = ["zeros"]
[[figure]]
name = "accuracy"
kind = "ecdf"
color = "initializer"
x = "test_metric_final"
caption = "Accuracy."
"""


def test_the_page_says_it_and_verify_checks_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    done = call("reproduce", tmp_path / "tiny.toml", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    page = tmp_path / "reports" / "tiny" / "README.md"
    before, line = page.read_text(encoding="utf-8"), "| wine | logistic regression | test accuracy 0."
    assert before.count(line) == 1
    page.write_text(before.replace(line, line.replace("0.", "1.")), encoding="utf-8")
    done = call("verify", page.parent)
    # Nothing else differs.
    [difference] = [text for text in done.output.splitlines() if "tiny/" in text]
    assert done.exit_code == 1 and "README.md: line" in difference and f"recomputed '{line}" in difference
