"""Nodes of the JSON files that a run or a report leaves, and the types of their fields."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from bench.registry import STRICT


class Record(BaseModel):
    """A node of a JSON file: its types are strict, and an unknown key is an error."""

    model_config = {**STRICT, "ser_json_inf_nan": "strings", "allow_inf_nan": False}


def _real_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
CellId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"), AfterValidator(_real_time)]
PART_NAME = r"part-([0-9]{6}-)?[0-9a-f]{12}\.parquet"
"""Pattern of the name of a part in a run folder: its place where the run is in order, and the beginning of its checksum."""
FileName = Annotated[str, Field(pattern=rf"^(lanes|curves)(/{PART_NAME}|\.parquet)$")]
"""`lanes/part-...` in a run folder, `lanes.parquet` in a report: the name is always relative and stays inside the folder."""
