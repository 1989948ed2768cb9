"""An open node asks for another search, a resolved one does not, and no search is made twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.errors import GraphInterrupt

from coreact.bench.statistics import paired_difference
from coreact.errors import ConfigError
from coreact.judge.grounding.chain import Chain, Fact
from coreact.judge.structured import StructuredModel
from coreact.research.gaps import Fixed, GapDriven, QueryWriter, gaps, links
from coreact.research.gaps.gathering import SEARCH
from coreact.research.gaps.links import unexplored
from coreact.research.gaps.proposing import bridges
from coreact.rubric import Observation, State, Step, ToolCall
from coreact.rubric.words import words
from coreact.testing import ScriptedModel
from coreact.worlds import Corpus, gazetteer, gold_share, load_world
from coreact.worlds.multihop import halves

QUESTION = "How does ISO abbreviate the country governed from Juba?"
SEAT = "[a] Juba, South Sudan: Juba is the seat of government of South Sudan."
CODES = "[b] Codes of South Sudan: The country code of South Sudan is SSD."


def seen(question: str, *found: tuple[str, str]) -> State:
    state = State.start(question, tools=(SEARCH,))
    for query, text in found:
        call = ToolCall(name="search", arguments={"query": query})
        state = state.after(Step(call=call, observation=Observation(text=text)))
    return state


# --- nodes -------------------------------------------------------------------------------------------


def test_the_question_is_asked_first_and_then_over_its_bridge() -> None:
    first = gaps(seen(QUESTION))
    assert [(gap.kind, gap.way, gap.query) for gap in first] == [("question", "words", QUESTION)]
    after = gaps(seen(QUESTION, (QUESTION, SEAT)))
    assert [gap.way for gap in after] == ["names", "bridge"]
    assert after[0].query.split()[0] == "ISO"  # came back nowhere
    assert after[1].query == "South Sudan iso abbreviate country governed juba"


def test_an_unresolved_sub_question_triggers_a_search_and_a_resolved_one_does_not() -> None:
    plan = ("Which country is governed from Juba?", "Which country code has South Sudan?")
    open_both = gaps(seen(QUESTION), plan=plan)
    assert [gap.node for gap in open_both] == list(plan)
    assert open_both[0].query == "country governed juba"
    one_left = gaps(seen(QUESTION, ("codes", CODES)), plan=plan)
    assert {gap.node for gap in one_left} == {plan[0]}
    state = seen(QUESTION, ("codes", CODES), ("juba", "Juba is where the country is governed."))
    assert gaps(state, plan=plan) == ()


def test_a_chain_asks_for_what_its_slots_still_lack() -> None:
    chain = Chain(
        facts=(
            Fact(id="1", text="E1 is governed from Juba"),
            Fact(id="2", text="E1 has the country code E0"),
        )
    )
    start = gaps(seen(QUESTION), chain=chain)
    assert [gap.query for gap in start] == ["governed juba"]  # nothing to search the second by yet
    half = gaps(seen(QUESTION, ("governed juba", SEAT)), chain=chain, names={"E1": "South Sudan"})
    assert "has the country code" in {gap.node.removeprefix("South Sudan ") for gap in half}
    assert "south sudan country code" in {gap.query for gap in half}
    done = seen(QUESTION, ("a", "South Sudan is governed from Juba."), ("b", CODES))
    assert gaps(done, chain=chain, names={"E1": "South Sudan", "E0": "SSD"}) == ()
    assert {gap.kind for gap in half} == {"fact"}


def test_an_unmet_criterion_asks_for_the_names_that_are_missing() -> None:
    unmet = ("The population of South Sudan is compared with that of Uganda.", "Cite your sources.")
    found = gaps(seen(QUESTION, (QUESTION, SEAT)), unmet=unmet)
    assert [(gap.kind, gap.query) for gap in found if gap.kind == "criterion"] == [("criterion", "Uganda")]
    assert found[-1].kind == "criterion"


def test_no_search_is_proposed_twice() -> None:
    state = seen(QUESTION, (QUESTION, SEAT))
    for _ in range(10):
        found = gaps(state)
        asked = [frozenset(words(gap.query)) for gap in found]
        assert len(set(asked)) == len(asked)
        assert not set(asked) & {frozenset(words(query)) for query in state.queries}
        if not found:
            break
        call = ToolCall(name="search", arguments={"query": found[0].query})
        state = state.after(Step(call=call, observation=Observation(text=SEAT)))
    assert gaps(state) == ()  # nothing new comes back, so it ends


def test_a_name_that_was_searched_for_is_no_bridge_again() -> None:
    state = seen(QUESTION, (QUESTION, SEAT), ("South Sudan", CODES))
    assert not any("South Sudan" in gap.query for gap in gaps(state))


def test_bridges_by_hand() -> None:
    from coreact.judge.sufficiency.evidence import Evidence

    state = seen(
        "Who directed the film with Ann Lee?",
        ("q", "[1] Ann Lee: Ann Lee is an actress in the film Blue Door.\n[2] Sheep: Sheep live in Wales."),
        ("r", "[3] Grey Hill: The film Grey Hill was made with Tom Fry."),
    )
    found = bridges(state.question, Evidence(state).lines)
    # Blue Door stands beside three of four words, Tom Fry beside one; titles and the own name are out.
    assert found == ("Blue Door", "Tom Fry")
    assert bridges("", Evidence(state).lines) == ()


@given(st.text(max_size=80), st.lists(st.tuples(st.text(max_size=40), st.text(max_size=120)), max_size=4))
def test_any_text_is_borne(question: str, found: list[tuple[str, str]]) -> None:
    state = seen(question, *found)
    for gap in gaps(state, plan=(question,), unmet=(question,)):
        assert words(gap.query)
        assert 0 < gap.score <= 1


# --- links -------------------------------------------------------------------------------------------


def test_links_are_missing_pairs_of_well_connected_names() -> None:
    # Two hubs, A and B, share C and D, and stand in no line together; E and F only hang on one of them.
    together = [
        ["A", "C"], ["A", "D"], ["A", "E"], ["B", "C"], ["B", "D"], ["B", "F"],
        ["C", "D"], ["G", "H"], ["I", "J"], ["K", "L"],
    ]  # fmt: skip
    found = unexplored([[f"Name {name}" for name in pair] for pair in together], limit=20)
    assert (found[0].first, found[0].second, found[0].shared) == ("Name A", "Name B", ("Name C", "Name D"))
    assert found[0].query == "Name A Name B"
    pairs = [frozenset((link.first, link.second)) for link in found]
    existing = {frozenset(f"Name {name}" for name in pair) for pair in together}
    assert not existing & set(pairs)
    # A pair without a common neighbour is no more than two names.
    assert not {frozenset(("Name A", "Name G")), frozenset(("Name E", "Name F"))} & set(pairs)
    assert len(unexplored([[f"Name {name}" for name in pair] for pair in together], limit=1)) == 1


def test_links_are_read_from_observations() -> None:
    state = seen("?", ("q", "We saw Ada Byron with Max Born.\nWe saw Max Born with Kurt Tank."))
    (link,) = links(state)
    assert {link.first, link.second} == {"Ada Byron", "Kurt Tank"}
    assert link.shared == ("Max Born",)


# --- a model that words the queries ------------------------------------------------------------------


def wordings(**queries: str) -> str:
    return json.dumps({"queries": [{"label": k, "reason": "r", "query": q} for k, q in queries.items()]})


async def test_a_model_may_word_them() -> None:
    state = seen(QUESTION, (QUESTION, SEAT))
    plain = gaps(state)
    model = ScriptedModel(script=[wordings(n1=" South Sudan\nISO code ", n2=QUESTION, n9="stray")] * 2)
    writer = QueryWriter(StructuredModel(model, attempts=1))
    worded = writer.write(state, plain)
    assert worded[0].query == "South Sudan ISO code"
    assert worded[0].node == plain[0].node
    assert worded[1] == plain[1]  # it had repeated a search that was made
    assert await writer.awrite(state, plain) == worded
    prompt = str(model.requests[0][-1].content)
    assert "still open:\n<<n1 " in prompt
    assert SEAT in prompt


@pytest.mark.parametrize("reply", ["nonsense", ConnectionError("down"), wordings(n1="x" * 201, n2="  ?")])
def test_a_writer_that_fails_loses_nothing(reply: Any) -> None:
    state = seen(QUESTION, (QUESTION, SEAT))
    plain = gaps(state)
    writer = QueryWriter(StructuredModel(ScriptedModel(script=lambda _: reply), attempts=1))
    assert writer.write(state, plain) == plain
    assert writer.write(state, ()) == ()


def test_an_interrupt_of_the_writer_passes_through() -> None:
    state = seen(QUESTION, (QUESTION, SEAT))
    writer = QueryWriter(StructuredModel(ScriptedModel(script=lambda _: GraphInterrupt()), attempts=1))
    with pytest.raises(GraphInterrupt):
        writer.write(state, gaps(state))


# --- gathering ---------------------------------------------------------------------------------------


class Counting:
    """A corpus that counts its searches."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.calls = 0

    def search(self, query: str, k: int) -> Any:
        self.calls += 1
        return self._corpus.search(query, k)

    def passage(self, passage_id: str) -> Any:
        return self._corpus.passage(passage_id)


@pytest.fixture(scope="module")
def world() -> Any:
    return gazetteer(questions=120)


def test_the_control_always_makes_the_same_number_of_calls(world: Any) -> None:
    corpus = Counting(Corpus(world.passages))
    made = []
    for question in ["", "zzz", *(one.question for one in world.questions[:20])]:
        before = corpus.calls
        gathered = Fixed(corpus, searches=3, k=2).gather(question, plan=("not read",))
        made.append(corpus.calls - before)
        shown = [passage.id for passage in gathered.passages]
        assert shown == [hit.passage.id for hit in Corpus.search(corpus._corpus, question, 6)]
        assert gathered.queries == (question,) * 3
    assert set(made) == {3}


def test_the_gap_driven_one_stops_where_nothing_is_open(world: Any) -> None:
    corpus = Counting(Corpus(world.passages))
    easy = GapDriven(corpus, searches=4, k=3).gather("Juba capital of South Sudan?")
    assert (corpus.calls, len(easy.queries)) == (1, 1)
    nothing = GapDriven(corpus, searches=4, k=3).gather("zzz")
    assert (nothing.passages, nothing.queries) == ((), ("zzz",))
    empty = GapDriven(corpus, searches=4).gather("")
    assert (empty.passages, empty.queries) == ((), ())


def test_every_passage_is_shown_once_and_no_more_than_allowed(world: Any) -> None:
    corpus = Corpus(world.passages)
    for question in world.questions[:30]:
        gathered = GapDriven(corpus, searches=3, k=2).gather(question.question)
        shown = [passage.id for passage in gathered.passages]
        assert len(shown) == len(set(shown)) <= 2 * len(gathered.queries) <= 6
        lines = [line for step in gathered.state.steps for line in step.observation.text.splitlines()]
        assert len(lines) == len(shown)  # a search goes past what was shown already
        asked = [frozenset(words(query)) for query in gathered.queries]
        assert len(set(asked)) == len(asked)


def test_two_searches_find_the_second_hop_that_one_cannot(world: Any) -> None:
    corpus = Corpus(world.passages)
    bridge = [one for one in world.questions if one.kind == "bridge" and one.hops == 2]

    def found(policy: Any) -> list[float]:
        return [
            gold_share([passage.id for passage in policy.gather(one.question).passages], one)
            for one in bridge
        ]

    gained = paired_difference(found(GapDriven(corpus)), found(Fixed(corpus)))
    assert gained.low > 0.1


def test_settings(world: Any) -> None:
    corpus = Corpus(world.passages[:3])
    with pytest.raises(ConfigError):
        GapDriven(corpus, searches=0)
    with pytest.raises(ConfigError):
        Fixed(corpus, k=0)


DATA = Path(os.environ.get("COREACT_DATA", Path(__file__).parents[2].parent / "shared/data")) / (
    "multihop_qa_open"
)


@pytest.mark.skipif(not DATA.is_dir(), reason="the multi-hop questions are not on this machine")
def test_on_real_questions_that_nothing_was_chosen_on() -> None:
    world = load_world(DATA)
    corpus = Corpus(world.passages)
    unseen = halves(world.questions).dev

    def whole(policy: Any) -> list[float]:
        gathered = (policy.gather(one.question) for one in unseen)
        return [
            float(gold_share([passage.id for passage in each.passages], one) == 1)
            for each, one in zip(gathered, unseen, strict=True)
        ]

    assert paired_difference(whole(GapDriven(corpus)), whole(Fixed(corpus))).low > 0
