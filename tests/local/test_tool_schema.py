"""The schema of a reply: what it accepts, what it refuses, and that every reference works at its root."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from coreact.errors import ConfigError, ToolSchemaError
from coreact.local.tool_schema import ANSWER_FACTOR, MAX_ITEMS, reply_schema


@tool
def search(query: str) -> str:
    """Search."""
    return query


@tool
def today() -> str:
    """Tell the date."""
    return ""


class Place(BaseModel):
    name: str
    tags: list[str] = []


@tool
def visit(place: Place, hours: int = 1) -> str:
    """Visit a place."""
    return place.name


def described(*tools: Any) -> list[dict[str, Any]]:
    return [convert_to_openai_tool(each) for each in tools]


def function(name: str, parameters: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name, "description": ""}
    return {"type": "function", "function": body | ({} if parameters is None else {"parameters": parameters})}


def accepts(schema: dict[str, Any], reply: Any) -> bool:
    Draft202012Validator.check_schema(schema)
    return bool(Draft202012Validator(schema).is_valid(reply))


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": name, "arguments": arguments}


def test_a_reply_is_a_call_of_an_offered_tool_or_an_answer() -> None:
    schema = reply_schema(described(search, visit), max_argument_chars=20)
    assert accepts(schema, call("search", query="Ouagadougou"))
    assert accepts(schema, call("visit", place={"name": "Bobo", "tags": ["a"]}, hours=2))
    assert accepts(schema, {"answer": "franc"})
    assert not accepts(schema, call("search"))
    assert not accepts(schema, call("search", query="x", page=1))
    assert not accepts(schema, call("delete", query="x"))
    assert not accepts(schema, call("visit", place={"tags": []}))
    assert not accepts(schema, {"answer": "x", "tool": "search"})


@pytest.mark.parametrize("arguments", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_arguments_takes_an_empty_object_and_nothing_else(arguments: Any) -> None:
    schema = reply_schema([function("today", arguments)], tool_choice="any", max_argument_chars=20)
    assert accepts(schema, call("today"))
    assert not accepts(schema, call("today", query="x"))
    assert accepts(reply_schema(described(today), max_argument_chars=20), call("today"))


@pytest.mark.parametrize(
    ("choice", "searches", "visits", "answers"),
    [
        (None, True, True, True),
        ("auto", True, True, True),
        ("any", True, True, False),
        ("required", True, True, False),
        (True, True, True, False),
        ("none", False, False, True),
        (False, False, False, True),
        ("search", True, False, False),
        ({"type": "function", "function": {"name": "visit"}}, False, True, False),
    ],
)
def test_tool_choice_decides_the_branches(choice: Any, searches: bool, visits: bool, answers: bool) -> None:
    schema = reply_schema(described(search, visit), tool_choice=choice, max_argument_chars=20)
    assert accepts(schema, call("search", query="x")) is searches
    assert accepts(schema, call("visit", place={"name": "x"})) is visits
    assert accepts(schema, {"answer": "x"}) is answers


def test_an_unknown_tool_choice_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"'browse'.*'search'"):
        reply_schema(described(search), tool_choice="browse", max_argument_chars=20)


@given(limit=st.integers(1, 50), length=st.integers(0, 60))
def test_free_strings_are_bounded(limit: int, length: int) -> None:
    schema = reply_schema(described(search), max_argument_chars=limit)
    assert accepts(schema, call("search", query="x" * length)) is (length <= limit)
    assert accepts(schema, {"answer": "x" * (ANSWER_FACTOR * limit)})
    assert not accepts(schema, {"answer": "x" * (ANSWER_FACTOR * limit + 1)})


def test_bounds_give_way_to_what_the_tool_demands() -> None:
    text = {"type": "string"}
    properties = {
        "long": text | {"minLength": 30},
        "short": text | {"maxLength": 3},
        "kind": text | {"enum": ["a-rather-long-literal"]},
        "many": {"type": "array", "items": {"type": "integer"}, "minItems": MAX_ITEMS + 2},
        "list": {"type": "array", "items": text},
        "maybe": {"type": ["string", "null"]},
        "loose": text | {"pattern": "[0-9]"},
        "exact": text | {"pattern": "^Q[0-9]+$"},
    }
    schema = reply_schema(
        [function("f", {"type": "object", "properties": properties})], tool_choice="f", max_argument_chars=10
    )
    assert accepts(schema, call("f", long="x" * 30, kind="a-rather-long-literal"))
    assert not accepts(schema, call("f", short="xxxx"))
    assert accepts(schema, call("f", many=[1] * (MAX_ITEMS + 2)))
    assert not accepts(schema, call("f", list=["x"] * (MAX_ITEMS + 1)))
    assert not accepts(schema, call("f", list=["x" * 11]))
    assert accepts(schema, call("f", maybe=None))
    assert not accepts(schema, call("f", maybe="x" * 11))
    assert accepts(schema, call("f", loose="no digit"))
    assert not accepts(schema, call("f", exact="12"))


def test_a_property_named_like_a_keyword_is_kept() -> None:
    parameters = {
        "type": "object",
        "title": "dropped",
        "properties": {"title": {"type": "string", "title": "dropped"}, "default": {"type": "integer"}},
        "required": ["title", "default"],
    }
    schema = reply_schema([function("f", parameters)], max_argument_chars=10)
    assert accepts(schema, call("f", title="x", default=1))
    assert "dropped" not in json.dumps(schema)


def test_equal_names_in_the_definitions_of_two_tools_do_not_meet() -> None:
    def using(value: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/X"}},
            "required": ["x"],
            "$defs": {"X": {"const": value}},
        }

    schema = reply_schema([function("a", using("one")), function("b", using("two"))], max_argument_chars=10)
    assert accepts(schema, call("a", x="one"))
    assert accepts(schema, call("b", x="two"))
    assert not accepts(schema, call("a", x="two"))


def test_definitions_may_refer_to_themselves_and_are_bounded() -> None:
    parameters = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/definitions/a~1b"}, "self": {"$ref": "#"}},
        "definitions": {
            "a/b": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/definitions/a~1b"}},
                },
                "required": ["name"],
            }
        },
    }
    schema = reply_schema([function("f", parameters)], max_argument_chars=5)
    assert accepts(
        schema, call("f", tree={"name": "a", "parts": [{"name": "b"}]}, self={"tree": {"name": "c"}})
    )
    assert not accepts(schema, call("f", tree={"name": "a", "parts": [{"name": "longer"}]}))
    assert not accepts(schema, call("f", self={"tree": {"name": "longer"}}))


def test_arguments_that_are_one_reference_work() -> None:
    parameters = {
        "$ref": "#/$defs/A",
        "$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    schema = reply_schema([function("f", parameters)], max_argument_chars=5)
    assert accepts(schema, call("f", n=1))
    assert not accepts(schema, call("f", m=1))


@pytest.mark.parametrize(
    "reference", ["#/$defs/Nowhere", "https://example.org/schema.json", "#/$defs/X/type/0"]
)
def test_a_reference_out_of_the_schema_is_refused(reference: str) -> None:
    parameters = {
        "type": "object",
        "properties": {"x": {"$ref": reference}},
        "$defs": {"X": {"type": "string"}},
    }
    with pytest.raises(ToolSchemaError, match="refers to") as caught:
        reply_schema([function("f", parameters)], max_argument_chars=5)
    assert caught.value.tool == "f"
