"""The ways through decisions: a live run whose actions are taken by us, and the decisions of a stored run.

A live run starts from the question, looks, follows one action, takes it and looks again, until an answer is
followed or its tool calls are spent. Of a stored run every decision is looked at in the very state that was
recorded, and nothing is followed but what the run did. An interrupted live run takes its followed actions
again, which costs no model, and goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import repeat
from typing import Protocol, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, messages_from_dict

from coreact.errors import StoreError, WorldError
from coreact.host.messages import StateReader
from coreact.rubric import Action, State
from coreact.trace.records import StepRecord, Trajectory
from coreact.trace.states import state_at
from coreact.train.branch.choice import asked_id
from coreact.train.branch.environment import LIMIT, SYSTEM, RolloutEnvironment
from coreact.train.branch.looking import Looked, Looker
from coreact.train.branch.roll_in import Followed, RollIn, coin, follow
from coreact.train.branch.sampling import Decision, Proposal
from coreact.train.branch.visits import Driver, End, Visit
from coreact.train.stored import bare

_STORED: Driver = "stored"


class Route(Protocol):
    """A way through decisions."""

    question_id: str
    run: str
    how: End
    """How it ended, once it has."""
    passed_over: dict[str, int]
    """Decisions that could not be visited, by reason."""

    def visits(self, begun: Sequence[Visit]) -> AsyncIterator[Visit]:
        """The visits after those begun, as they happen."""


class LiveRun:
    """One question, from its first decision on.

    Args:
        environment: where actions are taken.
        question_id: the question.
        looker: looks at each decision.
        roll_in: which action is followed.
        beta: share of decisions that the teacher is meant to have; counts with the rule `teacher`.
        limit: tool calls that the run may take, at least 1.
        seed: of all draws.
        system: system prompt of the agent, part of its states as of a running agent's; empty: it has none.
    """

    def __init__(
        self,
        environment: RolloutEnvironment,
        question_id: str,
        looker: Looker,
        *,
        roll_in: RollIn | None = None,
        beta: float = 0.0,
        limit: int = LIMIT,
        seed: int = 0,
        system: str = SYSTEM,
    ) -> None:
        self.question_id = question_id
        self.run = ""
        self.how: End = "budget"
        self.passed_over: dict[str, int] = {}
        self._environment = environment
        self._looker = looker
        self._rule = (roll_in or RollIn()).rule
        self._beta = beta
        self._limit = limit
        self._seed = seed
        self._messages: list[AnyMessage] = [HumanMessage(environment.prompt(question_id))]
        self._system = system
        self._reader, self._drawing = StateReader(), StateReader()
        self._shown: list[str] = []

    async def visits(self, begun: Sequence[Visit] = ()) -> AsyncIterator[Visit]:
        """The visits after those begun.

        Raises:
            WorldError: the actions that were taken before do not lead where they led.
            ModelCallError, JudgingError: a model, the teacher or the panel is dead.
        """
        rolled_in: tuple[Driver, ...] = ()
        for step in range(self._limit):
            if step < len(begun):
                visit = begun[step]
                if visit.state.digest != self._state.digest:
                    raise WorldError(
                        f"Step {step} of question {self.question_id!r} is not where its actions led before.",
                        remedy="The environment changed; collect into another folder.",
                    )
            else:
                visit = await self._visit(step, rolled_in)
                yield visit
            if visit.followed is None or visit.driver is None:
                self.how = "stuck"
                return
            if visit.followed.call is None:
                self.how = "answered"
                return
            await self._take(visit.followed)
            rolled_in += (visit.driver,)

    @property
    def _state(self) -> State:
        return self._reader.read(
            self._messages, tools=self._environment.tools, system=self._system, limit=self._limit
        )

    async def _visit(self, step: int, rolled_in: tuple[Driver, ...]) -> Visit:
        state = self._state
        # Draws are made of what was asked and done: under another system prompt they are the same.
        drawn = self._drawing.read(self._messages, tools=self._environment.tools).digest
        decision = Decision(
            f"{self.question_id}.{self._seed}.{step}.{drawn[-8:]}",
            self.question_id,
            state,
            (*([SystemMessage(self._system)] if self._system else []), *self._messages),
            tuple(self._shown),
        )
        looked = await self._looker.look(decision, step=step, world=self._environment.name)
        found = follow(
            self._rule,
            looked.candidates,
            looked.label.gains,
            usable=looked.usable,
            teacher=looked.teacher,
            teacher_acts=coin(self.question_id, step, self._seed) < self._beta,
            draw=decision.id,
        )
        return _followed(looked, found, rolled_in, beta=self._beta if self._rule == "teacher" else None)

    async def _take(self, action: Action) -> None:
        call = action.call
        assert call is not None  # noqa: S101 - an answer is not taken
        call_id = f"c{len(self._messages)}"
        result = await self._environment.execute(call, call_id)
        made = {"name": call.name, "args": call.arguments, "id": call_id, "type": "tool_call"}
        self._messages += [AIMessage("", tool_calls=[made]), result]
        self._shown += [key for key in _artifact(result.artifact) if key not in self._shown]


class StoredRun:
    """The decisions of a stored run.

    A decision whose state cannot be had again (capture off, a changed record) is passed over and counted.

    Args:
        trajectory: the run.
        looker: looks at each decision.
        environment: a world that knows the question; then the run's calls are taken again to learn what they
            had shown. None: gains cannot be measured.
        seed: of all draws.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        looker: Looker,
        *,
        environment: RolloutEnvironment | None = None,
        question_id: str | None = None,
        seed: int = 0,
    ) -> None:
        self.question_id = question_id or asked_id(trajectory)
        self.run = trajectory.run.id
        self.how: End = "stored"
        self.passed_over: dict[str, int] = {}
        self._trajectory = trajectory
        self._looker = looker
        self._environment = environment
        self._seed = seed

    async def visits(self, begun: Sequence[Visit] = ()) -> AsyncIterator[Visit]:
        """The visits after those begun.

        Raises:
            ModelCallError, JudgingError: a model, the teacher or the panel is dead.
        """
        known = {visit.step for visit in begun}
        for at, record in enumerate(self._trajectory.steps):
            if record.index in known:
                continue
            try:
                state = state_at(self._trajectory, record.index)
            except StoreError:
                self._pass_over("state not to be had")
                continue
            if not state.tools:
                self._pass_over("no tools known")
                continue
            yield await self._visit(record, state, rolled_in=tuple(repeat(_STORED, at)))

    async def _visit(self, record: StepRecord, state: State, *, rolled_in: tuple[Driver, ...]) -> Visit:
        messages = messages_from_dict(list(self._trajectory.prompt(record.index)))
        environment = self._environment
        shown = await replayed(environment, state) if environment is not None else None
        decision = Decision(
            f"{self.run}.{record.index}.{self._seed}",
            self.question_id,
            state,
            cast("Sequence[AnyMessage]", messages),
            shown,
        )
        done = did(record)
        looked = await self._looker.look(
            decision,
            step=record.index,
            world=environment.name if environment is not None and shown is not None else "",
            also=[Proposal("stored", (done,))] if done is not None else [],
        )
        found = None if done is None else Followed("stored", done)
        return _followed(looked, found, rolled_in).model_copy(update={"run": self.run})

    def _pass_over(self, why: str) -> None:
        self.passed_over[why] = self.passed_over.get(why, 0) + 1


async def replayed(environment: RolloutEnvironment, state: State) -> tuple[str, ...] | None:
    """Ids of the passages that the steps of a state showed; None where this environment shows something
    else.
    """
    shown: dict[str, None] = {}
    for at, step in enumerate(state.steps):
        if step.call.malformed is not None or step.observation is None:
            continue
        if step.observation.failed:
            continue
        try:
            result = await environment.execute(step.call, f"c{at}")
        except (KeyError, ValueError):  # a tool or arguments that it does not know
            return None
        if str(result.text) != step.observation.text:
            return None
        shown.update(dict.fromkeys(_artifact(result.artifact)))
    return tuple(shown)


def did(record: StepRecord) -> Action | None:
    """What a stored run did at a step, where that was one action; without the random id of its call."""
    chosen = record.chosen
    return None if chosen is None or len(chosen.actions) != 1 else bare(chosen.actions[0])


def _artifact(artifact: object) -> list[str]:
    return [str(key) for key in artifact] if isinstance(artifact, list | tuple) else []


def _followed(
    looked: Looked, found: Followed | None, rolled_in: tuple[Driver, ...], *, beta: float | None = None
) -> Visit:
    action = None if found is None else found.action
    position = None
    if looked.visit.point is not None and action in looked.candidates:
        position = looked.candidates.index(action)
    return looked.visit.model_copy(
        update={
            "rolled_in": rolled_in,
            "driver": None if found is None else found.driver,
            "followed": action,
            "followed_candidate": position,
            "beta": beta,
        }
    )
