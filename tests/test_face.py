"""What a user imports from `initbench`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import initbench
from tests.conftest import XOR

ROOT = Path(__file__).parents[1]


def test_every_name_is_there_and_no_other() -> None:
    for name in initbench.__all__:
        assert callable(getattr(initbench, name))
        assert name in dir(initbench)
    with pytest.raises(AttributeError, match="has no attribute 'training_runs'; it has Audit, Check"):
        initbench.training_runs  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"claim": [{"id": "c", "says": "?", "measure": "test_los_final", "at_most": 1.0, "each": True}]},
            "unknown measure 'test_los_final'",
        ),
        ({"claim": [{"id": "c", "says": "?", "measure": "loss_final", "at_most": 1.0}]}, "judges the median"),
        ({"laws": ["gravity"]}, "unknown law 'gravity'"),
        ({"figure": [{"name": "f", "kind": "trend", "caption": "?"}]}, "figure 'f'"),
    ],
)
def test_what_cannot_be_judged_or_drawn_is_refused_before_it_trains(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        initbench.run(initbench.Experiment.model_validate({**XOR, **changes}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_face_imports_nothing_slow_until_it_is_asked() -> None:
    code = "import sys, initbench, initbench.stop; print(sorted({'jax', 'pandas', 'typer', 'asyncio'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
