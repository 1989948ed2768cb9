"""A scripted searcher in the gazetteer world: it makes mistakes that real agents make."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest

from coreact.judge.sufficiency import Example, LogisticCritic, fit, practise, prefixes
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract
from coreact.worlds import Corpus, Question, World, exact_answer, gazetteer

SEARCH = ToolContract(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    role="search",
    read_only=True,
)


def searched(state: State, query: str, corpus: Corpus, k: int = 3) -> State:
    """The state after one search, shown as `corpus_tools` shows it."""
    hits = corpus.search(query, k)
    text = "\n".join(f"[{hit.passage.id}] {hit.passage.title}: {hit.passage.text}" for hit in hits)
    text = text or f"No passage shares a word with {query!r}. Try other words, or a shorter query."
    call = ToolCall(name="search", arguments={"query": query})
    return state.after(Step(call=call, observation=Observation(text=text)))


class Run(NamedTuple):
    question: Question
    states: tuple[State, ...]
    drafts: tuple[str, ...]


def wander(question: Question, corpus: Corpus, rng: Random, decoys: list[str], steps: int = 4) -> Run:
    """Walk the hops of a question, now and then off the way, and guess an answer after every search.

    The draft is the gold answer only where the passage that states it was found. Otherwise it is an answer
    of another question: out of thin air, or (half of the time) one that happens to stand in what was found.
    """
    state = State.start(question.question, tools=(SEARCH,), limit=steps)
    hops = list(question.chain)
    drafts = [rng.choice(decoys)]
    for _ in range(steps):
        way = rng.random()
        if way < 0.2 and state.queries:
            query = state.queries[-1]  # repeats itself
        elif way < 0.4:
            query = question.question.split(" ", 3)[-1]  # drops what matters
        else:
            query = hops.pop(0).query if hops else question.chain[-1].query
        state = searched(state, query, corpus)
        seen = "\n".join(step.observation.text for step in state.steps if step.observation is not None)
        found = question.chain[-1].passage_id in seen and not hops
        near = [one for one in decoys if one in seen and one != question.answer]
        if found and rng.random() < 0.9:
            drafts.append(question.answer)
        else:
            drafts.append(rng.choice(near) if near and rng.random() < 0.5 else rng.choice(decoys))
    return Run(question, prefixes(state), tuple(drafts))


def examples_of(run: Run) -> tuple[Example, ...]:
    right: Callable[[str], bool] = lambda draft: exact_answer(draft, run.question)  # noqa: E731
    return practise(run.states, run.drafts, right, question=run.question.id, run="1").examples


@pytest.fixture(scope="session")
def world() -> World:
    return gazetteer(questions=600)


@pytest.fixture(scope="session")
def corpus(world: World) -> Corpus:
    return Corpus(world.passages)


@pytest.fixture(scope="session")
def bridges(world: World) -> list[Question]:
    return [one for one in world.questions if one.kind == "bridge"]


def easy(question: Question) -> Question:
    """A question of one hop: the last of a chain, asked for by itself."""
    hop = question.chain[-1]
    return question.model_copy(
        update={
            "id": f"{question.id}-easy",
            "question": f"What is the {hop.relation} of {hop.entity}?",
            "hops": 1,
            "supporting_ids": (hop.passage_id,),
            "chain": (hop,),
        }
    )


@pytest.fixture(scope="session")
def practised(bridges: list[Question], corpus: Corpus) -> list[Example]:
    rng, decoys = Random(7), sorted({one.answer for one in bridges})
    asked = [*bridges[:250], *map(easy, bridges[250:400])]
    return [example for question in asked for example in examples_of(wander(question, corpus, rng, decoys))]


@pytest.fixture(scope="session")
def critic(practised: list[Example]) -> LogisticCritic:
    return fit(practised, dataset="400 gazetteer questions, scripted searcher")


@pytest.fixture(scope="session")
def search(corpus: Corpus) -> Callable[[State, str], State]:
    """Searches once more, in the gazetteer's corpus."""
    return lambda state, query: searched(state, query, corpus)


@pytest.fixture(scope="session")
def starting() -> Callable[..., State]:
    """The state before the first search."""
    return lambda question, limit=4: State.start(question, tools=(SEARCH,), limit=limit)


@pytest.fixture(scope="session")
def seeing() -> Callable[..., State]:
    """A state with one search for each pair of query and observed text; None: the search failed."""

    def build(question: str, *found: tuple[str, str | None], limit: int | None = None) -> State:
        state = State.start(question, tools=(SEARCH,), limit=limit)
        for query, text in found:
            seen = Observation(text="timed out", failed=True) if text is None else Observation(text=text)
            state = state.after(
                Step(call=ToolCall(name="search", arguments={"query": query}), observation=seen)
            )
        return state

    return build
