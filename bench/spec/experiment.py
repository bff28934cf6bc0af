"""The experiment file as one value: validated, expanded into cells, hashed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from bench.messages import explain, nearest, one_line, shown
from bench.piece_names import Named, name_of, plain
from bench.registry import check_allowed, importing, is_opaque, module_of
from bench.spec.checks import check_axes, check_condition, check_map, check_once, check_probes, check_unreported, conditions
from bench.spec.claims import Claim, Published
from bench.spec.document import check_content, check_text, read_document, write_document
from bench.spec.figures import Figure
from bench.spec.functions import named
from bench.spec.grid import Cell, axes_of, check_grid, expanded
from bench.spec.hashing import digest
from bench.spec.labels import check_labels
from bench.spec.overrides import overridden
from bench.spec.part import Name, Names, Part
from bench.spec.seeds import GridRange, Seeds
from bench.spec.settings import SECTIONS


def _spelled_out(values: Any) -> Any:
    """The values of a grid's axis: those of a list as they stand, those of a range as a list of its numbers."""
    if not isinstance(values, dict):
        return values
    try:
        return GridRange.model_validate(values).values()
    except ValidationError as error:
        raise ValueError(explain(error, GridRange)) from error


Values = Annotated[tuple[Any, ...], BeforeValidator(_spelled_out), Field(strict=False, min_length=1)]
"""The values of a grid's axis; one that is a table with a `label` stands in the rows under that label."""

Pieces = Annotated[tuple[Annotated[Named, AfterValidator(plain)], ...], Field(strict=False)]
"""A list of pieces, each a name or a table of its name and its options."""


class Experiment(Part):
    """A question, the grid of settings that is run to answer it, and the claims that it settles.

    In Python a function or class stands for its name.

    >>> import initbench as ib
    >>> experiment = ib.Experiment(name="mine", task="xor", model="mlp", grid={"initializer": ["zeros", "he_normal"]})
    >>> [cell.axes for cell in experiment.cells]
    [{'initializer': 'zeros'}, {'initializer': 'he_normal'}]
    """

    name: Name
    question: str = ""
    known: str = ""
    """The state of the literature, in a sentence or two, with citations such as `[@saxe2014]` of the package's bibliography."""
    headline: bool = False
    """Whether `initbench reproduce` without a name runs it."""
    task: Any = None
    model: Any = None
    initializer: Any = None
    optimizer: Any = {}
    training: Any = {}
    seeds: Seeds = Seeds()
    probes: Pieces | None = None
    """Probes measured at start and end, by name or with options; None: all that the model allows, except the optional ones."""
    unreported: Names = ()
    """Parts that a report's copy of the rows leaves out: `curves`, columns of probes and common ones (without `_initial`, `_final`), or a
    pattern of columns like `signal_variance_*_final`."""
    track: Pieces = ()
    """Probes recorded along the curves; with `tie_spread`, the column `break_step` as well."""
    ends: bool = False
    """Whether the ends of training runs that fail are certified: columns `end`, `end_loss`, `end_index` and others of the rows."""
    laws: Names = ()
    """Laws of `analysis.laws` that must hold before a verdict is printed."""
    grid: dict[str, Values] = {}
    """The values of each axis, by the dotted path of its setting."""
    case: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    """Settings that vary together, by their dotted paths, each case with a `label`; cases multiply with the grid."""
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    published: Annotated[tuple[Published, ...], Field(strict=False)] = ()
    figure: Annotated[tuple[Figure, ...], Field(strict=False)] | None = None
    """Figures of the report; None: those that fit the grid."""

    _text: str | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _of_plain_values(cls, content: Any) -> Any:
        check_content(content)
        return named(content)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        check_grid(self.case, self.grid)
        self.cells  # noqa: B018  (expands and validates every cell)
        for axis, labels in self.axes.items():
            check_labels(axis, labels)
        check_probes(self.probe_names or (), self.track_names)
        check_once("laws", self.laws)
        check_unreported(self.unreported, self.probe_names or (), self.axes)
        check_once("claim: id", [claim.id for claim in self.claim])
        check_once("figure: name", [figure.name for figure in self.figure or ()])
        judged = [*(claim.id for claim in self.claim), *self.laws]
        for figure in self.figure or ():
            if unknown := next((name for name in figure.shows if name not in judged), None):
                raise ValueError(f"figure '{figure.name}': shows: {shown(unknown)} is no claim or law; {nearest(unknown, judged)}")
            # Kinds of figures stand above this package: a user's own is allowed here, and imported where it is checked.
            if ":" in figure.kind_name and not is_opaque(figure.kind_name):
                check_allowed("figure kind", figure.kind_name)
        for claim in self.claim:
            check_axes(claim, self.axes)
        for place, where in conditions(self.claim, self.figure or (), self.published):
            check_condition(place, where, self.axes, self.seeds.map)
        if self.seeds.map is not None:
            check_map(self.seeds.map, self.axes, self.cells)
        return self

    # After all others, which it goes around.
    @model_validator(mode="wrap")
    @classmethod
    def _may_import(cls, raw: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        with importing():
            return validate(raw)

    @classmethod
    def parse(cls, text: str, place: str = "experiment", overrides: Mapping[str, Any] | None = None) -> Self:
        """Read TOML text, with `--set` values put into it; ValueError with one line if anything is wrong."""
        try:
            check_text(text)
            text = overridden(text, overrides) if overrides else text
            content = read_document(text)
        except ValueError as error:
            raise ValueError(one_line(f"{place}: {error}")) from error
        try:
            experiment = cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(one_line(f"{place}: {explain(error, cls)}")) from error
        experiment._text = text
        return experiment

    @property
    def text(self) -> str:
        """The experiment as TOML: as it was read, or written from its fields."""
        if self._text is not None:
            return self._text
        return write_document(self.model_dump(mode="json", exclude_defaults=True, by_alias=True))

    @property
    def probe_names(self) -> tuple[str, ...] | None:
        """Names of the `probes`."""
        return None if self.probes is None else tuple(map(name_of, self.probes))

    @property
    def track_names(self) -> tuple[str, ...]:
        """Names of the probes in `track`."""
        return tuple(map(name_of, self.track))

    @property
    def lanes(self) -> int:
        """Number of training runs of the whole grid."""
        return len(self.cells) * len(self.seeds)

    @cached_property
    def axes(self) -> dict[str, list[Any]]:
        """Values of each axis, as they stand in the rows."""
        return axes_of(self.case, self.grid)

    @cached_property
    def cells(self) -> list[Cell]:
        """The grid, expanded: cases times the cross product of the axes."""
        base = {section: getattr(self, section) for section in SECTIONS if getattr(self, section) is not None}
        return expanded(base, self.case, self.grid, self.seeds.map)

    def identified(self, ids: Sequence[str]) -> Self:
        """The same experiment with these ids of its cells, as a folder keeps them: of opaque pieces they cannot be computed."""
        other = self.model_copy()
        other.__dict__["cells"] = [replace(cell, id=identity) for cell, identity in zip(self.cells, ids, strict=True)]
        return other

    @cached_property
    def has_threshold(self) -> bool:
        """Whether some cell has a loss below which a training run is solved."""
        return any(cell.settings.training.solved_below is not None for cell in self.cells)

    @property
    def training_hash(self) -> str:
        """Digest of what trains: cells and probes, but not the number of seeds, which may grow, nor anything that only judges rows."""
        content = self.model_dump(mode="json", include={"name", "probes", "track", "ends"}, exclude_defaults=True)
        cells = [(cell.id, cell.axes) for cell in self.cells]
        seeds = self.seeds.model_dump(mode="json", include={"map", "first"}, exclude_defaults=True)
        return digest({**content, "paired": self.seeds.data == "paired", "cells": cells, **seeds})

    @property
    def judging_hash(self) -> str:
        """Digest of what judges: claims and laws, which can be mended without training anew."""
        return digest(self.model_dump(mode="json", include={"laws", "claim"}, exclude_defaults=True))

    @property
    def criteria(self) -> dict[str, str]:
        """Digests of what each claim is judged by, without its words, by the claims' ids."""
        words = {"id", "says", "family", "edited"}
        return {claim.id: digest(claim.model_dump(mode="json", exclude=words, exclude_defaults=True)) for claim in self.claim}


def modules_named(experiment: Experiment, figures: bool = False) -> list[str]:
    """Modules of the user's own that the experiment's pieces and probes (and kinds of `figures`) come from, in alphabetical order."""
    names = {name for cell in experiment.cells for _, name in cell.settings.foreign()}
    kinds = [figure.kind_name for figure in experiment.figure or () if figures]
    names |= {name for name in (*(experiment.probe_names or ()), *experiment.track_names, *kinds) if ":" in name}
    return sorted(set(map(module_of, names)))
