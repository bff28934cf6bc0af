"""Digests of content, which identify cells, experiments and claims."""

import hashlib
import json
from typing import Any


def digest(content: Any, length: int = 64) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of a JSON-able value, independent of the order of keys."""
    return text_digest(json_text(content), length)


def json_text(content: Any) -> str:
    """A JSON-able value as compact text with sorted keys."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def text_digest(text: str, length: int) -> str:
    """The first `length` hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
