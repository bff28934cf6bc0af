"""Settings of a cell: their numbers, and the identity that defaults do not change."""

from bench.spec import catalog
from tests.conftest import XOR, experiment


def test_options_at_their_defaults_do_not_change_a_cell_s_identity() -> None:
    spelled_out = experiment(model={"name": "mlp", "widths": [3], "dropout": 0.0}, training={**XOR["training"], "l2": 0.0})
    assert experiment().cells[0].id == spelled_out.cells[0].id


def test_numbers_that_float64_holds_are_allowed_there() -> None:
    for steps in (1e-60, 1e60):
        assert experiment(optimizer={"learning_rate": steps}, training={"dtype": "float64"}).cells
    # Infinity where it is meant: in the examples of products with infinity.
    assert any("inf" in repr(cell.settings) for cell in catalog.read("c17-worked-examples").cells)
