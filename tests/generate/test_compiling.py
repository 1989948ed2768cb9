# ruff: noqa: RUF001 - quotation marks of several scripts
"""Sentences to checks: what is read, what stays prose, and that no negation turns into its positive."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.generate import HeuristicGenerator
from coreact.generate.compiling import FORMS, compiled, reading
from coreact.generate.compiling.masking import masked
from coreact.generate.compiling.reading import _PATTERNS, _all_patterns
from coreact.generate.contracts import ContractGenerator
from coreact.rubric import (
    AnswerCitesObserved,
    AnswerObserved,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    ArgumentsFitSchema,
    Criterion,
    DoesNotStop,
    HasProvenance,
    NotRepeat,
    Observation,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import ArgumentsHaveProvenance, Check
from coreact.rubric.checks.base import ExecutableCheck
from coreact.rubric.checks.patterns import compiled as pattern

TEXT = {"type": "string"}


def tool(name: str, role: Any = None, *, read_only: bool | None = True, **properties: Any) -> ToolContract:
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return ToolContract(name=name, role=role, read_only=read_only, parameters=parameters)


SEARCH = tool("search", "search", query=TEXT, limit={"type": "integer"})
OPEN = tool("open_page", "read", url=TEXT)
ORDER = tool("getOrder", order_id=TEXT, verbose={"type": "boolean"}, size={"enum": ["Small", "Large"]})
SEEN = Step(
    call=ToolCall(name="search", arguments={"query": "a"}),
    observation=Observation(text="https://a.org/x?y=1."),
)
STATE = State.start("Where was Ada born?", tools=(SEARCH, OPEN, ORDER)).after(SEEN)


def check_of(text: str, state: State = STATE, polarity: Any = "require") -> Check | None:
    found = reading(text, state, polarity)
    return None if found is None else found.check


def query(*terms: str, at_least: int = 1) -> ArgumentContains:
    return ArgumentContains(argument="query", terms=terms, at_least=at_least)


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("Use the `search` tool.", ToolIs(tools=("search",))),
        ('Call the "Open Page" tool now', ToolIs(tools=("open_page",))),
        ("call get order", ToolIs(tools=("getOrder",))),
        ("The next action is a call to get_order.", ToolIs(tools=("getOrder",))),
        ("Pick one of search, open_page or getOrder.", ToolIs(tools=("search", "open_page", "getOrder"))),
        ("Don’t use open-page.", ToolIsNot(tools=("open_page",))),
        ("The search tool must not be called.", ToolIsNot(tools=("search",))),
        ('Search for "Ada".', query("Ada")),
        ("search for: „Ada Lovelace“", query("Ada Lovelace")),
        ("Search for «Ада» and 「エイダ」.", query("Ада", "エイダ", at_least=2)),
        ("Search for `Ada`, ‘Byron’ or 'King' next.", query("Ada", "Byron", "King")),
        ('Search for at least 2 of "a b", "c d" and "e f".', query("a b", "c d", "e f", at_least=2)),
        ('Search for "Ada," to learn her name.', query("Ada")),
        ('Search for "do not search".', query("do not search")),
        ("Search for the mother of Ada Lovelace.", query("Ada Lovelace")),
        ('The search terms should include either "x1" or "y1".', query("x1", "y1")),
        ("`limit` = 5", ArgumentEquals(argument="limit", value=5)),
        ("`order_id` is 5", ArgumentEquals(argument="order_id", value="5")),
        ("Set verbose to FALSE.", ArgumentEquals(argument="verbose", value=False)),
        ('The size is "large".', ArgumentEquals(argument="size", value="Large")),
        ("limit is no more than 1,000.", ArgumentInRange(argument="limit", maximum=1000)),
        ("limit is from -2 to 2.5", ArgumentInRange(argument="limit", minimum=-2, maximum=2.5)),
        ("Open https://a.org/x?y=1.", ArgumentEquals(argument="url", value="https://a.org/x?y=1")),
        ("Do not guess the order id.", HasProvenance(argument="order_id")),
        ("Answer right away.", Stops()),
        ("Stop and give the final answer.", Stops()),
        ("Never answer from memory.", AnswerObserved()),
        ("Do not call any tools. Answer the question.", Stops()),
        ("Answer now and do not call search.", Stops()),
        ("Use search and do not call open_page.", ToolIs(tools=("search",))),
    ],
)
def test_what_is_read(text: str, check: Check) -> None:
    assert check_of(text) == check


PROSE = [
    # nothing to decide, or names that do not exist
    "Be thorough.",
    "Use the browser tool.",
    "Search for more information.",
    "Set depth to 5.",
    "Open https://elsewhere.org.",
    "`limit` is large.",
    # a condition that no check covers
    'Search for "Ada" in the most recent sources.',
    'Search for "Ada" on an official page.',
    'Search for "Ada" only if nothing else helps.',
    "Search for World War 2.",
    "Search for recent articles about Ada Lovelace.",
    "Use search to find something new, but open no page.",
    "Use search because you must not answer.",
    "Call search with a short query.",
    "Answer the question in one word.",
    "Do not answer before the town is known.",
    "Use search at most twice.",
    # two demands without one joint reading
    'Search for "Ada" and open the first result.',
    "Use search and answer.",
    "Use both search and open_page.",
    'Search for "Ada". Keep limit at most 5.',
    "Search for Ada Lovelace and Lord Byron.",
    'Search for "a", "b".',
    'Search for "a" and "b" or "c".',
    # quotes that cannot be read
    'Search for "Ada.',
    'Search for "" and more.',
    'Search for "…".',
    # values of the wrong kind
    "`limit` is five.",
    '`limit` is "large".',
    "`query` is at least 5.",
    "limit is between 5 and 2.",
    "`size` is 5 or 6.",
    '`order_id` matches the pattern "(".',
    "limit is 50%.",
    "limit is at least 1.2.3",
]


@pytest.mark.parametrize("text", PROSE)
def test_what_stays_prose(text: str) -> None:
    criterion = Criterion(id="c1", text=text)
    assert compiled(criterion, STATE) is criterion


NEGATED = [
    'Do not search for "Ada".',
    'Search for anything but "Ada".',
    'Never search for "Ada" again.',
    'Avoid searching for "Ada".',
    "Do not search for Ada Lovelace.",
    "Search for anything except Ada Lovelace.",
    "Search without repeating.",
    'The query does not contain "Ada".',
    'The query must not mention "Ada".',
    'The query contains no "Ada".',
    "Do not set limit to 5.",
    "limit is not 5.",
    "The limit must not be at least 5.",
    "Do not open an address that was seen and not opened yet.",
    "Do not open https://a.org/x?y=1.",
    "Do not stop searching.",
    "Do not make a new call.",
    "Do not avoid calling search.",
    "Do not take the order_id from an observation.",
    "Answer without what was observed.",
    "The arguments do not fit the schema.",
    "Do not keep searching.",
    "The tool called is not search.",
    "Stop calling search.",
    "No longer use search.",
    "Fail to use search.",
]


@pytest.mark.parametrize("text", NEGATED)
@pytest.mark.parametrize("polarity", ["require", "forbid"])
def test_a_negation_never_becomes_its_positive(text: str, polarity: str) -> None:
    assert check_of(text, polarity=polarity) in (None, ToolIsNot(tools=("search",)))


POSITIVE = [
    "use the search tool",
    'search for "Ada"',
    "search for Ada Lovelace",
    "set limit to 5",
    "open an address that was seen and not opened yet",
    "take order_id from an observation",
    "make a new call",
    "answer now",
    "keep searching",
    "cite only observed sources",
]


@given(
    st.sampled_from(POSITIVE),
    st.sampled_from(
        [
            "Do not {}.",
            "Never {}",
            "You must not {}",
            "The agent should never {}.",
            "Don't {}",
            "Refuse to {}",
        ]
    ),
    st.sampled_from(["", " at all", " now", " next", " to save time"]),
)
def test_no_negated_frame_yields_the_check_of_what_it_negates(text: str, frame: str, tail: str) -> None:
    positive, negative = check_of(text), check_of(frame.format(text + tail))
    assert positive is not None
    assert negative is None or negative != positive


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("Calls the search tool.", ToolIs(tools=("search",))),
        ('The query contains "Ada".', query("Ada")),
        ("limit is at least 100.", ArgumentInRange(argument="limit", minimum=100)),
        ("Answers the question.", Stops()),
        # a negation, or a check that is weaker than its sentence, would forbid what is good
        ("Does not call the search tool.", None),
        ("Repeats an earlier call.", None),
        ("Do not repeat an earlier call.", None),
        ("Searches for the mother of Ada Lovelace.", None),
        ("Answers only with what was observed.", None),
        ("The limit is no more than 5.", None),
    ],
)
def test_a_forbidden_sentence_is_read_as_the_bad_thing_itself(text: str, check: Check | None) -> None:
    assert check_of(text, polarity="forbid") == check


# --- the state decides what a name is -------------------------------------------------------------


def test_a_repetition_is_read_only_where_repeating_is_surely_waste() -> None:
    assert check_of("Do not repeat an earlier call.") == NotRepeat()
    for read_only in (None, False):
        state = State.start("?", tools=(SEARCH, tool("press", read_only=read_only, key=TEXT)))
        assert check_of("Do not repeat an earlier call.", state) is None
        assert check_of("Do not repeat an earlier search.", state) == NotRepeat()


def test_to_stop_searching_is_to_answer_only_where_nothing_else_can_be_done() -> None:
    assert check_of("Stop searching.") is None
    assert check_of("Stop searching.", State.start("?", tools=(SEARCH,))) == Stops()


def test_an_address_is_read_only_where_some_tool_opens_addresses() -> None:
    sentence = "Open an address that was seen and not opened yet."
    assert check_of(sentence) == UrlSeenUnvisited(argument="url")
    assert check_of(sentence, State.start("?", tools=(SEARCH,))) is None


def test_where_a_tool_hands_in_the_answer_stopping_is_not_read() -> None:
    state = State.start("?", tools=(SEARCH, tool("submit", "answer", text=TEXT)))
    assert check_of("Answer now.", state) is None
    assert check_of("Do not answer yet.", state) is None


def test_a_name_that_could_be_two_things_is_none() -> None:
    state = State.start("?", tools=(tool("get_page", x=TEXT), tool("getPage", x=TEXT)))
    assert check_of("Call get page.", state) is None


def test_a_sentence_that_two_forms_read_differently_stays_prose() -> None:
    assert check_of('The action is "search".') == ToolIs(tools=("search",))
    state = State.start("?", tools=(SEARCH, tool("log", action=TEXT)))
    assert check_of('The action is "search".', state) is None


def test_a_tool_whose_name_begins_with_a_negation_is_not_taken_for_one() -> None:
    state = State.start("?", tools=(SEARCH, tool("no_search", x=TEXT)))
    assert check_of("Use no search.", state) is None


def test_two_search_tools_share_a_query_only_if_they_call_it_alike() -> None:
    alike = State.start("?", tools=(tool("news", "search", query=TEXT), tool("web", "search", query=TEXT)))
    assert check_of('Search for "Ada".', alike) == query("Ada")
    assert check_of('Search for "Ada" with web.', alike) is None  # the check would let news pass
    unlike = State.start("?", tools=(tool("news", "search", query=TEXT), tool("web", "search", term=TEXT)))
    assert check_of('Search for "Ada".', unlike) is None


def test_a_call_with_a_value_needs_an_argument_that_no_other_tool_has() -> None:
    assert check_of('Call getOrder with order_id "K1".') == ArgumentEquals(argument="order_id", value="K1")
    state = State.start("?", tools=(ORDER, tool("cancel", order_id=TEXT)))
    assert check_of('Call getOrder with order_id "K1".', state) is None


# --- in the manner of trained generators ---------------------------------------------------------

SCHOLAR = State.start(
    "Which metric do recent studies of Soyapango use?",
    tools=(
        tool("google_search", "search", query=TEXT, gl=TEXT, num={"type": "integer"}),
        tool("snippet_search", "search", query=TEXT, year=TEXT, fields={"type": "array"}),
        tool("browse_webpage", "read", url=TEXT),
    ),
).after(
    Step(
        call=ToolCall(name="google_search", arguments={"query": "Soyapango"}),
        observation=Observation(text="El Salvador: https://geo.org/es"),
    )
)
EITHER = ToolIs(tools=("google_search", "snippet_search"))
SALVADOR = query("El Salvador")
GOOGLE = ToolIs(tools=("google_search",))
UNVISITED = UrlSeenUnvisited(argument="url")


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("Should use google_search", GOOGLE),
        ("Must be a google_search call.", GOOGLE),
        ("google_search should be used next", GOOGLE),
        ("google_search must be used next", GOOGLE),
        ("The agent's next call needs to be a google_search query", GOOGLE),
        ("Calls one of the tools (google_search or snippet_search)", EITHER),
        ("Should make another search, not an answer", EITHER),
        ("Must search again because the results were irrelevant", EITHER),
        ("Should use gl=us", ArgumentEquals(argument="gl", value="us")),
        ("Should filter results by year = '2020-2024'", ArgumentEquals(argument="year", value="2020-2024")),
        ('Should set fields="Law"', None),
        ("The call sets `num` to 10 or more", ArgumentInRange(argument="num", minimum=10)),
        ("Query should combine words", None),
        ('Should combine "GDP" with "inflation" in one query', query("GDP", "inflation", at_least=2)),
        ('The search query explicitly mentions "GDP".', query("GDP")),
        ('Query includes at least one of the following terms: "GDP", "GNP".', query("GDP", "GNP")),
        (
            'The query includes both the country name "Belize" and the word "GDP".',
            query("Belize", "GDP", at_least=2),
        ),
        ('Query should include terms like "GDP" and "GNP"', query("GDP", "GNP")),
        ("The query names Belize or Honduras", query("Belize", "Honduras")),
        ("The query names both Belize and Honduras", query("Belize", "Honduras", at_least=2)),
        ("Include the name of the country (El Salvador) in the query", SALVADOR),
        ('Include the country ("El Salvador") in the query', None),
        ("The next query should ask for El Salvador's currency", SALVADOR),
        ("Retrieve information about El Salvador (the country is known now)", SALVADOR),
        ("The next step is to look up El Salvador's currency", SALVADOR),
        ("No page was found so far, so search for El Salvador.", SALVADOR),
        ("Open a page that was seen and not opened before", UNVISITED),
        ("The URL appeared in previous search results and has not been visited yet", UNVISITED),
        (
            "Opens the URL https://geo.org/es returned by the previous search",
            ArgumentEquals(argument="url", value="https://geo.org/es"),
        ),
        (
            "Should use browse_webpage on https://geo.org/es",
            ArgumentEquals(argument="url", value="https://geo.org/es"),
        ),
        ("Generate <answer> (every fact has been found)", Stops()),
        ("Generate <answer> since all facts are known", Stops()),
        ("Finish with the answer", Stops()),
        ("Should conclude — no further search is needed", Stops()),
        ("The final answer should be given now; nothing is missing", Stops()),
        ("Does not stop or give a final answer at this step", DoesNotStop()),
        ("It must not be the final answer, as the metric was never seen", DoesNotStop()),
        ("Postpone the final answer", DoesNotStop()),
        ("Gather more evidence before answering", DoesNotStop()),
        ("Do not issue the same query twice", NotRepeat()),
        ("Avoid reusing the query „Soyapango“", NotRepeat()),
        ("The query is not the same as an earlier query", NotRepeat()),
        ("请使用 google_search。", GOOGLE),
        ("不要使用 google_search", ToolIsNot(tools=("google_search",))),
        ("查询词必须包含「GDP」和「GNP」", query("GDP", "GNP", at_least=2)),
        ("请继续搜索", DoesNotStop()),
        ("Der nächste Schritt soll google_search nutzen.", GOOGLE),
        ("Wiederhole keine frühere Suche", NotRepeat()),
        ("L'action doit utiliser google_search", GOOGLE),
        ("Réponds maintenant", Stops()),
        ("No repitas una consulta anterior", NotRepeat()),
        ("Llama a la herramienta google_search", GOOGLE),
    ],
)
def test_modals_justifications_and_other_languages(text: str, check: Check | None) -> None:
    assert check_of(text, SCHOLAR) == check


@pytest.mark.parametrize(
    "text",
    [
        # a reason that is none: a condition, a number, a quote, a demand on the call
        "Should use google_search (only for the country)",
        "Should use google_search (no more than two words)",
        "Should use google_search (no site filter)",
        "Should use google_search (recent papers)",
        "Should use google_search (an official source is needed)",
        "Should use google_search (the query is in English)",
        'Should use google_search ("GDP" is needed)',
        "Should use google_search - no results yet, use broad terms",
        "Should use google_search; it has to be short",
        "Should use google_search. The query names a year.",
        "Should use google_search and nothing else is done",
        "Answer now, naming the metric that was found",
        "Answer now. It is short.",
        "Answer now; the answer is complete and cites a source",
        "Answer (the name of the metric)",
        "Use browse_webpage on a page, which has not been visited yet",
        "Search for El Salvador; the most recent value is needed",
        # an equality, a name or an example that is not all that is asked for
        "query = currency of El Salvador",
        "The query names El Salvador and its currency",
        "The query names El Salvador and currency",
        "The query names the year and the country (El Salvador)",
        "Include the country (El Salvador, Honduras) in the query",
        'Query must contain a year and a name like "Belize"',
        'Query must contain "GDP" and a name like "Belize"',
        'Query must contain "GDP" or similar',
        'Query must name a country such as "Belize"',
        "Query must mention El Salvador in the title",
        "Should mention El Salvador",
        'Should use google_search with a query that contains "GDP"',
        # the same words the other way round
        "The query must not be about El Salvador",
        "The query does not name El Salvador",
        "The query names no country (El Salvador)",
        "The query is the earlier one",
        "The query is not new",
        "Do not issue a query that was not used before",
        "The action is not a search",
        "It is not time to answer",
        "The final answer is not given now",
        "The URL did not appear in previous search results and has been visited",
        "Do not hold off answering",
        "Do not keep gathering evidence",
        'gl != "us"',
        'Do not repeat the query "Santa Ana"',
        'Do not search "Santa Ana" again',
        "不要直接回答得太长",
        "查询词不应包含“GDP”",
        "Suche nicht nach „GDP“",
        "La requête ne doit pas contenir « GDP »",
        'No busques "GDP"',
        # an answer that is more than an answer
        "Should cite the collected sources in the answer",
        "The answer comes from passage [g0705]",
        "Provide the final answer in Spanish",
        "Generate the final answer only when all is known",
    ],
)
@pytest.mark.parametrize("polarity", ["require", "forbid"])
def test_near_misses_stay_prose(text: str, polarity: str) -> None:
    assert check_of(text, SCHOLAR, polarity) is None


REASONS = [
    "(no results yet, need an overview)",
    "— everything needed was observed",
    "because the country is still unknown",
    "; the agent has not seen any evidence",
    "since nothing was found so far",
    ": the fact is missing",
]
CONDITIONS = [
    "(only once)",
    "— unless the country is known",
    "because at most two are needed",
    '; "Ada" must be named',
    "since it should be short",
    ": never twice",
    "(if needed)",
]


@given(st.sampled_from(POSITIVE[:-1]), st.sampled_from(REASONS))
def test_a_plain_reason_neither_adds_nor_removes_a_check(text: str, reason: str) -> None:
    assert check_of(f"{text} {reason}") == check_of(text) is not None


@given(st.sampled_from(POSITIVE), st.sampled_from(CONDITIONS))
def test_a_reason_with_a_condition_leaves_prose(text: str, condition: str) -> None:
    assert check_of(f"{text} {condition}") is None


@given(
    st.sampled_from(POSITIVE), st.sampled_from(REASONS), st.sampled_from(["Should not {}", "Must never {}"])
)
def test_a_negated_modal_with_a_reason_is_not_its_positive(text: str, reason: str, frame: str) -> None:
    negative = check_of(f"{frame.format(text)} {reason}")
    assert negative is None or negative != check_of(text)


# --- the library's own sentences ------------------------------------------------------------------

EXPLAINED: list[ExecutableCheck] = [
    ToolIs(tools=("search",)),
    ToolIs(tools=("search", "open_page", "getOrder")),
    ToolIsNot(tools=("search", "open_page")),
    query("Ada"),
    query("Ada", "Byron", "King"),
    query("Ada", "Byron", at_least=2),
    query("Ada", "Byron", "King", at_least=2),
    query("Ada", "Byron", "King", at_least=3),
    ArgumentEquals(argument="limit", value=5),
    ArgumentEquals(argument="order_id", value="K1"),
    ArgumentEquals(argument="verbose", value=True),
    ArgumentMatches(argument="order_id", pattern="^K[0-9]+$"),
    ArgumentInRange(argument="limit", minimum=1),
    ArgumentInRange(argument="limit", maximum=9.5),
    ArgumentInRange(argument="limit", minimum=1, maximum=9),
    ArgumentsFitSchema(),
    ArgumentsHaveProvenance(),
    HasProvenance(argument="order_id"),
    UrlSeenUnvisited(argument="url"),
    NotRepeat(),
    Stops(),
    DoesNotStop(),
    AnswerObserved(),
    AnswerCitesObserved(),
]


@pytest.mark.parametrize("check", EXPLAINED, ids=lambda check: check.explain())
def test_every_check_is_read_back_from_its_own_explanation(check: ExecutableCheck) -> None:
    assert check_of(check.explain()) == check


def test_what_the_generators_without_a_model_write_is_never_read_as_something_else() -> None:
    for generator in (HeuristicGenerator(), ContractGenerator(plan_length=3)):
        for state in (State.start(STATE.question, tools=STATE.tools), STATE):
            for criterion in generator.write(state).rubric:
                read = reading(criterion.text, state)
                if read is not None and read.form != "query_contains":  # the check is milder than the text
                    assert read.check == criterion.check


# --- any text -------------------------------------------------------------------------------------


def test_every_form_is_read_in_some_sentence_of_these_tests() -> None:
    sentences = [check.explain() for check in EXPLAINED]
    sentences += [
        "Search for Ada Lovelace.",
        'Search for "Ada".',
        "Do not repeat an earlier search.",
        "Open https://a.org/x?y=1",
        "Stop searching.",
    ]
    only_search = State.start("?", tools=(SEARCH,))
    found = {
        part
        for text in sentences
        for state in (STATE, only_search)
        if (read := reading(text, state))
        for part in read.form.split("+")
    }
    assert found == {form.name for form in FORMS}


def test_a_criterion_keeps_all_but_its_check() -> None:
    criterion = Criterion(id="c7", text="Use search.", weight=0.3, stage="plan", veto=True)
    assert compiled(criterion, STATE) == criterion.model_copy(update={"check": ToolIs(tools=("search",))})
    checked = criterion.model_copy(update={"check": Stops()})
    assert compiled(checked, STATE) is checked


WORDS = st.sampled_from(
    "do not search for use the tool search open_page query contains \"Ada\" 'x' and or , . ; answer now never"
    " limit is 5 between at least https://a.org/x address that was seen opened yet Ada Lovelace"
    " ` “ ” to because \ue000 \U0010ffff".split()
)


@given(
    st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=14).map(" ".join)),
    st.sampled_from(["require", "forbid"]),
)
def test_any_text_is_read_or_left_without_an_error(text: str, polarity: Any) -> None:
    found = reading(text, STATE, polarity)
    assert found is None or found.check is not None


@given(st.lists(WORDS, max_size=20).map(" ".join))
def test_all_patterns_at_once_find_what_each_finds(text: str) -> None:
    sentence = masked(text)
    if sentence is not None and sentence.text:
        alone = [at for at, (_, written) in enumerate(_PATTERNS) if pattern(written).fullmatch(sentence.text)]
        assert sorted(_all_patterns().Match(sentence.text) or ()) == alone


@pytest.mark.parametrize(
    "text", ["\ud800", "search for \ue000", "x" * 5000, "use " + "the " * 140 + "search", "", " "]
)
def test_odd_texts_are_left(text: str) -> None:
    assert reading(text, STATE) is None


def test_without_tools_only_answers_are_spoken_of() -> None:
    bare = State.start("?")
    assert check_of("Answer now.", bare) == Stops()
    assert check_of("Use search.", bare) is None
    assert check_of("Do not answer yet.", bare) is None
