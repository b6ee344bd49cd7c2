"""The JSON Schemas and small binary samples that `legacy.py` and `modern.py` offer.

They are data, kept apart so that the server beside them reads as behaviour.
The conformance suite compares several of them member by member, so they are
written out whole rather than generated from Python types.
"""

from typing import Any

Schema = dict[str, Any]

# One red pixel, and a WAV of no samples: the smallest files of their kinds.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIA"
    "X8jx0gAAAABJRU5ErkJggg=="
)
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="


def form(**properties: Schema) -> Schema:
    """An object schema whose properties are all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


NOTHING: Schema = {"type": "object", "properties": {}}

PROMPT = form(prompt={"type": "string", "description": "What to ask the model."})
MESSAGE = form(message={"type": "string", "description": "What to show the person."})

# SEP-2243 lets a client mirror these arguments into `Mcp-Param-*` headers. One is
# a string because the suite edits a string; the other shows that numbers compare.
CUSTOM_HEADERS = form(
    region={"type": "string", "x-mcp-header": "Region"},
    retries={"type": "integer", "x-mcp-header": "Retries"},
)

TEXT = form(text={"type": "string", "description": "What to give back."})
URI = form(uri={"type": "string", "description": "Which resource changed."})

NAME = form(name={"type": "string"})
COLOR = form(color={"type": "string"})
CONFIRM = form(ok={"type": "boolean"})
CONTEXT = form(context={"type": "string"})

CONTACT = form(
    username={"type": "string", "description": "The name to use."},
    email={"type": "string", "description": "Where to write."},
)

# SEP-1034: a default for each primitive type.
DEFAULTS: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "User name", "default": "John Doe"},
        "age": {"type": "integer", "description": "User age", "default": 30},
        "score": {"type": "number", "description": "User score", "default": 95.5},
        "status": {
            "type": "string",
            "description": "User status",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "description": "Whether verified", "default": True},
    },
    "required": [],
}


def titled(*titles: str) -> list[Schema]:
    """`value1`, `value2`, … each with a title."""
    return [{"const": f"value{n}", "title": title} for n, title in enumerate(titles, 1)]


# SEP-1330: the five ways of writing a choice.
ENUMS: Schema = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {
            "type": "string",
            "oneOf": titled("First Option", "Second Option", "Third Option"),
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {
            "type": "array",
            "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
        },
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": titled("First Choice", "Second Choice", "Third Choice")},
        },
    },
    "required": [],
}

# SEP-1613 and SEP-2106: keywords that a typed model in the middle would drop.
DRAFT_2020_12: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
