"""Collects branching points: states of a searching agent, candidate actions, and what each one finds.

A state is made by a scripted policy that searches well and badly by turns, through the agent's own search
tool, so it holds exactly what an agent would have been shown. The candidates are actions that such an agent
might take next. Each is executed, and its gain is measured rather than judged:

- a search gains the share of the question's proving passages that it shows for the first time, in [0, 1];
- an answer gains 1 if all of them were shown before, else 0. Whether the words of the answer are right is
  not asked: in these worlds an answer before its proof is a guess, and after it a matter of reading.

So once everything is found only answering gains. Candidates stand in the order of a hash, which tells
nothing about them. No model is needed; one may add samples of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from coreact_tools import corpus_tools
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool

from coreact.generate.entities import entities
from coreact.host.messages import Contracts, StateReader, actions_of
from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.rubric.words import fold
from coreact.worlds import Corpus, Passage, Question, World, gold_share
from coreact.worlds.choosing import choose
from coreact.worlds.multihop import Halves, halves

LIMIT = 4
"""Tool calls that the agent may make; states have 0 to 3 of them behind them, so one is always left."""

GAZETTEER_HOPS = 2
"""Hops of the gazetteer's questions, as in the suite of the bench."""

SYSTEM = "Search before you answer."
"""System prompt of sampled actions, as the agents have it."""

Sampler = Callable[[Sequence[AnyMessage], BaseTool], Iterable[Action]]
"""Proposes actions for a conversation: a chat model asked several times, see `sampled_by`."""


def parts(world: World, *, n: int, seed: int) -> Halves:
    """Questions to fit on and to measure on, at most `n` of each.

    Of a world with a thousand questions or more, bridge questions are drawn by `seed` from its own splits,
    so that nothing measured on its dev questions was fitted on them. A smaller world is halved.
    """
    if len(world.questions) < 1000:
        both = halves(world.questions)
        return Halves(both.train[:n], both.dev[:n])
    train = [
        q for q in world.questions if q.split == "train" and q.kind == "bridge" and q.hops == GAZETTEER_HOPS
    ]
    drawn = Random(seed).sample(train, min(n, len(train)))
    return Halves(tuple(drawn), tuple(choose(world, n=n, seed=seed, hops=GAZETTEER_HOPS)))


def collect(
    world: World,
    questions: Sequence[Question],
    *,
    seed: int = 0,
    per_question: int = 1,
    sampler: Sampler | None = None,
    known: Mapping[str, BranchingPoint] | None = None,
) -> Iterator[BranchingPoint]:
    """Branching points of questions, in order; some have no contrast (`BranchingPoint.has_contrast`).

    Args:
        world: corpus, and questions to borrow an off-topic search from.
        questions: questions of this world.
        seed: draws how far each question is rolled, and the policy's moves.
        per_question: states taken from each question, 1 to 4, each with another number of steps.
        sampler: adds its own candidates, or None.
        known: points that are there already, by id; they are given as they are.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """
    lab = _Lab(world)
    for question in questions:
        draw = Random(f"{seed}|{question.id}")
        depths = sorted(draw.sample(range(LIMIT), min(per_question, LIMIT)))
        roll = _Roll(lab, question)
        for depth in depths:
            while len(roll.found) < depth and roll.move(draw):
                pass
            point_id = f"{question.id}.{seed}.{len(roll.found)}"
            if len(roll.found) == depth:
                kept = known.get(point_id) if known is not None else None
                yield kept or roll.point(point_id, draw=Random(point_id), sampler=sampler)


class _Lab:
    """A world made executable: its search tool, and what the policies know of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tool: BaseTool = corpus_tools(Corpus(world.passages))[0]
        self.contracts: tuple[ToolContract, ...] = Contracts().read([self.tool])
        self.passages: dict[str, Passage] = {passage.id: passage for passage in world.passages}

    def search(self, query: str, call_id: str) -> ToolMessage:
        """What the agent's tool returns; the artifact lists the passages shown."""
        call = {"name": self.tool.name, "args": {"query": query}, "id": call_id, "type": "tool_call"}
        message: ToolMessage = self.tool.invoke(call)
        return message

    def elsewhere(self, question: Question, draw: Random) -> Question:
        """Another question, drawn."""
        while True:
            other = draw.choice(self.world.questions)
            if other.id != question.id or len(self.world.questions) == 1:
                return other


class _Gold(NamedTuple):
    """One proving passage and how an ideal searcher asks for it."""

    passage_id: str
    entity: str
    query: str


def _gold(lab: _Lab, question: Question) -> list[_Gold]:
    if question.chain:
        return [_Gold(hop.passage_id, hop.entity, hop.query) for hop in question.chain]
    titles = [(key, lab.passages[key].title or lab.passages[key].text) for key in question.supporting_ids]
    # "Mercury (planet)" is Mercury in running text.
    return [_Gold(key, title.partition(" (")[0], title) for key, title in titles]


class _Roll:
    """One question on its way: the conversation so far, and what can be done next."""

    def __init__(self, lab: _Lab, question: Question) -> None:
        self._lab = lab
        self._question = question
        self._gold = _gold(lab, question)
        self._messages: list[AnyMessage] = [HumanMessage(question.question)]
        self._reader = StateReader()
        self.found: list[list[str]] = []
        """Passages shown by each search so far."""

    @property
    def state(self) -> State:
        return self._reader.read(self._messages, tools=self._lab.contracts, limit=LIMIT)

    @property
    def _share(self) -> float:
        return gold_share((key for found in self.found for key in found), self._question)

    def move(self, draw: Random) -> bool:
        """Take one step of a drawn policy; False where no policy has a search left that is new."""
        policies = [self._bridge, self._entity, self._verbatim]
        draw.shuffle(policies)
        done = set(self.state.queries)
        for policy in policies:
            query = policy(self.state)
            if query and query not in done:
                call_id = f"c{len(self.found)}"
                call = {"name": self._lab.tool.name, "args": {"query": query}, "id": call_id}
                result = self._lab.search(query, call_id)
                self._messages += [AIMessage("", tool_calls=[call]), result]
                self.found.append(list(result.artifact))
                return True
        return False

    def point(self, point_id: str, *, draw: Random, sampler: Sampler | None) -> BranchingPoint:
        """The branching point here."""
        state = self.state
        other = self._lab.elsewhere(self._question, draw)
        queries = {
            "bridge": self._bridge(state),
            "entity": self._entity(state),
            "verbatim": self._verbatim(state),
            "off topic": next(iter(entities(other.question)), other.question),
            "repeat": state.queries[-1] if state.queries else None,
        }
        proposed = [(source, self._searching(query)) for source, query in queries.items() if query]
        proposed.append(("answer", Action(answer=self._answer(state, other))))
        if sampler is not None:
            proposed += [("sample", action) for action in sampler(self._messages, self._lab.tool)]
        candidates: dict[str, Candidate] = {}
        for source, action in proposed:
            # Of equal actions the first named is kept; a model's blanks around a query do not count.
            key = action.call.key if action.call is not None else f"answer {action.answer}"
            if key not in candidates:
                candidates[key] = Candidate(action=action, gain=self._gain(action), source=source)
        order = sorted(candidates, key=lambda key: hashlib.sha256(f"{point_id}|{key}".encode()).digest())
        return BranchingPoint(
            id=point_id,
            question_id=self._question.id,
            world=self._lab.world.name,
            state=state,
            candidates=tuple(candidates[key] for key in order),
        )

    def _gain(self, action: Action) -> float:
        if action.call is None:
            return float(self._share == 1)
        query = action.call.arguments.get("query")
        if action.call.name != self._lab.tool.name or not isinstance(query, str):
            return 0.0
        shown = self._lab.search(query, "probe").artifact
        before = {key for found in self.found for key in found}
        return gold_share(before.union(shown), self._question) - self._share

    def _searching(self, query: str) -> Action:
        return Action(call=ToolCall(name=self._lab.tool.name, arguments={"query": query}))

    # --- policies: each names its next query, or None ----------------------------------------------

    def _bridge(self, state: State) -> str | None:
        """The ideal searcher: ask for the first missing proof whose subject is known by now."""
        before = {key for found in self.found for key in found}
        missing = [gold for gold in self._gold if gold.passage_id not in before]
        return next((gold.query for gold in missing if state.knows(gold.entity)), None)

    def _entity(self, state: State) -> str | None:
        """Look up the first name that was not looked up: of the question, then of the last result."""
        last = state.last_observation
        names = [*entities(state.question), *(entities(last.text) if last is not None else ())]
        return next((name for name in names if f" {fold(name)} " not in state.searched), None)

    def _verbatim(self, state: State) -> str | None:
        return state.question

    def _answer(self, state: State, other: Question) -> str:
        """The right answer where all proof is there, else a guess such as an agent makes."""
        if self._share == 1:
            return self._question.answer
        last = state.last_observation
        seen = entities(last.text) if last is not None else ()
        return seen[-1] if seen else other.answer


def sampled_by(model: BaseChatModel, temperatures: Sequence[float]) -> Sampler:
    """A sampler that asks a chat model with tool calling once at each temperature, each in [0, 2]."""

    def sample(messages: Sequence[AnyMessage], tool: BaseTool) -> Iterator[Action]:
        for temperature in temperatures:
            bound = model.bind_tools([tool], temperature=temperature)
            reply = bound.invoke([SystemMessage(SYSTEM), *messages])
            yield actions_of(reply)[0]

    return sample
