"""Constraints: what they let through passes the checks, and they are never unsatisfiable."""

from __future__ import annotations

import json
from typing import Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from coreact.generate.constraining import (
    Constraint,
    constraint,
    llama_cpp_request,
    openai_request,
    reply_schema,
    vllm_request,
)
from coreact.generate.constraining.portable import portable
from coreact.judge.runner import run_checks
from coreact.rubric import (
    Action,
    AnswerObserved,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    Criterion,
    DoesNotStop,
    HasProvenance,
    NotRepeat,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import Check

TEXT = {"type": "string"}


def tool(name: str, *, required: tuple[str, ...] | None = None, **properties: Any) -> ToolContract:
    needed = list(properties)[:1] if required is None else list(required)
    parameters = {"type": "object", "properties": properties, "required": needed}
    return ToolContract(name=name, parameters=parameters, read_only=True)


SEARCH = tool(
    "search", query={"type": "string", "description": "What to look for."}, limit={"type": "integer"}
)
OPEN = tool("open_page", url=TEXT)
WEATHER = tool("weather", unit={"enum": ["metric", "imperial"]}, detailed={"type": "boolean"})
TOOLS = (SEARCH, OPEN, WEATHER)

STATE = State.start("Who?", tools=TOOLS).after(
    Step(
        call=ToolCall(name="open_page", arguments={"url": "https://a.org/read"}),
        observation=Observation(text="https://a.org/one https://a.org/two https://a.org/read"),
    )
)


def hard(check: Check, *, name: str = "c1", **fields: Any) -> Criterion:
    return Criterion(id=name, text="A demand.", check=check, **{"kind": "hard", **fields})


def made(*criteria: Criterion, state: State = STATE) -> Constraint:
    found = constraint(Rubric(criteria=criteria), state)
    assert found.constraint is not None, found.reason
    return found.constraint


# --- what is enforced -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "polarity", "choice", "tools"),
    [
        (ToolIs(tools=("search",)), "require", "search", {"search"}),
        (ToolIs(tools=("search", "weather")), "require", "required", {"search", "weather"}),
        (ToolIs(tools=("search",)), "forbid", None, {"open_page", "weather"}),
        (ToolIsNot(tools=("search",)), "require", None, {"open_page", "weather"}),
        (ToolIsNot(tools=("search",)), "forbid", "search", {"search"}),
        (Stops(), "require", "none", set()),
        (Stops(), "forbid", "required", {"search", "open_page", "weather"}),
        (DoesNotStop(), "require", "required", {"search", "open_page", "weather"}),
        (DoesNotStop(), "forbid", "none", set()),
    ],
)
def test_tools_and_stopping(check: Check, polarity: Any, choice: str | None, tools: set[str]) -> None:
    found = made(hard(check, polarity=polarity))
    assert (found.tool_choice, set(found.tools), found.criteria) == (choice, tools, ("c1",))


def narrowed_argument(check: Check, name: str, argument: str, **fields: Any) -> dict[str, Any]:
    schema: dict[str, Any] = made(hard(check, **fields)).tools[name]["properties"][argument]
    return schema


def test_arguments() -> None:
    equal = narrowed_argument(ArgumentEquals(argument="limit", value=5), "search", "limit")
    assert equal == {"type": "integer", "enum": [5]}
    between = narrowed_argument(
        ArgumentInRange(argument="limit", minimum=1.5, maximum=9.5), "search", "limit"
    )
    assert between == {"type": "integer", "minimum": 2, "maximum": 9}
    url = narrowed_argument(UrlSeenUnvisited(argument="url"), "open_page", "url")
    assert url == {"type": "string", "enum": ["https://a.org/one", "https://a.org/two"]}
    query = narrowed_argument(ArgumentContains(argument="query", terms=("C++ (2011)",)), "search", "query")
    assert query["description"] == "What to look for."
    assert r"C\+\+ \(2011\)" in query["pattern"]
    order = narrowed_argument(ArgumentMatches(argument="query", pattern=r"^W\d{3}$"), "search", "query")
    assert order["pattern"] == "^(?:W[0-9]{3})$"


def test_values_that_are_listed_are_left_out_one_by_one() -> None:
    for check in (
        ArgumentContains(argument="unit", terms=("metric",)),
        ArgumentMatches(argument="unit", pattern="(?i)^MET"),
        ArgumentEquals(argument="unit", value="metric"),
    ):
        assert narrowed_argument(check, "weather", "unit")["enum"] == ["metric"]
        assert narrowed_argument(check, "weather", "unit", polarity="forbid")["enum"] == ["imperial"]
    detailed = ArgumentEquals(argument="detailed", value=True)
    assert narrowed_argument(detailed, "weather", "detailed", polarity="forbid")["enum"] == [False]


def test_a_nested_argument_is_narrowed_where_it_stands() -> None:
    inner = {"type": "object", "properties": {"year": {"type": "integer"}}, "additionalProperties": False}
    state = State.start("?", tools=(tool("find", filter=inner),))
    found = made(hard(ArgumentEquals(argument="filter.year", value=1990)), state=state)
    assert found.tools["find"]["properties"]["filter"]["properties"]["year"]["enum"] == [1990]


def test_what_was_called_with_listed_values_is_not_called_again() -> None:
    pick = tool("pick", unit={"enum": ["metric", "imperial"]})
    rest = tool("rest")
    state = State.start("?", tools=(pick, rest))
    for call in (ToolCall(name="pick", arguments={"unit": "metric"}), ToolCall(name="rest")):
        state = state.after(Step(call=call, observation=Observation(text="done")))
    found = made(hard(NotRepeat()), state=state)
    assert set(found.tools) == {"pick"}
    assert found.tools["pick"]["properties"]["unit"]["enum"] == ["imperial"]


def test_an_optional_argument_that_must_differ_becomes_required() -> None:
    pick = tool("pick", required=(), unit={"enum": ["metric", "imperial"]})
    state = State.start("?", tools=(pick,))
    state = state.after(Step(call=ToolCall(name="pick"), observation=Observation(text="done")))
    assert made(hard(NotRepeat()), state=state).tools["pick"]["required"] == ["unit"]


def test_an_optional_argument_without_a_good_value_is_left_out() -> None:
    state = State.start("?", tools=(tool("find", text=TEXT, unit={"enum": ["a", "b"]}),))
    found = made(hard(ArgumentEquals(argument="unit", value="c")), state=state)
    assert set(found.tools["find"]["properties"]) == {"text"}


# --- what is not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criterion", "reason"),
    [
        (hard(ToolIs(tools=("search",)), kind="process"), "no hard criterion"),
        (hard(ToolIs(tools=("search",)), visibility="judge_only"), "must not see"),
        (hard(AnswerObserved()), "cannot be held to answer_observed"),
        (hard(HasProvenance(argument="url")), "has_provenance"),
        (hard(NotRepeat()), "`search` has several arguments"),
        (
            hard(ArgumentContains(argument="query", terms=("x",)), polarity="forbid"),
            "what a free value is not",
        ),
        (hard(ArgumentContains(argument="query", terms=('say "x"',))), "no pattern"),
        (hard(ArgumentMatches(argument="query", pattern="(?i)^x")), "no pattern"),
        (hard(ArgumentMatches(argument="query", pattern=r"\bx")), "no pattern"),
        (hard(ArgumentInRange(argument="query", minimum=1)), "not said to be a number"),
        (hard(ArgumentContains(argument="limit", terms=("5",))), "not said to be a text"),
        (hard(ArgumentEquals(argument="nowhere", value=1)), "no tool that may be called"),
        (hard(ArgumentContains(terms=("x",))), "argument_contains"),
    ],
)
def test_what_cannot_be_held_is_left_to_the_checks_with_a_reason(criterion: Criterion, reason: str) -> None:
    found = constraint(Rubric(criteria=(criterion,)), STATE)
    assert found.constraint is None
    assert reason in found.reason


def test_a_veto_constrains_and_a_dependent_criterion_does_not() -> None:
    found = made(
        hard(ToolIs(tools=("search",)), kind="process", veto=True),
        hard(ArgumentEquals(argument="limit", value=1), name="c2", depends_on=("c1",)),
        hard(AnswerObserved(), name="c3"),
    )
    assert found.criteria == ("c1",)
    assert set(found.excluded) == {"c2", "c3"}


@pytest.mark.parametrize(
    ("checks", "reason"),
    [
        ((ToolIs(tools=("search",)), Stops()), "contradict"),
        ((Stops(), DoesNotStop()), "contradict"),
        ((ToolIs(tools=("nothing",)),), "no tool"),
        ((ToolIs(tools=("search",)), ToolIsNot(tools=("search",))), "no tool"),
        (
            (
                ToolIs(tools=("open_page",)),
                ArgumentEquals(argument="url", value="https://a.org/one"),
                ArgumentEquals(argument="url", value="https://a.org/two"),
            ),
            "no tool",
        ),
        ((ToolIs(tools=("weather",)), ArgumentEquals(argument="unit", value="kelvin")), "no tool"),
    ],
)
def test_a_contradiction_gives_no_constraint_but_a_reason(checks: tuple[Check, ...], reason: str) -> None:
    criteria = tuple(hard(check, name=f"c{at}") for at, check in enumerate(checks))
    found = constraint(Rubric(criteria=criteria), STATE)
    assert found.constraint is None
    assert reason in found.reason


def test_a_second_pattern_for_an_argument_is_left_to_its_check() -> None:
    both = [
        hard(ArgumentContains(argument="query", terms=(term,)), name=name)
        for name, term in (("c1", "one"), ("c2", "two"))
    ]
    found = made(*both)
    assert (found.criteria, set(found.excluded)) == (("c1",), {"c2"})


def test_listing_comes_before_patterns_whatever_their_order() -> None:
    contains = hard(ArgumentContains(argument="query", terms=("one",)), name="c1")
    equals = hard(ArgumentEquals(argument="query", value="number one"), name="c2")
    found = made(contains, equals)
    assert set(found.criteria) == {"c1", "c2"}
    assert found.tools["search"]["properties"]["query"]["enum"] == ["number one"]


# --- soundness ------------------------------------------------------------------------------------


def _re2_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    if isinstance(instance, str) and re2.search(pattern, instance) is None:
        yield ValidationError("no match")


Validator = extend(Draft202012Validator, {"pattern": _re2_pattern})  # type: ignore[no-untyped-call]

WORDS = st.sampled_from(["Marie", "marie", "Curie", "curie", "MARIE", "x", "a.b", "2011", "Ü", "居里", "é"])
QUERIES = st.one_of(
    st.lists(WORDS, max_size=5).map(" ".join),
    st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=5).map("".join),
    st.text(max_size=12),
)
TERMS = st.lists(
    st.sampled_from(["Marie", "Curie", "Marie Curie", "C++", "Ü", "居里", "2011"]),
    min_size=1,
    max_size=3,
    unique=True,
)
BOUNDS = st.one_of(st.none(), st.integers(-5, 15), st.floats(-5, 15))
CHECKS = st.one_of(
    st.builds(
        ArgumentContains, argument=st.just("query"), terms=TERMS.map(tuple), at_least=st.integers(1, 3)
    ),
    st.builds(ArgumentEquals, argument=st.just("query"), value=QUERIES),
    st.builds(
        ArgumentEquals, argument=st.just("limit"), value=st.one_of(st.integers(-2, 12), st.text(max_size=2))
    ),
    st.builds(ArgumentInRange, argument=st.sampled_from(["limit", "share"]), minimum=BOUNDS, maximum=BOUNDS),
    st.builds(
        ArgumentMatches,
        argument=st.sampled_from(["query", "unit"]),
        pattern=st.sampled_from(
            ["^Marie", "Curie$", r"\d{4}", "^[A-Z][a-z]+$", "Marie|Curie", "(Marie )+Curie", r"a\.b"]
        ),
    ),
    st.builds(ArgumentContains, argument=st.just("unit"), terms=st.just(("metric",))),
    st.builds(ArgumentEquals, argument=st.just("unit"), value=st.sampled_from(["metric", "kelvin"])),
    st.builds(ToolIs, tools=st.sampled_from([("search",), ("weather", "search")])),
    st.builds(ToolIsNot, tools=st.sampled_from([("search",), ("weather",)])),
    st.just(DoesNotStop()),
    st.just(UrlSeenUnvisited(argument="url")),
)
CRITERIA = st.lists(st.tuples(CHECKS, st.sampled_from(["require", "forbid"])), min_size=1, max_size=3)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit the schema of one argument, and some that may not."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    low, high = schema.get("minimum"), schema.get("maximum")
    kinds = {
        "integer": st.integers(low, high),
        "number": st.floats(low, high, allow_nan=False),
        "string": QUERIES,
        "null": st.none(),
    }
    branches = schema.get("anyOf", [schema])
    named = [
        kind for one in branches for kind in ([one["type"]] if isinstance(one["type"], str) else one["type"])
    ]
    return st.one_of(*(kinds[kind] for kind in named), QUERIES)


WIDE = State.start(
    "?",
    tools=(
        tool(
            "search",
            query=TEXT,
            limit={"anyOf": [{"type": "integer"}, {"type": "null"}]},
            share={"type": "number"},
        ),
        tool(
            "weather",
            unit={"enum": ["metric", "imperial"]},
            limit={"type": "integer", "maximum": 9},
            query={"type": ["string", "null"]},
        ),
        tool("open_page", url=TEXT),
    ),
).after(STATE.steps[0])


@settings(max_examples=400)
@given(CRITERIA, st.data())
def test_every_call_that_fits_passes_the_enforced_checks(
    drawn: list[tuple[Check, Any]], data: st.DataObject
) -> None:
    criteria = [hard(check, name=f"c{at}", polarity=polarity) for at, (check, polarity) in enumerate(drawn)]
    found = constraint(Rubric(criteria=tuple(criteria)), WIDE).constraint
    if found is None or not found.tools:
        return
    name = data.draw(st.sampled_from(sorted(found.tools)))
    parameters = found.tools[name]
    given = {argument: fitting(schema) for argument, schema in parameters["properties"].items()}
    optional = {
        argument: given.pop(argument) for argument in list(given) if argument not in parameters["required"]
    }
    arguments = data.draw(st.fixed_dictionaries(given, optional=optional))
    if not Validator(parameters).is_valid(arguments):
        return
    enforced = Rubric(criteria=tuple(one for one in criteria if one.id in found.criteria))
    verdicts = run_checks(enforced, Action(call=ToolCall(name=name, arguments=arguments)), WIDE).decided
    assert {verdict.status for verdict in verdicts} <= {"met", "not_applicable"}


@given(TERMS, st.integers(1, 3), st.data())
def test_whatever_fits_a_pattern_of_terms_contains_as_many_of_them(
    terms: list[str], at_least: int, data: st.DataObject
) -> None:
    check = ArgumentContains(argument="query", terms=tuple(terms), at_least=at_least)
    pattern = made(hard(check)).tools["search"]["properties"]["query"]["pattern"]
    query = data.draw(st.from_regex(pattern, fullmatch=True))
    action = Action(call=ToolCall(name="search", arguments={"query": query}))
    assert check.evaluate(action, STATE).status == "met"


@given(TERMS, st.integers(1, 3), st.lists(WORDS, max_size=2), st.lists(WORDS, max_size=2))
def test_a_query_made_of_the_terms_fits(
    terms: list[str], at_least: int, before: list[str], after: list[str]
) -> None:
    check = ArgumentContains(argument="query", terms=tuple(terms), at_least=at_least)
    parameters = made(hard(check)).tools["search"]
    query = " ".join([*before, *terms, *after])
    assert Validator(parameters).is_valid({"query": query})


@given(
    st.sampled_from([r"^W\d+$", "ab|cd", "(a|b)c", "^x", "y$", "[a-f0-9]{2}", r"1\.5"]),
    st.text("abcdWxy0159.", max_size=6),
)
def test_a_portable_pattern_means_what_it_meant(pattern: str, text: str) -> None:
    written = portable(pattern, char='[^"]', around=80)
    assert written is not None
    assert (re2.search(written, text) is not None) == (re2.search(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", r"\w", r"\bx", "[^a]", "a|b$", "^a|b", "[[:alpha:]]", "a*?", 'a"', ".", r"\s", "", "a^b"],
)
def test_a_pattern_that_readers_take_differently_is_not_portable(pattern: str) -> None:
    assert portable(pattern, char="[a]", around=1) is None


# --- requests -------------------------------------------------------------------------------------


def test_openai_gets_the_narrowed_tools_and_the_choice() -> None:
    request = openai_request(
        made(hard(ToolIs(tools=("open_page",))), hard(UrlSeenUnvisited(argument="url"), name="c2")), TOOLS
    )
    assert request["tool_choice"] == {"type": "function", "function": {"name": "open_page"}}
    (function,) = (one["function"] for one in request["tools"])
    assert function["strict"] is True
    assert function["parameters"]["properties"]["url"]["enum"] == ["https://a.org/one", "https://a.org/two"]


def test_openai_is_not_asked_to_be_strict_where_it_would_refuse() -> None:
    (function,) = (
        one["function"] for one in openai_request(made(hard(ToolIs(tools=("search",)))), TOOLS)["tools"]
    )
    assert "strict" not in function  # `limit` may be left out


def test_openai_keeps_the_tools_where_an_answer_is_due() -> None:
    request = openai_request(made(hard(Stops())), TOOLS)
    assert (request["tool_choice"], len(request["tools"])) == ("none", 3)
    assert "tool_choice" not in openai_request(made(hard(ToolIsNot(tools=("search",)))), TOOLS)


@pytest.mark.parametrize(
    ("checks", "reply", "fits"),
    [
        ((ToolIs(tools=("search",)),), {"tool": "search", "arguments": {"query": "a"}}, True),
        ((ToolIs(tools=("search",)),), {"tool": "open_page", "arguments": {"url": "a"}}, False),
        ((ToolIs(tools=("search",)),), {"answer": "a"}, False),
        ((ToolIsNot(tools=("search",)),), {"answer": "a"}, True),
        ((Stops(),), {"answer": "a"}, True),
        ((Stops(),), {"answer": ""}, False),
        ((Stops(),), {"tool": "open_page", "arguments": {"url": "a"}}, False),
    ],
)
def test_the_schema_of_a_reply(checks: tuple[Check, ...], reply: dict[str, Any], fits: bool) -> None:
    found = made(*(hard(check, name=f"c{at}") for at, check in enumerate(checks)))
    assert Validator(reply_schema(found)).is_valid(reply) == fits
    assert vllm_request(found) == {"structured_outputs": {"json": reply_schema(found)}}
    assert llama_cpp_request(found)["response_format"]["json_schema"]["schema"] == reply_schema(found)


def test_references_inside_of_a_tool_still_lead_where_they_did() -> None:
    parameters = {
        "type": "object",
        "properties": {"start": {"$ref": "#/$defs/Stop"}, "by": {"enum": ["train", "bus"]}},
        "required": ["start", "by"],
        "$defs": {"Stop": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}},
    }
    state = State.start("?", tools=(ToolContract(name="a/b", parameters=parameters),))
    schema = reply_schema(made(hard(ArgumentEquals(argument="by", value="bus")), state=state))
    json.dumps(schema)
    good = {"tool": "a/b", "arguments": {"start": {"name": "x"}, "by": "bus"}}
    assert Validator(schema).is_valid(good)
    assert not Validator(schema).is_valid({"tool": "a/b", "arguments": {"start": {}, "by": "bus"}})
    assert not Validator(schema).is_valid(
        {"tool": "a/b", "arguments": {"start": {"name": "x"}, "by": "train"}}
    )
