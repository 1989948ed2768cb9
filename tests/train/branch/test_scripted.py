"""Branching points: what a candidate gains, that states are the agent's own, and that nothing is random."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import AIMessage, BaseMessage

from coreact.rubric import Action, ToolCall
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.testing import ScriptedModel, call
from coreact.train.branch.scripted import LIMIT, collect, parts, sampled_by
from coreact.worlds import Corpus, Hop, Passage, Question, World, gazetteer, load_world

PASSAGES = (
    Passage(id="p1", title="Omaha Song", text="Omaha Song was sung by Anna Berg in spring."),
    Passage(id="p2", title="Anna Berg", text="Anna Berg was born in Lower Tarn."),
    Passage(id="p3", title="Bo Li", text="Bo Li wrote a book on bees."),
    Passage(id="p4", title="Carla Diaz", text="Carla Diaz painted bees."),
)


def question(name: str, text: str, *hops: Hop) -> Question:
    return Question(
        id=name,
        question=text,
        answer=hops[-1].answer,
        hops=len(hops),
        kind="bridge",
        supporting_ids=tuple(hop.passage_id for hop in hops),
        chain=hops,
    )


SUNG = question(
    "sung",
    "Where was the singer of Omaha Song born?",
    Hop(entity="Omaha Song", relation="sung", passage_id="p1", answer="Anna Berg"),
    Hop(entity="Anna Berg", relation="born", passage_id="p2", answer="Lower Tarn"),
)
BEES = question(
    "bees",
    "On what did Bo Li write?",
    Hop(entity="Bo Li", relation="book", passage_id="p3", answer="bees"),
)
WORLD = World(name="tiny", passages=PASSAGES, questions=(SUNG, BEES))


def points(**settings: Any) -> dict[int, BranchingPoint]:
    """The points of the first question by their number of steps."""
    return {len(p.state.steps): p for p in collect(WORLD, [SUNG], per_question=4, **settings)}


def of(point: BranchingPoint, source: str) -> Candidate:
    return next(one for one in point.candidates if one.source == source)


def query(candidate: Candidate) -> str:
    assert candidate.action.call is not None
    return str(candidate.action.call.arguments["query"])


def test_the_first_state_offers_every_kind_of_action() -> None:
    point = points()[0]
    assert (point.id, point.question_id, point.world) == ("sung.0.0", "sung", "tiny")
    assert {one.source for one in point.candidates} == {"bridge", "entity", "verbatim", "off topic", "answer"}
    assert query(of(point, "bridge")) == "Omaha Song sung"
    assert query(of(point, "entity")) == "Omaha Song"
    assert query(of(point, "verbatim")) == SUNG.question
    assert query(of(point, "off topic")) == "Bo Li"
    # By hand: the first passage is all that "Omaha Song" finds; "born" brings up the second one as well.
    assert [of(point, s).gain for s in ("bridge", "entity", "off topic", "answer")] == [0.5, 0.5, 0.0, 0.0]
    assert of(point, "verbatim").gain == 1.0
    assert of(point, "answer").action.answer != SUNG.answer
    assert point.has_contrast


def test_once_all_is_found_only_answering_gains() -> None:
    found = [p for p in points(seed=3).values() if of(p, "answer").gain == 1.0]
    assert found
    for point in found:
        assert of(point, "answer").action.answer == SUNG.answer
        assert {one.gain for one in point.candidates if one.source != "answer"} == {0.0}
        assert "bridge" not in {one.source for one in point.candidates}


def test_the_bridge_is_offered_when_its_subject_is_known() -> None:
    for seed in range(12):
        for point in points(seed=seed).values():
            shown = " ".join(step.observation.text for step in point.state.steps if step.observation)
            offered = [query(one) for one in point.candidates if one.source == "bridge"]
            assert ("Anna Berg born" in offered) == ("[p1]" in shown and "[p2]" not in shown)


def test_a_repeat_finds_nothing_new() -> None:
    for seed in range(6):
        for steps, point in points(seed=seed).items():
            repeats = [
                one for one in point.candidates if steps and query_or_none(one) == point.state.queries[-1]
            ]
            assert len(repeats) == (1 if steps else 0)
            assert all(one.gain == 0 for one in repeats)


def query_or_none(candidate: Candidate) -> str | None:
    return None if candidate.action.call is None else query(candidate)


def test_states_are_what_the_agents_tool_returned() -> None:
    search = corpus_tools(Corpus(PASSAGES))[0]
    point = points()[3]
    assert point.state.budget.limit == LIMIT
    assert point.state.budget.used == 3
    assert point.state.tools[0].role == "search"
    for step in point.state.steps:
        assert step.observation is not None
        assert step.observation.text == search.invoke(step.call.arguments)


def test_the_same_seed_gives_the_same_points_and_another_others() -> None:
    first = list(collect(WORLD, WORLD.questions, per_question=4))
    assert list(collect(WORLD, WORLD.questions, per_question=4)) == first
    assert list(collect(WORLD, WORLD.questions, per_question=4, seed=1)) != first


def test_points_that_are_known_are_given_as_they_are() -> None:
    first = list(collect(WORLD, [SUNG], per_question=4))
    changed = first[1].model_copy(update={"world": "elsewhere"})
    again = list(collect(WORLD, [SUNG], per_question=4, known={changed.id: changed}))
    assert again == [first[0], changed, *first[2:]]


def test_no_place_in_the_order_is_better_than_another() -> None:
    world = gazetteer()
    best = [0] * 5
    for point in collect(world, parts(world, n=60, seed=0).dev):
        top = max(point.gains)
        for at, gain in enumerate(point.gains[:5]):
            best[at] += gain == top
    assert min(best) > 0.5 * max(best)


def test_a_model_adds_candidates_of_its_own() -> None:
    temperatures: list[float] = []

    class Bound(ScriptedModel):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
            temperatures.append(kwargs["temperature"])
            return super().bind_tools(tools)

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        assert str(messages[0].text).startswith("Search")
        return (
            call("search", query="Anna Berg")
            if len(temperatures) % 2
            else call("open", url="https://example.org")
        )

    found = points(sampler=sampled_by(Bound(script=reply), [0.0, 1.0]))
    assert temperatures == [0.0, 1.0] * len(found)
    samples = [one for one in found[0].candidates if one.source == "sample"]
    gains = {one.action.call.name: one.gain for one in samples if one.action.call is not None}
    assert gains == {"search": 1.0, "open": 0.0}  # the name alone finds both passages


def test_a_sample_that_is_there_already_is_no_second_candidate() -> None:
    def sampler(*_: Any) -> Iterator[Action]:
        yield Action(call=ToolCall(name="search", arguments={"query": "Omaha Song"}, id="another"))

    assert len(points(sampler=sampler)[0].candidates) == len(points()[0].candidates)


# --- which questions ------------------------------------------------------------------------------


def test_a_large_world_keeps_its_own_splits() -> None:
    both = parts(gazetteer(), n=7, seed=0)
    assert {q.split for q in both.train} == {"train"}
    assert {q.split for q in both.dev} == {"dev"}
    assert {(q.kind, q.hops) for q in (*both.train, *both.dev)} == {("bridge", 2)}
    assert (len(both.train), len(both.dev)) == (7, 7)
    assert parts(gazetteer(), n=7, seed=1) != both


def test_a_small_world_is_halved() -> None:
    both = parts(WORLD, n=9, seed=0)
    assert sorted(q.id for q in (*both.train, *both.dev)) == ["bees", "sung"]
    assert (len(both.train), len(both.dev)) == (1, 1)


def test_real_questions_give_points_with_contrast() -> None:
    root = Path(__file__).resolve().parents[3]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "multihop_qa_open"
    if not folder.is_dir():
        pytest.skip(f"no multihop_qa_open in {data}; set COREACT_DATA to the folder that has it")
    world = load_world(folder)
    found = list(collect(world, world.questions))
    assert len(found) > 190
    assert sum(point.has_contrast for point in found) > 0.8 * len(found)
