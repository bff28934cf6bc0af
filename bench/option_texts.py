"""The options of a piece in words: what values each takes, and its default."""

from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

TYPES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false", "array": "list", "object": "table"}
LIMITS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}


def option_texts(options: type[BaseModel]) -> dict[str, str]:
    """Return for each option of a piece what it takes, and its default, like `number > 0, default 1`."""
    try:
        schema = options.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {name: "" for name in options.model_fields}
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    found = {}
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else f"default {_value(field.get('default'))}"
        found[name] = ", ".join(filter(None, (_kind(field, definitions), default)))
    return found


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rpartition("/")[2]], definitions)
    for several in ("anyOf", "oneOf"):
        if several in field:
            return " or ".join(dict.fromkeys(filter(None, (_kind(one, definitions) for one in field[several]))))
    if "const" in field or "enum" in field:
        return " or ".join(map(_value, field.get("enum", [field.get("const")])))
    limits = " and ".join(f"{sign} {_value(field[limit])}" for limit, sign in LIMITS.items() if limit in field)
    return f"{TYPES.get(str(field.get('type')), '')} {limits}".strip()


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
