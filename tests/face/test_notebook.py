"""The example notebook: it stands there without outputs, and all of its cells run."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "first-run.ipynb"
SECONDS = 300
"""Time after which a cell has hung."""


def cells() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs() -> None:
    for cell in cells().cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_it_runs_and_shows_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = cells()
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [(cell.source, output) for cell in notebook.cells for output in cell.get("outputs", ())]
    data = [output["data"] for _, output in outputs if "data" in output]
    # The bar of the progress, which ends full, and the run's own table.
    assert any("200/200" in one.get("text/plain", "") for one in data)
    assert any("Run &#x27;signs&#x27;: 200 training runs in 2 cells" in one.get("text/html", "") for one in data)
    [figure] = [output["data"] for source, output in outputs if source.startswith("run.figure(")]
    assert "image/png" in figure
    [verdicts] = [output["data"]["text/html"] for source, output in outputs if source == "run.verdicts()"]
    assert "signs-work" in verdicts and "supported" in verdicts
    assert (tmp_path / "results" / "reports" / "signs" / "README.md").exists()
    assert os.listdir(tmp_path / "results" / "runs") == ["signs"]
