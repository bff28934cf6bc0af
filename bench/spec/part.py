"""The base class of every node of the experiment file."""

from typing import Annotated

from pydantic import BaseModel, Field

from bench.registry import STRICT

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
"""A name that can stand in a path: letters, digits, `_` and `-`, at most 100."""
Names = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of texts in the file."""


class Part(BaseModel):
    """A node of the experiment file; unknown keys are errors."""

    model_config = STRICT
