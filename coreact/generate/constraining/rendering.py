"""A constraint as part of a request: for OpenAI's API, for vLLM and for llama.cpp's server.

vLLM and llama.cpp are given one JSON schema of a whole reply, `{"tool": …, "arguments": …}` or
`{"answer": …}`, which is the format of `coreact.local` too. How far a server holds to a schema is its own
affair: llama.cpp's grammars know bounds of integers but not of other numbers, and OpenAI's only hold where
`strict` is on. So the checks still decide afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreact.generate.constraining.constraint import Constraint
from coreact.rubric import ToolContract


def openai_request(constraint: Constraint, tools: Sequence[ToolContract]) -> dict[str, Any]:
    """`tools` and `tool_choice` of a chat completion.

    `strict` is on for a tool whose arguments are all required, which OpenAI demands; otherwise the schema
    is a strong hint only. Where the choice is `none` the tools are offered as they were.

    Args:
        constraint: what to hold to.
        tools: the agent's tools, for their descriptions.
    """
    offered = [tool for tool in tools if tool.name in constraint.tools or not constraint.tools]
    written: dict[str, Any] = {
        "tools": [_function(tool, constraint.tools.get(tool.name, tool.parameters)) for tool in offered]
    }
    match constraint.tool_choice:
        case "none" | "required" as choice:
            written["tool_choice"] = choice
        case str(name):
            written["tool_choice"] = {"type": "function", "function": {"name": name}}
    return written


def langchain_request(constraint: Constraint, tools: Sequence[ToolContract]) -> dict[str, Any]:
    """`tools` and `tool_choice` as `bind_tools` of a LangChain chat model takes them, for any provider.

    `any` is LangChain's word for some tool. Anthropic's client knows no word for none of them: leave the
    tools away there.
    """
    choice = {"required": "any"}.get(str(constraint.tool_choice), constraint.tool_choice)
    return {"tools": openai_request(constraint, tools)["tools"], "tool_choice": choice}


def vllm_request(constraint: Constraint) -> dict[str, Any]:
    """Extra fields of a chat completion of vLLM, version 0.12 and later (`guided_json` before)."""
    return {"structured_outputs": {"json": reply_schema(constraint)}}


def llama_cpp_request(constraint: Constraint) -> dict[str, Any]:
    """Fields of a chat completion of llama.cpp's server; send no `tools` along.

    Its server takes a tool choice that is an object for `auto`, so that the choice is in the schema too.
    """
    schema = {"name": "reply", "strict": True, "schema": reply_schema(constraint)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def reply_schema(constraint: Constraint) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a whole reply: a call that fits, or an answer where one may be given."""
    branches = [
        _object(tool={"const": name}, arguments={"$ref": f"#/$defs/{_pointer(name)}"})
        for name in constraint.tools
    ]
    if constraint.tool_choice in (None, "none"):
        branches.append(_object(answer={"type": "string", "minLength": 1}))
    schema = branches[0] if len(branches) == 1 else {"anyOf": branches}
    defined = {name: _moved(part, f"#/$defs/{_pointer(name)}") for name, part in constraint.tools.items()}
    return {**schema, "$defs": defined} if defined else schema


def _function(tool: ToolContract, parameters: Mapping[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": parameters}
    if _is_strict(parameters):
        function["strict"] = True
    return {"type": "function", "function": function}


def _is_strict(schema: Any) -> bool:
    """Whether every object in a schema is closed and requires all that it names."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if isinstance(properties := schema.get("properties"), Mapping):
        closed = schema.get("additionalProperties") is False
        if not closed or set(properties) - set(schema.get("required", ())) or "default" in schema:
            return False
    elif schema.get("type") == "object":
        return False
    return all(_is_strict(part) for key, part in schema.items() if key not in ("const", "enum", "default"))


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _moved(schema: Any, to: str) -> Any:
    """A schema whose references to its own root lead to where it was moved."""
    if isinstance(schema, list):
        return [_moved(part, to) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved = {key: part if key in ("const", "enum") else _moved(part, to) for key, part in schema.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        moved["$ref"] = to + reference[1:]
    return moved
