"""Write the one JSON schema that a reply must follow when tools are offered.

A small model cannot be trusted to keep a tool-call format, but a server that samples under a
grammar can be told one: the reply is either a call of one of the tools or, unless a call is
forced, a final answer. Lengths are bounded, because a weak model that may write on does so.

Only what a grammar can use is kept of a tool's schema. Whether the arguments make sense, and
keywords that grammars do not enforce (number ranges, say), stay the tool's own business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreact.errors import ConfigError, ToolSchemaError

MAX_ITEMS = 8
"""Most entries of a list that a reply may hold, unless the tool demands more."""

ANSWER_FACTOR = 4
"""A final answer may be this many times as long as an argument."""

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$comment", "$defs", "definitions"})
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMA_VALUES = frozenset({"items", "additionalProperties", "not", "contains"})
_SCHEMA_MAPS = frozenset({"properties", "patternProperties"})


def reply_schema(
    tools: Sequence[Mapping[str, Any]], *, tool_choice: object = None, max_argument_chars: int
) -> dict[str, Any]:
    """Return the JSON schema of a reply.

    Args:
        tools: Tools as OpenAI function descriptions, `{"type": "function", "function": {...}}`.
        tool_choice: None or `"auto"` leave the choice to the model; `"any"`, `"required"` and True
            force some call; a tool's name (or `{"function": {"name": ...}}`) forces that tool;
            `"none"` and False force an answer.
        max_argument_chars: Longest free string inside the arguments, in characters.

    Raises:
        ConfigError: `tool_choice` names no offered tool.
        ToolSchemaError: A tool's schema refers to something that is not in it.
    """
    offered, may_answer = _offered(tools, tool_choice)
    definitions: dict[str, Any] = {}
    branches: list[dict[str, Any]] = []
    for tool in offered:
        function = tool["function"]
        bounded = _Bounded(
            function["name"], function.get("parameters") or {}, max_argument_chars, definitions
        )
        branches.append(_object(tool={"const": function["name"]}, arguments=bounded.arguments()))
    if may_answer:
        branches.append(_object(answer={"type": "string", "maxLength": ANSWER_FACTOR * max_argument_chars}))
    schema = branches[0] if len(branches) == 1 else {"anyOf": branches}
    return schema | ({"$defs": definitions} if definitions else {})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _offered(
    tools: Sequence[Mapping[str, Any]], tool_choice: object
) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """The tools that may be called now, and whether an answer may be given instead."""
    if tool_choice is None or tool_choice == "auto":
        return tools, True
    if tool_choice is False or tool_choice == "none":
        return (), True
    if tool_choice is True or tool_choice in ("any", "required"):
        return tools, False
    name = tool_choice
    if isinstance(tool_choice, Mapping):
        name = tool_choice.get("function", tool_choice).get("name")
    named = [tool for tool in tools if tool["function"]["name"] == name]
    if not named:
        known = ", ".join(repr(tool["function"]["name"]) for tool in tools)
        raise ConfigError(
            f"tool_choice is {tool_choice!r}, which names no bound tool.",
            remedy=f"Give 'auto', 'any', 'none' or one of {known}.",
        )
    return named, False


class _Bounded:
    """One tool's arguments schema, with bounds added and its references made to work at the root."""

    def __init__(
        self, tool: str, root: Mapping[str, Any], max_chars: int, definitions: dict[str, Any]
    ) -> None:
        self._tool = tool
        self._root = root
        self._max_chars = max_chars
        self._definitions = definitions
        self._names: dict[str, str] = {}
        """Reference inside the tool's schema -> name in the `$defs` that all tools share."""

    def arguments(self) -> dict[str, Any]:
        if "$ref" in self._root:
            return {"$ref": self._hoisted(self._root["$ref"])}
        return {"type": "object", "properties": {}, "additionalProperties": False, **self._bound(self._root)}

    def _bound(self, schema: Any) -> Any:
        if not isinstance(schema, Mapping):
            return schema
        if "$ref" in schema:
            return {"$ref": self._hoisted(schema["$ref"])}
        out: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _SCHEMA_MAPS:
                out[key] = {name: self._bound(part) for name, part in value.items()}
            elif key in _SCHEMA_LISTS:
                out[key] = [self._bound(part) for part in value]
            elif key in _SCHEMA_VALUES:
                out[key] = self._bound(value)
            elif key not in _ANNOTATIONS:
                out[key] = value
        self._limit(out)
        return out

    def _limit(self, schema: dict[str, Any]) -> None:
        kinds = schema.get("type", ())
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        pattern = schema.get("pattern")
        if pattern is not None and not (pattern.startswith("^") and pattern.endswith("$")):
            # A grammar can only hold a whole string to a pattern; a part of one is the tool's to check.
            del schema["pattern"]
        if "string" in kinds and not schema.keys() & {"enum", "const", "format", "pattern"}:
            longest = min(self._max_chars, schema.get("maxLength", self._max_chars))
            schema["maxLength"] = max(longest, schema.get("minLength", 0))
        if "array" in kinds:
            schema["maxItems"] = max(
                min(MAX_ITEMS, schema.get("maxItems", MAX_ITEMS)), schema.get("minItems", 0)
            )
        if schema.get("properties"):
            schema.setdefault("additionalProperties", False)

    def _hoisted(self, reference: str) -> str:
        """Move what `reference` points at to the shared `$defs`, under a name no other tool uses."""
        if reference not in self._names:
            target = self._resolve(reference)
            name = f"def_{len(self._definitions)}"
            # Both are set before the walk: a schema may refer to itself.
            self._names[reference] = name
            self._definitions[name] = {}
            self._definitions[name] = self._bound(target)
        return f"#/$defs/{self._names[reference]}"

    def _resolve(self, reference: str) -> Any:
        target: Any = self._root
        if reference.startswith("#"):
            for part in reference[1:].split("/")[1:]:
                key = part.replace("~1", "/").replace("~0", "~")
                target = target.get(key) if isinstance(target, Mapping) else None
            if isinstance(target, Mapping | bool):
                return target
        raise ToolSchemaError(
            f"The schema of the tool {self._tool!r} refers to {reference!r}, which is not in it.",
            tool=self._tool,
            remedy="Define it under `$defs` of the tool's own schema.",
        )
