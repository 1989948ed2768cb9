"""What every executable condition says, that it says it twice, and that nothing makes it raise."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import coreact.rubric.checks.predicates as module
from coreact.errors import ConfigError, ToolSchemaError
from coreact.rubric import (
    CHECK_KINDS,
    Action,
    AnswerCitesObserved,
    AnswerObserved,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    ArgumentsFitSchema,
    Check,
    DoesNotStop,
    Finding,
    HasProvenance,
    NotRepeat,
    Observation,
    PredicateHolds,
    QuoteInObservation,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UnknownCheck,
    UrlSeenUnvisited,
    register_predicate,
    schema_problem,
)
from coreact.rubric.checks import AnswerFitsSchema, ArgumentsHaveProvenance
from coreact.rubric.checks.provenance import MAX_PIECES, MAX_VALUES

QUERY = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "page": {"type": "integer", "minimum": 1},
        "lang": {"enum": ["en", "de"]},
    },
    "required": ["query"],
    "additionalProperties": False,
}
SEARCH = ToolContract(name="search", parameters=QUERY, role="search", read_only=True)
OPEN = ToolContract(
    name="open",
    parameters={"type": "object", "properties": {"url": {"type": "string"}}},
    role="read",
    read_only=True,
)
WRITE = ToolContract(name="write", role=None, read_only=False)
POLL = ToolContract(name="poll")
TOOLS = (SEARCH, OPEN, WRITE, POLL)


def act(name: str, /, **arguments: Any) -> Action:
    return Action(call=ToolCall(name=name, arguments=arguments))


def took(text: str | None, name: str, /, *, failed: bool = False, **arguments: Any) -> Step:
    seen = None if text is None else Observation(text=text, failed=failed, id="m1")
    return Step(call=ToolCall(name=name, arguments=arguments, id="call-1"), observation=seen)


BEFORE = State.start(
    "Who wrote Faust? See https://faust.org/book", tools=TOOLS, given=("Be brief, agent 47X.",)
)
STATE = BEFORE.after(
    took(
        "Goethe wrote Faust.\nSource:  https://goethe.org/a_(b). Order AB-1234; doc://7",
        "search",
        query="Faust author",
    ),
    took("About the café", "open", url="https://faust.org/book"),
    took("timeout", "search", failed=True, query="Goethe"),
)
ANSWER = Action(answer="Goethe")

GOLDEN: list[tuple[Any, Action, str, str]] = [
    (ToolIs(tools=("search",)), act("search"), "met", "calls `search`"),
    (ToolIs(tools=("search",)), act("open"), "unmet", "calls `open`, not `search`"),
    (ToolIs(tools=("a", "b", "c")), ANSWER, "unmet", "an answer, not a call of `a`, `b` or `c`"),
    (ToolIs(tools=("search",)), act("Search"), "unmet", "`Search`"),
    (ToolIsNot(tools=("write",)), act("write"), "unmet", "calls `write`"),
    (ToolIsNot(tools=("write",)), act("open"), "met", "does not call `write`"),
    (ToolIsNot(tools=("write",)), ANSWER, "met", "does not call"),
    (ArgumentContains(argument="q", terms=("Faust",)), act("s", q="who wrote FAUST?"), "met", '"Faust"'),
    (ArgumentContains(argument="q", terms=("Faust",)), act("s", q="Faustian"), "unmet", 'lacks "Faust"'),
    (ArgumentContains(argument="q", terms=("a", "b"), at_least=2), act("s", q="b"), "unmet", 'lacks "a"'),
    (ArgumentContains(argument="q", terms=("a", "b"), at_least=9), act("s", q="b a"), "met", '"a", "b"'),
    (ArgumentContains(argument="q", terms=("c",)), act("s", r="c"), "not_applicable", "no `q`"),
    (ArgumentContains(terms=("c",)), act("s", r=["x", {"y": "c"}]), "met", "the arguments"),
    (ArgumentContains(terms=("c",)), act("s", r=3), "not_applicable", "no text argument"),
    (ArgumentContains(argument="q", terms=("c",)), ANSWER, "not_applicable", "no `q`"),
    (ArgumentContains(argument="n", terms=("7",)), act("s", n={"x": 7}), "met", '"7"'),
    (ArgumentContains(argument="q", terms=("北京",)), act("s", q="我在北京"), "met", "北京"),
    (ArgumentEquals(argument="f.year", value=1808), act("s", f={"year": 1808.0}), "met", "1808"),
    (ArgumentEquals(argument="f.year", value=1808), act("s", f={"year": "1808"}), "unmet", "not"),
    (ArgumentEquals(argument="f.year", value=1), act("s", f=[1]), "not_applicable", "no `f.year`"),
    (ArgumentEquals(argument="b", value=True), act("s", b=1), "unmet", '"1", not "true"'),
    (ArgumentEquals(argument="b", value=None), act("s", b=None), "met", "null"),
    (ArgumentEquals(argument="b", value=math.nan), act("s", b=math.nan), "met", "NaN"),
    (ArgumentEquals(argument="b", value={"x": 1, "y": 2}), act("s", b={"y": 2, "x": 1}), "met", "is"),
    (ArgumentMatches(argument="d", pattern=r"^\d{4}$"), act("s", d="1808"), "met", "matches"),
    (ArgumentMatches(argument="d", pattern=r"^\d{4}$"), act("s", d="18081"), "unmet", "does not match"),
    (ArgumentMatches(argument="d", pattern=r"\d"), act("s", d=7), "met", "matches"),
    (ArgumentMatches(argument="d", pattern="x"), act("s", d="\ud800x"), "met", "matches"),
    (ArgumentMatches(argument="d", pattern="x"), act("s"), "not_applicable", "no `d`"),
    (ArgumentInRange(argument="n", minimum=1, maximum=3), act("s", n=3), "met", '"3"'),
    (ArgumentInRange(argument="n", minimum=1, maximum=3), act("s", n=3.01), "unmet", '"3.01"'),
    (ArgumentInRange(argument="n", minimum=1), act("s", n=0), "unmet", '"0"'),
    (ArgumentInRange(argument="n", minimum=1), act("s", n=True), "unmet", "not a number"),
    (ArgumentInRange(argument="n", minimum=1), act("s", n="2"), "unmet", "not a number"),
    (ArgumentInRange(argument="n", minimum=1), act("s", n=math.nan), "unmet", "NaN"),
    (ArgumentInRange(argument="n", minimum=1), ANSWER, "not_applicable", "no `n`"),
    (ArgumentsFitSchema(), act("search", query="a", page=1), "met", "fit the schema"),
    (ArgumentsFitSchema(), act("search", query=3), "unmet", "query: 3 is not of type 'string'"),
    (ArgumentsFitSchema(), act("search"), "unmet", "'query' is a required property"),
    (ArgumentsFitSchema(), act("search", query="a", size=1), "unmet", "'size' was unexpected"),
    (ArgumentsFitSchema(), act("search", query="a", page=0), "unmet", "page: 0 is less than the minimum"),
    (ArgumentsFitSchema(), act("serch", query="a"), "unmet", "no tool `serch`; there is `search`, `open`"),
    (
        ArgumentsFitSchema(),
        Action(call=ToolCall(name="search", malformed="line 1")),
        "unmet",
        'valid JSON: "line 1"',
    ),
    (ArgumentsFitSchema(), ANSWER, "not_applicable", "answer"),
    (HasProvenance(argument="i"), act("s", i="ab-1234"), "met", "stands in"),
    (HasProvenance(argument="i"), act("s", i="47X"), "met", "stands in"),
    (HasProvenance(argument="i"), act("s", i="AB-9999"), "unmet", '"AB-9999", which stands in neither'),
    (HasProvenance(argument="i"), act("s", i=["AB-1234", "AB-12"]), "unmet", '"AB-12"'),
    (HasProvenance(argument="i"), act("s", i=1234), "met", "stands"),
    (HasProvenance(argument="i"), act("s", i=4321), "unmet", "4321"),
    (HasProvenance(argument="i"), act("s", i="https://GOETHE.org/a_(b)/"), "met", "stands"),
    (HasProvenance(argument="i"), act("s", i="https://goethe.org"), "unmet", "neither"),
    (HasProvenance(argument="i"), act("s", i="doc://7"), "met", "stands"),
    (HasProvenance(argument="i"), act("s", i="doc://8"), "unmet", "neither"),
    (HasProvenance(argument="i"), act("s", i="de"), "not_applicable", "too short"),
    (HasProvenance(argument="i"), act("s", i=[]), "not_applicable", "too short"),
    (HasProvenance(argument="i"), act("s", i=True), "not_applicable", "names nothing"),
    (HasProvenance(argument="i"), act("s", i={"a": "b"}), "not_applicable", "names nothing"),
    (HasProvenance(argument="i"), ANSWER, "not_applicable", "no `i`"),
    (ArgumentsHaveProvenance(), act("write", order="AB-1234", agent="47X"), "met", "every argument"),
    (ArgumentsHaveProvenance(), act("write", order="AB-9999"), "unmet", '`order` holds "AB-9999"'),
    (ArgumentsHaveProvenance(), act("write"), "not_applicable", "no argument needs a source"),
    (ArgumentsHaveProvenance(), ANSWER, "not_applicable", "the action is an answer"),
    (UrlSeenUnvisited(argument="url"), act("open", url="https://goethe.org/a_(b)"), "met", "not opened yet"),
    (
        UrlSeenUnvisited(argument="url"),
        act("open", url="HTTPS://Faust.org/book/#x"),
        "unmet",
        "opened before",
    ),
    (UrlSeenUnvisited(argument="url"), act("open", url="https://goethe.org"), "unmet", "stood nowhere"),
    (UrlSeenUnvisited(argument="url"), act("open", url="goethe"), "not_applicable", "no web address"),
    (UrlSeenUnvisited(argument="url"), act("open", url="doc://7"), "not_applicable", "no web address"),
    (UrlSeenUnvisited(argument="url"), act("open", url=7), "not_applicable", "no web address"),
    (UrlSeenUnvisited(argument="url"), ANSWER, "not_applicable", "no `url`"),
    (NotRepeat(), act("search", query="Faust author"), "unmet", "already called"),
    (NotRepeat(), act("search", query="Faust date"), "met", "new"),
    (NotRepeat(), ANSWER, "not_applicable", "answer"),
    (Stops(), ANSWER, "met", "answers"),
    (Stops(), Action(answer=" \n"), "unmet", "empty"),
    (Stops(), act("search"), "unmet", "calls `search` instead"),
    (DoesNotStop(), ANSWER, "unmet", "answers"),
    (DoesNotStop(), act("search"), "met", "calls `search`"),
    (AnswerCitesObserved(), Action(answer="See [a](https://goethe.org/a_(b))."), "met", "all 1"),
    (
        AnswerCitesObserved(),
        Action(answer="https://goethe.org/a_(b) https://x.org"),
        "unmet",
        "https://x.org",
    ),
    (AnswerCitesObserved(), ANSWER, "not_applicable", "cites no address"),
    (AnswerCitesObserved(), act("search"), "not_applicable", "no answer"),
    (AnswerObserved(), Action(answer="The café, I think."), "met", "cafe"),
    (AnswerObserved(), Action(answer="It was Hamlet, 1603."), "unmet", "hamlet 1603"),
    (AnswerObserved(), Action(answer="yes"), "not_applicable", "looked up"),
    (AnswerObserved(), act("search"), "not_applicable", "no answer"),
    (AnswerFitsSchema(json_schema={"type": "string"}), ANSWER, "met", "the expected form"),
    (AnswerFitsSchema(json_schema={"type": "integer"}), ANSWER, "unmet", "not of type 'integer'"),
    (AnswerFitsSchema(json_schema={}), act("search"), "not_applicable", "no answer"),
    (QuoteInObservation(quote="wrote\n Faust. Source: https"), ANSWER, "met", "stands in an observation"),
    (QuoteInObservation(quote="cafe\u0301"), ANSWER, "met", "stands"),
    (QuoteInObservation(quote="cafe"), ANSWER, "unmet", "no such observation"),
    (QuoteInObservation(quote="goethe WROTE"), ANSWER, "unmet", "no such observation"),
    (QuoteInObservation(quote="Who wrote Faust"), ANSWER, "unmet", "no such"),
    (QuoteInObservation(quote="Faust", observation="m1"), ANSWER, "met", "stands"),
    (QuoteInObservation(quote="Faust", observation="call-1"), ANSWER, "met", "stands"),
    (QuoteInObservation(quote="Faust", observation="m9"), ANSWER, "unknown", 'no observation "m9"'),
    (PredicateHolds(name="nobody.knows"), ANSWER, "unknown", "no predicate named 'nobody.knows'"),
    (UnknownCheck(kind="later"), ANSWER, "unknown", "no check of kind 'later'"),
]


@pytest.mark.parametrize(
    ("check", "action", "status", "words"), GOLDEN, ids=lambda v: getattr(v, "kind", None)
)
def test_findings(check: Any, action: Action, status: str, words: str) -> None:
    finding = check.evaluate(action, STATE)
    assert (finding.status, words in finding.reason) == (status, True), finding.reason
    broken = isinstance(check, PredicateHolds | UnknownCheck)
    assert finding.fault == ("instrument" if broken else "none")


def test_every_kind_is_in_the_golden_table_and_in_the_union() -> None:
    assert {check.kind for check, *_ in GOLDEN} == {*CHECK_KINDS, "later"}
    for check, *_ in GOLDEN:
        stored = check.model_dump(mode="json")
        assert stored["kind"] == check.kind
        if not (isinstance(check, ArgumentEquals) and check.value != check.value):
            assert TypeAdapter(Check).validate_json(check.model_dump_json()) == check


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (ToolIs(tools=("a",)), "Call `a`."),
        (ToolIs(tools=("a", "b")), "Call `a` or `b`."),
        (ToolIsNot(tools=("a", "b", "c")), "Do not call `a`, `b` or `c`."),
        (ArgumentContains(argument="q", terms=("x",)), 'Put "x" into `q`.'),
        (ArgumentContains(terms=("x", "y")), 'Put "x" into the arguments, or else "y".'),
        (ArgumentContains(argument="q", terms=("x", "y"), at_least=2), 'Put "x" and "y" into `q`.'),
        (
            ArgumentContains(argument="q", terms=("x", "y", "z"), at_least=2),
            'Put at least 2 of "x", "y", "z" into `q`.',
        ),
        (ArgumentEquals(argument="a.b", value=[1, None]), 'Set `a.b` to "[1, null]".'),
        (ArgumentMatches(argument="d", pattern=r"\d+"), 'Make `d` match "\\d+".'),
        (ArgumentInRange(argument="n", minimum=1), "Keep `n` at least 1.0."),
        (ArgumentInRange(argument="n", maximum=2.5), "Keep `n` at most 2.5."),
        (ArgumentInRange(argument="n", minimum=1, maximum=2), "Keep `n` between 1.0 and 2.0."),
        (ArgumentInRange(argument="n"), "Make `n` a number."),
        (ArgumentsFitSchema(), "Call a tool that exists, with arguments that fit its schema."),
        (HasProvenance(argument="i"), "Take `i` from the question or from an observation; invent nothing."),
        (
            ArgumentsHaveProvenance(),
            "Take every argument from the question or from an observation; invent nothing.",
        ),
        (UrlSeenUnvisited(argument="u"), "Open an address that was seen and not opened yet."),
        (NotRepeat(), "Do not repeat a call that was already made; ask for something new."),
        (Stops(), "Give the final answer now."),
        (DoesNotStop(), "Do not answer yet; call a tool."),
        (AnswerCitesObserved(), "Cite only addresses that were observed."),
        (AnswerObserved(), "Answer with what an observation says."),
        (
            AnswerFitsSchema(json_schema={"type": "object", "required": ["é"]}),
            'When you answer, fit this JSON schema: {"required": ["é"], "type": "object"}',
        ),
        (QuoteInObservation(quote="a\nb"), 'Rest on an observation that says "a b".'),
        (PredicateHolds(name="nobody.knows"), "Satisfy 'nobody.knows'."),
        (UnknownCheck(kind="later"), "Satisfy a condition of kind 'later'."),
    ],
    ids=lambda v: getattr(v, "kind", None),
)
def test_sentences_for_the_agent(check: Any, sentence: str) -> None:
    assert check.explain() == sentence


def test_long_values_are_cut_in_reasons() -> None:
    finding = ArgumentEquals(argument="a", value=1).evaluate(act("s", a="x" * 5000), STATE)
    assert len(finding.reason) < 150
    assert "…" in finding.reason
    assert len(ArgumentsFitSchema().evaluate(act("search", query=["x" * 5000]), STATE).reason) < 300


# --- totality and purity ---------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ["Faust", "https://faust.org/book", "https://[", "doc://7", "Goethe wrote", "1808"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.builds(lambda: 10**5000)
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT, inner, max_size=3)
        | st.dictionaries(st.tuples(st.integers()), inner, max_size=1)
        | st.tuples(inner)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["search", "open", "write", "poll", "none", ""])
CALLS = st.builds(
    ToolCall,
    name=NAMES,
    arguments=st.dictionaries(st.sampled_from(["query", "url", "n", "a.b", "a"]) | TEXT, VALUES, max_size=3),
    malformed=st.none() | TEXT,
)
ANSWERS = TEXT | st.sampled_from(["[" * 900 + "]" * 900, "[" * 5000, "1e400", "1" * 5000, '{"a": NaN}'])
ACTIONS = st.builds(Action, call=CALLS) | st.builds(Action, answer=ANSWERS)
STEPS = st.builds(
    Step, call=CALLS, observation=st.none() | st.builds(Observation, text=TEXT, failed=st.booleans(), id=TEXT)
)
SCHEMAS = st.sampled_from(
    [
        QUERY,
        {},
        {"type": 5},
        {"$ref": "#"},
        {"$ref": "http://127.0.0.1:9/never.json"},
        {"properties": {"n": {"multipleOf": 0.1}}},
        {"properties": {"query": {"$ref": "#/$defs/none"}}},
        {"$schema": ["no"]},
        {"properties": {"query": {"pattern": "["}}},
        {"$id": "http://[", "properties": {"n": {"$ref": "x"}}},
        {"required": "query"},
    ]
)
STATES = st.builds(
    lambda question, schema, steps: State.start(
        question, tools=(SEARCH.model_copy(update={"parameters": schema}), OPEN, WRITE, POLL)
    ).after(*steps),
    TEXT,
    SCHEMAS,
    st.lists(STEPS, max_size=4),
)
ARGUMENT = st.sampled_from(["", "query", "n", "a.b", ".", "url"])
WORD = st.text(min_size=1, max_size=8)
BOUND = st.none() | st.floats()
CHECKS = st.one_of(
    st.builds(ToolIs, tools=st.tuples(WORD)),
    st.builds(ToolIsNot, tools=st.tuples(WORD, WORD)),
    st.builds(ArgumentContains, argument=ARGUMENT, terms=st.tuples(WORD, WORD), at_least=st.integers(1, 3)),
    st.builds(ArgumentEquals, argument=ARGUMENT, value=VALUES),
    st.builds(
        ArgumentMatches, argument=ARGUMENT, pattern=st.sampled_from(["", "a|b", r"\p{Han}+", "(x+x+)+y"])
    ),
    st.builds(ArgumentInRange, argument=ARGUMENT, minimum=BOUND, maximum=BOUND),
    st.builds(HasProvenance, argument=ARGUMENT),
    st.builds(UrlSeenUnvisited, argument=ARGUMENT),
    st.builds(NotRepeat, similarity=st.floats(0.01, 1)),
    st.builds(QuoteInObservation, quote=WORD.filter(str.strip), observation=st.just("") | WORD),
    st.builds(PredicateHolds, name=st.just("missing")),
    st.builds(
        AnswerFitsSchema,
        json_schema=st.sampled_from(
            [
                {},
                {"type": "array", "items": {"$ref": "#"}},
                {"multipleOf": 0.1},
                {"$ref": "#"},
                {"pattern": "a"},
            ]
        ),
    ),
    st.sampled_from(
        [
            ArgumentsFitSchema(),
            ArgumentsHaveProvenance(),
            Stops(),
            DoesNotStop(),
            AnswerCitesObserved(),
            AnswerObserved(),
            UnknownCheck(kind="x"),
        ]
    ),
)


@settings(max_examples=400)
@given(CHECKS, ACTIONS, STATES)
def test_checks_never_raise_and_say_the_same_twice(check: Any, action: Action, state: State) -> None:
    first = check.evaluate(action, state)
    assert check.evaluate(action, state) == first
    assert first.status in ("met", "unmet", "not_applicable", "unknown")
    assert first.reason
    assert check.explain()


def test_nesting_deeper_than_the_stack_is_no_error() -> None:
    deep: Any = "Faust"
    for _ in range(3000):
        deep = [deep]
    action = act("search", query=deep)
    state = STATE.after(Step(call=action.call or ToolCall(name=""), observation=Observation(text="x")))
    for check, *_ in GOLDEN:
        named = check.model_copy(update={"argument": "query"}) if hasattr(check, "argument") else check
        assert named.evaluate(action, state) == named.evaluate(action, state)
    assert NotRepeat().evaluate(action, state).status == "unmet"


@pytest.mark.timeout(20)
def test_patterns_that_backtrack_elsewhere_stay_fast() -> None:
    text = "a" * 100_000 + "!"
    started = time.perf_counter()
    for pattern in ("(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){12}$"):
        ArgumentMatches(argument="q", pattern=pattern).evaluate(act("s", q=text), STATE)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("pattern", ["(", "a{9999}", "(?=a)", r"\1", "x" * 1001, "\ud800"])
def test_patterns_that_re2_does_not_know_are_refused_early(pattern: str) -> None:
    with pytest.raises(ValidationError):
        ArgumentMatches(argument="q", pattern=pattern)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ToolIs(tools=()),
        lambda: ArgumentContains(terms=()),
        lambda: ArgumentContains(terms=("a",), at_least=0),
        lambda: NotRepeat(similarity=0),
        lambda: NotRepeat(similarity=1.01),
        lambda: QuoteInObservation(quote=""),
        lambda: QuoteInObservation(quote=" \n"),
    ],
)
def test_checks_that_could_mean_nothing_are_refused(build: Any) -> None:
    with pytest.raises(ValidationError):
        build()


# --- tool schemas ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "strin"},
        {"type": 5},
        {"required": "query"},
        {"properties": {"query": {"pattern": "["}}},
        {"properties": {"query": {"$ref": "#/$defs/none"}}},
        {"properties": {"query": {"$ref": "https://127.0.0.1:9/schema.json"}}},
        {"$ref": "https://example.org/schema.json"},
        {"$ref": "#"},
        {"$schema": ["no"]},
        {"properties": {"query": {"type": "string", "minLength": "1"}}},
    ],
)
def test_a_broken_schema_is_the_instruments_fault(parameters: dict[str, Any]) -> None:
    tool = SEARCH.model_copy(update={"parameters": parameters})
    finding = ArgumentsFitSchema().evaluate(act("search", query="a"), State.start("q", tools=(tool,)))
    assert (finding.status, finding.fault) == ("unknown", "instrument")
    assert "JSON schema of tool 'search' is broken" in finding.reason
    with pytest.raises(ToolSchemaError) as caught:
        schema_problem(tool, {"query": "a"})
    assert caught.value.tool == "search"
    assert caught.value.remedy


def test_a_remote_reference_is_never_fetched(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, *args: Any) -> None:
            pass

    (tmp_path / "schema.json").write_text('{"type": "string"}')
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever).start()
        remote = f"http://127.0.0.1:{server.server_port}/schema.json"
        try:
            for address in (remote, (tmp_path / "schema.json").as_uri()):
                tool = ToolContract(name="t", parameters={"properties": {"a": {"$ref": address}}})
                with pytest.raises(ToolSchemaError, match="Unresolvable"):
                    schema_problem(tool, {"a": "text"})
        finally:
            server.shutdown()
    assert asked == []


def test_references_inside_the_schema_and_old_drafts_work() -> None:
    inside = ToolContract(
        name="t", parameters={"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    )
    assert schema_problem(inside, {"a": 1}) is None
    assert schema_problem(inside, {"a": "1"}) == "a: '1' is not of type 'integer'"
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}},
    }
    assert schema_problem(ToolContract(name="t", parameters=old), {"a": 1}) is not None
    assert schema_problem(ToolContract(name="t"), {"anything": [1]}) is None


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 10**400, 10**5000], ids=range(5))
def test_numbers_that_json_does_not_know_are_the_models_fault(number: float) -> None:
    tool = ToolContract(name="t", parameters={"properties": {"n": {"multipleOf": 0.1}}})
    finding = ArgumentsFitSchema().evaluate(act("t", n=number), State.start("q", tools=(tool,)))
    assert (finding.status, finding.fault) == ("unmet", "none")


def test_the_first_problem_by_place_is_named() -> None:
    problem = schema_problem(SEARCH, {"query": 1, "page": 0, "lang": "fr"})
    assert problem is not None
    assert problem.startswith("lang: 'fr' is not one of")


# --- provenance of every argument ------------------------------------------------------------

BOOKING = ToolContract(
    name="book",
    parameters={
        "$defs": {"Class": {"enum": ["economy", "business"]}},
        "properties": {
            "seat": {"anyOf": [{"$ref": "#/$defs/Class"}, {"type": "null"}]},
            "currency": {"type": "string", "default": "EURO"},
            "plan": {"properties": {"mode": {"const": "single"}, "limit": {"default": 250}}},
            "loop": {"$ref": "#/properties/loop"},
            "lost": {"$ref": "#/nowhere", "$comment": "see https://x.org"},
        },
    },
)
CALC = ToolContract(
    name="calc",
    role="compute",
    parameters={"properties": {"formula": {"type": "string"}}, "required": ["formula"]},
)
BOOKED = State.start(
    "Book Ada Byron on flight HAT-117 for 1,234.50 euros. See https://fly.org/a",
    tools=(*TOOLS, BOOKING, CALC),
    given=("Today is May 15, 2024.",),
).after(
    took("No user eve_9 was found; try ada_42.", "find", failed=True, user="eve_9"),
    took('{"first": "Grace", "last": "Hopper", "total": 99.5, "zip": 19122, "name": "上海交通大学"}', "find"),
    took("You searched for Bob Stone.", "search", query="Bob Stone"),
)


@pytest.mark.parametrize(
    ("action", "strange"),
    [
        # where a value may come from
        (act("book", flight="HAT-117"), None),
        (act("book", date="15 May 2024"), None),
        (act("book", name="Hopper"), None),
        (act("book", seat="economy"), None),
        (act("book", seat=None, ok=True, n=[7, {}]), "n/a"),
        (act("book", currency="EURO", plan={"mode": "single", "limit": 250}), None),
        (act("book", plan={"mode": "double"}), "double"),
        (act("book", limit=250), "250"),
        (act("book", loop="economy", seat="economy"), "economy"),
        (act("book", lost="economy"), "economy"),
        (act("unheard of", seat="economy"), "economy"),
        # names: whole, or piece by piece
        (act("book", name="Grace Hopper"), None),
        (act("book", name="Grace Kelly"), "Kelly"),
        (act("book", name="HOPPER, Grace"), None),
        (act("book", name="上海交通大学"), None),
        (act("book", name="北京交通大学"), "北京交通大学"),
        (act("book", flight="HAT-119"), "HAT-119"),
        (act("book", flight="117-HAT"), "117-HAT"),
        (act("book", people=[{"name": "Ada"}, {"name": "Zoe"}]), "Zoe"),
        (act("book", user="doc://9"), "doc://9"),
        # dates, amounts, numbers
        (act("book", date="2024-05-15"), None),
        (act("book", date="2025-05-15"), "2025-05-15"),
        (act("book", price=1234.5, zip=19122), None),
        (act("book", price=1234), None),
        (act("book", price="99.50"), None),
        (act("book", price="99.51"), "99.51"),
        (act("book", price="1,234.5"), None),
        (act("book", when="05/15"), None),
        (act("book", phone="555-0199"), "555-0199"),
        (act("book", price=99.5), None),
        (act("book", price=-1235), "-1235"),
        (act("book", price=math.inf), "Infinity"),
        (act("book", price=10**5000), "$int"),
        # addresses
        (act("open", url="https://FLY.org/a/"), None),
        (act("open", url="https://fly.org/b"), "https://fly.org/b"),
        (act("book", note="see https://fly.org/b"), "https://fly.org/b"),
        # errors repeat what they were given, other observations confirm it
        (act("book", user="ada_42"), None),
        (act("book", user="eve_9"), "eve_9"),
        (act("book", name="Bob Stone"), None),
        # prose is in the agent's own words
        (act("search", query="birthplace of Lovelace"), None),
        (act("search", query="flight HAT-117 delays in 2031"), "2031"),
        (act("calc", formula="sqrt(1234.50) + 99.5"), None),
        (act("calc", formula="99.5 * 365.25"), "365.25"),
        (act("calc", formula="sqrt(1.5)+hypot(99.5,12)"), "1.5"),
        (act("book", note="Please be so kind as to call me back"), None),
        (act("book", note="Please be so kind as to call 555-0199"), "555-0199"),
        (act("book", note="请尽快给我回电话告诉我航班是否延误谢谢您"), None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_argument_needs_a_source(action: Action, strange: str | None) -> None:
    finding = ArgumentsHaveProvenance().evaluate(action, BOOKED)
    wanted = {None: "met", "n/a": "not_applicable"}.get(strange, "unmet")
    assert finding.status == wanted, finding.reason
    if strange not in (None, "n/a"):
        assert strange in finding.reason


def test_long_arguments_are_looked_up_to_a_bound() -> None:
    known_values = ["HAT-117"] * (MAX_VALUES - 1)
    within, beyond = [*known_values, "HAT-119"], [*known_values, "HAT-117", "HAT-119"]
    assert ArgumentsHaveProvenance().evaluate(act("book", flights=within), BOOKED).status == "unmet"
    assert ArgumentsHaveProvenance().evaluate(act("book", flights=beyond), BOOKED).status == "met"


def test_a_long_text_is_looked_up_piece_by_piece_up_to_a_bound() -> None:
    known = " ".join(f"word HAT-117 {n % 9}" for n in range(100_000))
    assert ArgumentsHaveProvenance().evaluate(act("book", note=known), BOOKED).status == "met"
    many = " ".join(f"x{n}" for n in range(1000, 1000 + MAX_PIECES))
    state = BOOKED.after(took(many, "find"))
    beyond = act("book", note=f"{many} x9999")
    assert ArgumentsHaveProvenance().evaluate(beyond, state).status == "met"
    within = act("book", note=f"x9999 {many}")
    assert ArgumentsHaveProvenance().evaluate(within, state).status == "unmet"


# --- the form of the answer ------------------------------------------------------------------

YEAR = {"type": "string", "pattern": r"^\d{4}$"}
PAIR = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "answer", "status", "words"),
    [
        (YEAR, "1990", "met", "form"),
        (YEAR, '"1990"', "met", "form"),
        (YEAR, '"in 1990"', "unmet", "does not match"),
        (YEAR, "in 1990", "unmet", '"in 1990" does not match'),
        (YEAR, "", "unmet", "does not match"),
        ({"type": "integer"}, "42", "met", "form"),
        ({"type": "integer"}, " 42\n", "met", "form"),
        ({"type": "integer"}, "42.5", "unmet", "'42.5' is not of type"),
        ({"type": "number"}, "NaN", "unmet", "not of type"),
        ({"enum": ["yes", "no"]}, "no", "met", "form"),
        ({"enum": ["yes", "no"]}, "No.", "unmet", "is not one of"),
        (PAIR, '{"a": 1}', "met", "form"),
        (PAIR, '{"a": "1"}', "unmet", "a: '1' is not of type 'integer'"),
        (PAIR, "{}", "unmet", "'a' is a required property"),
        (PAIR, '```json\n{"a": 1}\n```', "unmet", "not of type 'object'"),
        (PAIR, '{"a": 1', "unmet", "not of type 'object'"),
        (PAIR, "北京", "unmet", "北京"),
        ({"type": "array", "items": {"$ref": "#"}}, "[" * 900 + "]" * 900, "unmet", "nested too deep"),
        ({"type": "array"}, "[" * 10**6, "unmet", "[[["),
        ({"multipleOf": 0.5, "type": "number"}, "1" + "0" * 400, "unmet", "10000"),
        ({"items": {"multipleOf": 0.1}, "type": "array"}, f"[{10**400}]", "unmet", "too large"),
        ({"pattern": "(a+)+$"}, "a" * 50 + "!", "unmet", "does not match"),
        ({"properties": {"x": {"pattern": "(a+)+$"}}}, f'{{"x": "{"a" * 50}!"}}', "unmet", "x: "),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
          "properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
         '{"next": {"x": 1}}', "unmet", "next: Additional properties"),
    ],
    ids=range(24),
)  # fmt: skip
def test_the_form_of_an_answer(schema: dict[str, Any], answer: str, status: str, words: str) -> None:
    finding = AnswerFitsSchema(json_schema=schema).evaluate(Action(answer=answer), STATE)
    assert (finding.status, words in finding.reason, finding.fault) == (status, True, "none"), finding.reason
    assert len(finding.reason) < 400


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/$defs/none"}, {"$ref": "http://127.0.0.1:9/a"}]
)
def test_an_answer_schema_that_leads_nowhere_is_the_instruments_fault(schema: dict[str, Any]) -> None:
    finding = AnswerFitsSchema(json_schema=schema).evaluate(ANSWER, STATE)
    assert (finding.status, finding.fault) == ("unknown", "instrument")
    assert "schema of the answer is broken" in finding.reason


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"pattern": "("},
        {"items": {"pattern": "(?=a)"}},
        {"$defs": {"a": {"patternProperties": {"^a": {}}}}},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$defs": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}},
        {"enum": [{1, 2}]},
        nested(3000),
    ],
    ids=range(8),
)
def test_answer_schemas_that_cannot_be_decided_are_refused_early(schema: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnswerFitsSchema(json_schema=schema)


def test_patterns_are_those_of_re2_at_any_depth() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"next": {"$ref": "#"}, "name": {"pattern": r"^\p{Han}+$"}},
    }
    check = AnswerFitsSchema(json_schema=schema)
    for name, status in (("北京", "met"), ("Beijing", "unmet")):
        answer = f'{{"next": {{"next": {{"name": "{name}"}}}}}}'
        assert check.evaluate(Action(answer=answer), STATE).status == status


def test_property_names_are_not_taken_for_keywords() -> None:
    schema = {"properties": {"patternProperties": {"type": "string"}, "pattern": {"type": "integer"}}}
    check = AnswerFitsSchema(json_schema=schema)
    assert check.evaluate(Action(answer='{"pattern": 1}'), STATE).status == "met"
    long = AnswerFitsSchema(json_schema={"enum": ["x" * 5000]})
    assert len(long.explain()) < 500


# --- repeats ---------------------------------------------------------------------------------

FAUST = took("Goethe", "search", query="who wrote Faust")


@pytest.mark.parametrize(
    ("steps", "action", "status"),
    [
        ([FAUST], act("search", query="who wrote Faust"), "unmet"),
        ([FAUST], act("search", query="FAUST: wrote who?"), "unmet"),
        ([FAUST], act("search", query="whó wróte Faust"), "unmet"),
        ([FAUST], act("search", query="who wrote Faust", page=1), "met"),
        ([took("1", "search", query="a b", page=1)], act("search", query="b a", page=2), "met"),
        ([took("1", "search", query="a b", page=1)], act("search", query="b a", page=1), "unmet"),
        ([FAUST], act("search", query="who wrote Werther"), "met"),
        ([FAUST], act("open", url="who wrote Faust"), "met"),
        ([FAUST, took("x", "open", url="u")], act("search", query="who wrote Faust"), "unmet"),
        ([FAUST, took("done", "write")], act("search", query="who wrote Faust"), "met"),
        ([FAUST, took("done", "poll")], act("search", query="who wrote Faust"), "met"),
        ([FAUST, took("done", "unheard of")], act("search", query="who wrote Faust"), "met"),
        ([took("done", "write"), FAUST], act("search", query="who wrote Faust"), "unmet"),
        ([took("error", "search", failed=True, query="a")], act("search", query="a"), "met"),
        ([took(None, "search", query="a")], act("search", query="a"), "unmet"),
        ([took("text", "open", url="a b")], act("open", url="b a"), "met"),
        ([took("text", "open", url="a b")], act("open", url="a b"), "unmet"),
        ([took("text", "search")], act("search"), "unmet"),
        ([took("text", "search", query="?")], act("search", query="!"), "met"),
        ([took("wait", "poll")], act("poll"), "met"),
        ([took("wait", "poll")] * 2, act("poll"), "unmet"),
        ([took("wait", "poll"), took("ready", "poll")], act("poll"), "met"),
        ([took("wait", "poll")] * 2, act("poll", n=1), "met"),
        ([took("wait", "poll"), took("wait", "poll", n=1)], act("poll"), "met"),
        ([took("wait", "poll")] * 2 + [took("x", "open", url="u")], act("poll"), "met"),
        ([took("no", "poll", failed=True)] * 2, act("poll"), "unmet"),
        ([took("wait", "poll"), took(None, "poll")], act("poll"), "met"),
        ([took(None, "poll")] * 2, act("poll"), "met"),
        ([took("ok", "write", x=1)], act("write", x=1), "met"),
        ([took("ok", "write", x=1)] * 2, act("write", x=1), "unmet"),
        ([took("ok", "unheard of")] * 2, act("unheard of"), "unmet"),
        ([took("ok", "search", query="北京人口")], act("search", query="人口北京"), "unmet"),
        ([took("ok", "search", query="パリ")], act("search", query="バリ"), "met"),
    ],
)
def test_what_counts_as_a_repeat(steps: list[Step], action: Action, status: str) -> None:
    assert NotRepeat().evaluate(action, BEFORE.after(*steps)).status == status


def test_the_similarity_bound_is_inclusive() -> None:
    state = BEFORE.after(took("x", "search", query="a b c d"))
    near = act("search", query="a b c e")  # 3 words of 5
    assert NotRepeat(similarity=0.6).evaluate(near, state).status == "unmet"
    assert NotRepeat(similarity=0.61).evaluate(near, state).status == "met"


# --- predicates ------------------------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_PREDICATES", {})
    return


class NoTruth:
    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("result", "status", "fault"),
    [
        (True, "met", "none"),
        (False, "unmet", "none"),
        (None, "not_applicable", "none"),
        (Finding(reason="mine", status="unknown"), "unknown", "none"),
        (NoTruth(), "unknown", "instrument"),
    ],
)
def test_a_predicate_decides(result: Any, status: str, fault: str) -> None:
    register_predicate("mine", says="Be good.")(lambda action, state: result)
    check = PredicateHolds(name="mine")
    finding = check.evaluate(ANSWER, STATE)
    assert (finding.status, finding.fault) == (status, fault)
    assert check.explain() == "Be good."


@pytest.mark.usefixtures("registry")
def test_a_predicate_sees_action_and_state() -> None:
    seen: list[Any] = []
    register_predicate("mine", says="x")(lambda action, state: seen.extend((action, state)) or True)
    PredicateHolds(name="mine").evaluate(ANSWER, STATE)
    assert seen == [ANSWER, STATE]


@pytest.mark.usefixtures("registry")
def test_a_raising_predicate_is_the_instruments_fault() -> None:
    @register_predicate("breaks", says="x")
    def breaks(action: Action, state: State) -> bool:
        raise KeyError("gone")

    finding = PredicateHolds(name="breaks").evaluate(ANSWER, STATE)
    assert (finding.status, finding.fault) == ("unknown", "instrument")
    assert "KeyError" in finding.reason
    assert "gone" in finding.reason


@pytest.mark.usefixtures("registry")
def test_a_name_belongs_to_one_function() -> None:
    def first(action: Action, state: State) -> bool:
        return True

    assert register_predicate("mine", says="x")(first) is first
    register_predicate("mine", says="x")(first)  # a module imported twice is no clash
    with pytest.raises(ConfigError, match="'mine' is registered already"):
        register_predicate("mine", says="x")(lambda action, state: False)
    assert PredicateHolds(name="mine").evaluate(ANSWER, STATE).status == "met"
