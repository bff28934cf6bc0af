"""XOR trained by the page's JavaScript against the engine."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from analysis.site.live import SEEDS, STEPS, stored_starts

REPORT = Path(__file__).parents[2] / "reports" / "x11-xor-width"
SCRIPT = Path(__file__).parents[2] / "analysis" / "site" / "assets" / "xor.js"
NODE = shutil.which("node")
NEAR = 2e-6
"""Largest difference of losses in float64 from those of the engine in float32, over the first steps."""

pytestmark = pytest.mark.skipif(NODE is None, reason="no program that runs JavaScript")


@pytest.fixture(scope="module")
def starts() -> list[dict[str, Any]]:
    """The starts that the page offers."""
    return stored_starts(REPORT)


def losses(network: dict[str, Any], rate: float = 0.5) -> list[float]:
    """The losses of the page's own training up to the last compared step."""
    program = f"console.log(JSON.stringify(require({json.dumps(str(SCRIPT))}).losses({json.dumps(network)}, {rate}, {STEPS})))"
    done = subprocess.run([str(NODE), "-e", program], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_its_losses_are_those_of_the_engine(starts: list[dict[str, Any]]) -> None:
    """From every start that the page offers, the losses at the engine's first logged steps are the same up to float32."""
    assert len(starts) == SEEDS
    for start in starts:
        mine = losses(start["network"])
        assert start["steps"][0] == 0 and len(start["steps"]) > 3
        assert [mine[step] for step in start["steps"]] == pytest.approx(start["losses"], abs=NEAR)


def test_another_rate_gives_other_losses(starts: list[dict[str, Any]]) -> None:
    """The comparison tells a learning rate that is 1% too large."""
    start = starts[0]
    mine = losses(start["network"], rate=0.505)
    assert max(abs(mine[step] - loss) for step, loss in zip(start["steps"], start["losses"], strict=True)) > 10 * NEAR


def test_nothing_moves_from_zero() -> None:
    """All weights at zero have no gradient, and the loss stays at chance level."""
    zero = {"w": [[0.0] * 4] * 2, "b": [0.0] * 4, "v": [0.0] * 4, "c": 0.0}
    assert losses(zero) == pytest.approx([0.6931471805599453] * (STEPS + 1), abs=1e-15)
