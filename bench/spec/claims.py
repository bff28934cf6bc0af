"""Claims of an experiment file: statements with the criteria that judge them, and the published numbers beside them."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from bench.spec.part import Name, Names, Part

COMPARISONS = ("greater_than", "equal_to", "no_worse_than", "worse_than")
"""Criteria that hold a claim's rows against other rows."""


class Comparison(Part):
    """The rows that a claim's own rows are compared with; a key that it leaves out is as in the claim."""

    where: dict[str, Any] = {}
    measure: str | None = None


class Control(Part):
    """A positive control: a bound that other rows, or the same ones, must meet before a claim can be judged."""

    where: dict[str, Any] = {}
    measure: str
    at_least: float | None = None
    at_most: float | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With a numeric measure: the share of runs that must meet the bound (default 0.99)."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs: exactly one of at_least, at_most")
        return self


class Claim(Part):
    """A statement and the criterion that judges it, both in the file before the run, or marked as `edited`."""

    INSTEAD: ClassVar = {"less_than": "`greater_than` with its two sides swapped says the same"}
    """Advice on keys that there are not."""

    id: Name
    says: str
    family: Name | None = None
    """The claim of the thread (C1-C23) that this one settles; Holm's correction is taken over a family."""
    where: dict[str, Any] = {}
    measure: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    equal_to: float | Comparison | None = None
    """A number, or the training runs of another condition, paired by their seeds; `margin` is then relative."""
    margin: Annotated[float, Field(ge=0)] | None = None
    """With `equal_to`: how far off counts as equal. With `no_worse_than` and `worse_than`: how much worse counts as no worse. With
    `greater_than`: the smallest difference that counts, of shares (default 0.02) or of P(larger) from 1/2 (default 0.05)."""
    each: bool = False
    """Whether the share of runs that meet the bound is judged, instead of their median."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With `each`: the share of runs that must meet the bound (default 0.99)."""
    greater_than: Comparison | None = None
    no_worse_than: Comparison | None = None
    """The same runs of another condition, paired by their seeds: the median difference (or that of shares) may be worse by the margin."""
    worse_than: Comparison | None = None
    """The opposite: it is worse by more than the margin."""
    paired: bool = False
    """Whether only pairs of the same seeds may be compared. They are compared anyway wherever both sides share their seeds one to one."""
    best: str | None = None
    """An axis of which the best value counts, chosen on one half of the clusters and judged on the other, on each side of a comparison."""
    needs: Control | None = None
    """A positive control: where it does not hold, the verdict is withheld."""
    law: str | None = None
    by: Names = ()
    pool: Names = ()
    """Axes whose rows are judged together on purpose; any other axis must stand in `where` or `by`, or be `best`."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    edited: Annotated[str, Field(min_length=1)] | None = None
    """When and why the criterion was changed after rows existed: the claim is then exploratory until fresh seeds confirm it."""

    @model_validator(mode="after")
    def _one_criterion(self) -> Self:
        criteria = [name for name in ("at_least", "at_most", *COMPARISONS, "law") if getattr(self, name) is not None]
        if len(criteria) != 1:
            raise ValueError(f"has {len(criteria)} criteria; exactly one of at_least, at_most, {', '.join(COMPARISONS)}, law")
        for name in ("equal_to", "no_worse_than", "worse_than"):
            if getattr(self, name) is not None and self.margin is None:
                raise ValueError(f"{name} and margin stand together")
        if self.margin is not None and not any(getattr(self, name) is not None for name in COMPARISONS):
            raise ValueError(f"margin stands with {' or '.join(COMPARISONS)}")
        if (self.measure is None) != (self.law is not None):
            raise ValueError("a claim has either a measure or a law")
        if self.law is not None and (self.where or self.by or self.pool or self.best or self.needs):
            raise ValueError("a law names its own runs and conditions; where, by, pool, best and needs stand with a measure")
        if self.paired and self.greater_than is None:
            raise ValueError("paired stands with greater_than")
        if self.each and (self.greater_than is not None or self.non_inferiority is not None or self.law is not None):
            raise ValueError("each stands with at_least, at_most or equal_to")
        if self.share is not None and not self.each:
            raise ValueError("share stands with each")
        return self

    @property
    def non_inferiority(self) -> Comparison | None:
        """The other rows of `no_worse_than` or `worse_than`; None if the claim has neither."""
        return self.no_worse_than or self.worse_than

    @property
    def compared(self) -> dict[str, Comparison]:
        """The other rows that the claim's own rows are held against, by the criterion that does so; empty if there are none."""
        found = {name: getattr(self, name) for name in COMPARISONS}
        return {name: other for name, other in found.items() if isinstance(other, Comparison)}

    @property
    def other_rows(self) -> dict[str, Comparison | Control]:
        """All rows that the claim asks about besides its own, by the key that names them."""
        return self.compared | ({"needs": self.needs} if self.needs is not None else {})


class Published(Part):
    """A published number that the report prints beside ours."""

    says: str
    value: float
    source: str
    differs: str
    """Where its protocol differs from ours."""
    measure: str
    where: dict[str, Any] = {}
