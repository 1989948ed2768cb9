"""A state grows by one step at a time, says the same as one built in one go, and never re-reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import coreact.rubric.state as module
from coreact.rubric import Action, Budget, Observation, State, Step, ToolCall, ToolContract

TEXT = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = ToolContract(name="search", parameters=TEXT, role="search", read_only=True)
READ = ToolContract(name="open", parameters={"properties": {"url": {"type": "string"}}}, role="read")


def took(text: str | None, *, name: str = "search", failed: bool = False, **arguments: Any) -> Step:
    seen = None if text is None else Observation(text=text, failed=failed)
    return Step(call=ToolCall(name=name, arguments=arguments), observation=seen)


@pytest.mark.parametrize(
    ("limit", "phases"),
    [
        (1, "L"),
        (2, "EL"),
        (3, "EML"),
        (4, "EMML"),
        (5, "EEMLL"),
        (6, "EEMMLL"),
        (7, "EEMMMLL"),
        (8, "EEEMMLLL"),
        (9, "EEEMMMLLL"),
        (10, "EEEMMMMLLL"),
        (11, "EEEEMMMLLLL"),
        (12, "EEEEMMMMLLLL"),
    ],
)
def test_phases_of_small_budgets(limit: int, phases: str) -> None:
    found = [Budget(limit=limit, used=used).phase for used in range(limit + 2)]
    assert "".join(phase[0].upper() for phase in found[:limit]) == phases
    assert found[limit:] == ["late", "late"]


@given(st.integers(2, 500))
def test_every_budget_begins_early_ends_late_and_never_goes_back(limit: int) -> None:
    order = [["early", "middle", "late"].index(Budget(limit=limit, used=n).phase) for n in range(limit)]
    assert order == sorted(order)
    assert (order[0], order[-1]) == (0, 2)
    assert order.count(0) == order.count(2)


def test_without_a_limit_late_is_never_guessed() -> None:
    assert [Budget(used=used).phase for used in (0, 1, 1000)] == ["early", "middle", "middle"]
    assert Budget(used=5).left is None
    assert [Budget(limit=2, used=used).left for used in (0, 1, 2, 3)] == [2, 1, 0, 0]
    for wrong in ({"limit": 0}, {"used": -1}):
        with pytest.raises(ValidationError):
            Budget(**wrong)


STEPS = st.lists(
    st.builds(
        took,
        st.none()
        | st.sampled_from(["Paris is in France", "see https://a.org/x.", "https://b.org", "nothing"]),
        name=st.sampled_from(["search", "open", "strange"]),
        failed=st.booleans(),
        query=st.sampled_from(["Paris", "river", "https://a.org/x", 3]),
    ),
    max_size=8,
)


def start(limit: int | None = None) -> State:
    return State.start(
        "Which river flows through Paris, see https://q.org/?",
        tools=(SEARCH, READ),
        given=("You know https://given.org.",),
        limit=limit,
    )


@given(STEPS, st.integers(0, 8))
def test_growing_step_by_step_equals_growing_at_once(steps: list[Step], cut: int) -> None:
    slowly = start()
    for step in steps:
        slowly = slowly.after(step)
    parts = start().after(*steps[:cut], decisions=0).after(*steps[cut:], decisions=len(steps))
    at_once = start().after(*steps, decisions=len(steps))
    assert slowly == at_once == parts
    assert slowly.digest == at_once.digest
    assert State.model_validate_json(slowly.model_dump_json()) == slowly
    assert slowly.steps == tuple(steps)


def test_what_a_state_gathers() -> None:
    state = (
        start()
        .after(took("The Seine flows through PARIS. https://wiki.org/Seine/", query="river Paris"))
        .after(took("Error: see https://fail.org", name="open", failed=True, url="https://wiki.org/Seine"))
        .after(took("which river?", query=3))
        .after(took(None, query="pending"))
    )
    assert state.urls_seen == {
        "https://q.org",
        "https://given.org",
        "https://wiki.org/Seine",
        "https://fail.org",
    }
    assert state.urls_visited == frozenset()
    assert state.queries == ("river Paris", "pending")
    assert state.covered == {"flows", "through", "paris", "https", "org", "which", "river"}
    opened = state.after(took("text", name="open", url="HTTPS://wiki.org/Seine#top"))
    assert opened.urls_visited == {"https://wiki.org/Seine"}
    assert opened.last_observation == Observation(text="text")
    assert state.last_observation == Observation(text="which river?")
    assert start().last_observation is None
    assert state.budget.used == 4


def test_a_failure_covers_nothing_but_its_addresses_were_seen() -> None:
    state = start().after(took("river Paris https://x.org", failed=True, query="a"))
    assert state.covered == frozenset()
    assert "https://x.org" in state.urls_seen
    assert not state.steps[0].succeeded
    assert not took(None).succeeded
    assert took("").succeeded


def test_the_digest_is_content_and_the_budget_is_not_part_of_it() -> None:
    step = took("text", query="a")
    base = start().after(step).digest
    assert start(limit=3).after(step, decisions=0).digest == base
    assert State.start("q").digest != State.start("q ").digest
    others = [
        start().digest,
        start().after(took("text.", query="a")).digest,
        start().after(took("text", query="b")).digest,
        start().after(took("text", name="open", query="a")).digest,
        start().after(took("text", failed=True, query="a")).digest,
        start().after(took(None, query="a")).digest,
        start().after(step, step).digest,
        State.start("other").after(step).digest,
        State.start(start().question, tools=start().tools).after(step).digest,
        State.start(start().question, given=start().given).after(step).digest,
    ]
    assert base not in others
    assert len(set(others)) == len(others)


def test_order_of_steps_is_part_of_the_digest() -> None:
    left, right = took("1", query="a"), took("2", query="b")
    assert start().after(left, right).digest != start().after(right, left).digest


def test_call_ids_are_not_part_of_identity() -> None:
    plain, named = ToolCall(name="a", arguments={"x": 1}), ToolCall(name="a", arguments={"x": 1}, id="7")
    assert plain.key == named.key
    assert plain.key != ToolCall(name="a", arguments={"x": "1"}).key
    assert plain.key != ToolCall(name="b", arguments={"x": 1}).key
    assert (
        ToolCall(name="a", arguments={"x": 1, "y": 2}).key
        == ToolCall(name="a", arguments={"y": 2, "x": 1}).key
    )


def test_looking_at_cached_values_changes_neither_equality_nor_digest() -> None:
    tool = ToolContract(name="search", parameters=TEXT, role="search")
    before = State.start("q", tools=(tool,)).digest
    assert tool.text_argument == "query"
    assert tool.properties == {"query": {"type": "string"}}
    assert State.start("q", tools=(tool,)).digest == before
    assert tool == ToolContract(name="search", parameters=TEXT, role="search")


def test_a_state_is_not_changed_by_growing() -> None:
    before = start()
    copy = before.model_copy(deep=True)
    before.after(took("Paris https://new.org", query="Paris"))
    assert before == copy
    with pytest.raises(ValidationError, match="frozen"):
        before.digest = ""  # type: ignore[misc]


def test_growing_reads_new_text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    state = start().after(*(took(f"observation {n} https://x.org/{n}", query=f"q{n}") for n in range(2000)))
    read: list[str] = []
    for name in ("urls", "words", "text_digest"):
        kept = getattr(module, name)

        def counted(text: str, kept: Any = kept) -> Any:
            read.append(text)
            return kept(text)

        monkeypatch.setattr(module, name, counted)
    folded: list[str] = []
    kept_fold = module.fold.__wrapped__
    monkeypatch.setattr(
        module.fold, "__wrapped__", lambda text: (folded.append(text), kept_fold(text))[1], raising=True
    )
    hashed: list[Any] = []
    kept_digest = module.digest
    monkeypatch.setattr(module, "digest", lambda value: (hashed.append(value), kept_digest(value))[1])
    after = state.after(took("the new one about Paris", query="new"))
    assert set(read) == {"the new one about Paris", state.question}
    assert folded == ["the new one about Paris"]
    assert len(read) <= 4
    assert len(hashed) == 2  # the call and the link of the chain
    assert len(str(hashed)) < 1000
    assert len(after.steps) == 2001
    assert after.steps[0] is state.steps[0]


def test_knowing_a_value_means_whole_words_somewhere() -> None:
    state = start().after(took("The Seine, order AB-123.", query="secret"))
    assert all(state.knows(value) for value in ("seine", "AB-123", "ab 123", "river", "given.org", "PÁRIS"))
    assert not any(state.knows(value) for value in ("Sein", "AB-12", "secret", "", "!!", "Loire"))
    assert State.start("x").after(took("boom AB-1", failed=True)).knows("AB-1")


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        (TEXT, "query"),
        ({"properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}, "q"),
        ({"properties": {"q": {"type": "string"}, "r": {"type": "string"}}}, None),
        ({"properties": {"q": {"type": "string"}, "r": {"type": "string"}}, "required": ["r"]}, "r"),
        ({"properties": {"q": {"type": "string", "enum": ["a"]}}}, None),
        ({"properties": {"q": {"type": "string", "format": "date"}}}, None),
        ({"properties": {"q": True}, "required": "q"}, None),
        ({"properties": [1], "required": ["q"]}, None),
        ({}, None),
    ],
)
def test_the_argument_that_takes_free_text(parameters: dict[str, Any], argument: str | None) -> None:
    assert ToolContract(name="t", parameters=parameters).text_argument == argument


def test_broken_tools_do_not_stop_a_state() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    tools = [
        ToolContract(name="t", parameters={"x": value})
        for value in (deep, [deep], object(), "\ud800", float("nan"))
    ]
    assert len({State.start("\ud800", tools=(tool,), given=("\udfff",)).digest for tool in tools}) == len(
        tools
    )


def test_an_action_is_a_call_or_an_answer() -> None:
    for wrong in ({}, {"call": ToolCall(name="a"), "answer": "b"}):
        with pytest.raises(ValidationError, match="either a call or an answer"):
            Action(**wrong)
    assert Action(answer="").stops
    assert not Action(call=ToolCall(name="a")).stops
    assert str(Action(answer="42")) == "answer: 42"
    assert str(Action(call=ToolCall(name="a", arguments={"x": 1, "y": "z"}))) == "a(x=1, y='z')"
    assert str(Action(call=ToolCall(name="a", arguments={"x": 10**5000}))) == "a(x=…)"


def test_texts_of_a_call_in_order_at_any_depth() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    call = ToolCall(name="a", arguments={"a": "1", "b": ["2", {"c": "3", "d": 4}], "e": ("5",), "f": deep})
    assert call.texts == ("1", "2", "3", "5", "end")
    assert Step(call=ToolCall(name="a", arguments={"q": "Foo bár foo"})).query_words == {"foo", "bar"}
