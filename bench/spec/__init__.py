"""The experiment file: what is run, and which claims about it are judged."""

from bench.spec.claims import Claim, Comparison, Control
from bench.spec.columns import COMMON, CURVE_COLUMNS, NEEDED, ROW_COLUMNS, Column
from bench.spec.experiment import Experiment, modules_named
from bench.spec.figures import Figure
from bench.spec.grid import Cell
from bench.spec.hashing import digest
from bench.spec.labels import axis_label, label_key, wanted_labels
from bench.spec.part import Name
from bench.spec.pieces import InitializerSpec, ModelSpec, Piece, TaskSpec
from bench.spec.seeds import Map, MapAxis, Seeds, Span
from bench.spec.settings import SECTIONS, Settings

__all__ = [
    "COMMON",
    "CURVE_COLUMNS",
    "NEEDED",
    "ROW_COLUMNS",
    "SECTIONS",
    "Cell",
    "Claim",
    "Column",
    "Comparison",
    "Control",
    "Experiment",
    "Figure",
    "InitializerSpec",
    "Map",
    "MapAxis",
    "ModelSpec",
    "Name",
    "Piece",
    "Seeds",
    "Settings",
    "Span",
    "TaskSpec",
    "axis_label",
    "digest",
    "label_key",
    "modules_named",
    "wanted_labels",
]
