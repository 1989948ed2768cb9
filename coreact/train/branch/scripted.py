"""Branching points of a world without any model: states of a searching agent, actions, what each one finds.

A state is made by a scripted policy that searches well and badly by turns, through the agent's own search
tool, so it holds exactly what an agent would have been shown. The candidates are actions that such an agent
might take next (`policies`). Each is executed, and its gain is measured (`environment`). Candidates stand in
the order of a hash, which tells nothing about them. Nothing is stored and nobody is waited for; runs in which
models act and teach are the business of `collecting`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool

from coreact.host.messages import StateReader, actions_of
from coreact.rubric import Action
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.branch.environment import LIMIT, SYSTEM, WorldEnvironment
from coreact.train.branch.policies import Policies, Situation
from coreact.worlds import Question, Split, World
from coreact.worlds.choosing import choose
from coreact.worlds.multihop import Halves, halves

__all__ = ["LIMIT", "Sampler", "collect", "parts", "sampled_by", "splits"]

OWN_SPLITS = 1000
"""Questions from which on a world's own splits are large enough to measure on."""

GAZETTEER_HOPS = 2
"""Hops of the gazetteer's questions, as in the suite of the bench."""

Sampler = Callable[[Sequence[AnyMessage], BaseTool], Iterable[Action]]
"""Proposes actions for a conversation: a chat model asked several times, see `sampled_by`."""


def parts(world: World, *, n: int, seed: int) -> Halves:
    """Questions to fit on and to measure on, at most `n` of each.

    Of a world with a thousand questions or more, bridge questions are drawn by `seed` from its own splits,
    so that nothing measured on its dev questions was fitted on them. A smaller world is halved.
    """
    if len(world.questions) < OWN_SPLITS:
        both = halves(world.questions)
        return Halves(both.train[:n], both.dev[:n])
    train = [
        q for q in world.questions if q.split == "train" and q.kind == "bridge" and q.hops == GAZETTEER_HOPS
    ]
    drawn = Random(seed).sample(train, min(n, len(train)))
    return Halves(tuple(drawn), tuple(choose(world, n=n, seed=seed, hops=GAZETTEER_HOPS)))


def splits(world: World) -> dict[str, Split]:
    """The half that each question of a world belongs to, by its id: where `parts` can take it for.

    All questions have one, those too that `parts` does not draw.
    """
    if len(world.questions) >= OWN_SPLITS:
        return {question.id: question.split for question in world.questions}
    both = halves(world.questions)
    found: dict[str, Split] = {question.id: "train" for question in both.train}
    return found | {question.id: "dev" for question in both.dev}


def collect(
    world: World,
    questions: Sequence[Question],
    *,
    seed: int = 0,
    per_question: int = 1,
    sampler: Sampler | None = None,
    known: Mapping[str, BranchingPoint] | None = None,
    readable: bool | None = False,
) -> Iterator[BranchingPoint]:
    """Branching points of questions, in order; some have no contrast (`BranchingPoint.has_contrast`).

    Args:
        world: corpus, and questions to borrow an off-topic search from.
        questions: questions of this world.
        seed: draws how far each question is rolled, and the policy's moves.
        per_question: states taken from each question, 1 to 4, each with another number of steps.
        sampler: adds its own candidates, or None.
        known: points that are there already, by id; they are given as they are.
        readable: whether the agent may read passages in full, see `WorldEnvironment`. Not unless told, since
            recorded comparisons of rubrics are of agents that search only.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """
    environment = WorldEnvironment(world, readable=readable)
    for question in questions:
        draw = Random(f"{seed}|{question.id}")
        depths = sorted(draw.sample(range(LIMIT), min(per_question, LIMIT)))
        roll = _Roll(environment, question)
        for depth in depths:
            while len(roll.found) < depth and roll.move(draw):
                pass
            point_id = f"{question.id}.{seed}.{len(roll.found)}"
            if len(roll.found) == depth:
                kept = known.get(point_id) if known is not None else None
                yield kept or roll.point(point_id, draw=Random(point_id), sampler=sampler)


class _Roll:
    """One question on its way: the conversation so far, and what can be done next."""

    def __init__(self, environment: WorldEnvironment, question: Question) -> None:
        self._environment = environment
        self._question = question
        self._policies = Policies(environment)
        self._messages: list[AnyMessage] = [HumanMessage(question.question)]
        self._reader = StateReader()
        self.found: list[list[str]] = []
        """Passages shown by each search so far."""

    @property
    def _situation(self) -> Situation:
        state = self._reader.read(self._messages, tools=self._environment.tools, limit=LIMIT)
        return Situation(self._question, state, [key for found in self.found for key in found])

    def move(self, draw: Random) -> bool:
        """Take one step of a drawn policy; False where no policy has a search left that is new."""
        policies = [self._policies.bridge, self._policies.entity, self._policies.verbatim]
        draw.shuffle(policies)
        at = self._situation
        done = set(at.state.queries)
        for policy in policies:
            query = policy(at)
            if query and query not in done:
                call_id = f"c{len(self.found)}"
                action = self._policies.searching(query)
                assert action.call is not None  # noqa: S101 - it searches
                result = self._environment.call(action.call, call_id)
                call = {"name": action.call.name, "args": action.call.arguments, "id": call_id}
                self._messages += [AIMessage("", tool_calls=[call]), result]
                self.found.append(list(result.artifact))
                return True
        return False

    def point(self, point_id: str, *, draw: Random, sampler: Sampler | None) -> BranchingPoint:
        """The branching point here."""
        at = self._situation
        proposed = self._policies.proposed(at, draw)
        if sampler is not None:
            proposed += [("sample", action) for action in sampler(self._messages, self._environment.tool)]
        candidates: dict[str, Candidate] = {}
        for source, action in proposed:
            # Of equal actions the first named is kept; a model's blanks around a query do not count.
            key = action.call.key if action.call is not None else f"answer {action.answer}"
            if key not in candidates:
                gain = self._environment.gained(self._question, at.state, at.shown, action)
                candidates[key] = Candidate(action=action, gain=gain, source=source)
        order = sorted(candidates, key=lambda key: hashlib.sha256(f"{point_id}|{key}".encode()).digest())
        return BranchingPoint(
            id=point_id,
            question_id=self._question.id,
            world=self._environment.name,
            state=at.state,
            candidates=tuple(candidates[key] for key in order),
        )


def sampled_by(model: BaseChatModel, temperatures: Sequence[float]) -> Sampler:
    """A sampler that asks a chat model with tool calling once at each temperature, each in [0, 2]."""

    def sample(messages: Sequence[AnyMessage], tool: BaseTool) -> Iterator[Action]:
        for temperature in temperatures:
            bound = model.bind_tools([tool], temperature=temperature)
            reply = bound.invoke([SystemMessage(SYSTEM), *messages])
            yield actions_of(reply)[0]

    return sample
