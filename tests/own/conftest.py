"""The modules of a user, where Python looks for them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.registry import importing
from tests.own.user import PIECES


@pytest.fixture(scope="module", autouse=True)
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with modules of a user's own, where Python looks for them, and from which they may be imported."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "pieces.py").write_text(PIECES)
    (folder / "mistakes.py").write_text(Path(__file__).with_name("mistakes.txt").read_text())
    (folder / "pieces_too.py").write_text("import jax.numpy as jnp\ndef largest_unit(units):\n    return jnp.min(units)\n")
    (folder / "raising.py").write_text("import os\n\nraise ZeroDivisionError('as it is imported')\n")
    (folder / "ring.py").write_text("from ring_too import other\n\n\ndef init(key, shape, dtype):\n    return other\n")
    (folder / "ring_too.py").write_text("from ring import init\n\nother = init\n")
    (folder / "leaving.py").write_text("import sys\nsys.exit(5)\n")
    (folder / "spelled.py").write_text("def init(key, shape, dtype):\n    return (\n")
    sys.path.insert(0, str(folder))
    with importing():
        yield folder
    sys.path.remove(str(folder))
    for module in ("pieces", "mistakes"):
        sys.modules.pop(module, None)
