"""What a run acts in while it is collected from: tools that are executed, and what an action gains.

`RolloutEnvironment` is all that collecting asks for. `WorldEnvironment` is a closed corpus with gold
evidence: its tools are the agent's own, so a state holds exactly what an agent would be shown, and the
worth of an action is measured by taking it and looking:

- a call gains the share of the question's proving passages that it shows for the first time, in [0, 1];
- an answer gains 1 if all of them were shown before, else 0. Whether the words of the answer are right is
  not asked: in these worlds an answer before its proof is a guess, and after it a matter of reading.

So once everything is found only answering gains. Nothing is judged here and no model is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from coreact_tools import corpus_tools
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from coreact.host.messages import Contracts
from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.worlds import Corpus, Passage, Question, World, exact_answer, gold_share

SYSTEM = "Search before you answer."
"""System prompt of the agents that act in worlds, as `agents/react` has it."""

LIMIT = 4
"""Tool calls that the agent may make; states have 0 to 3 of them behind them, so one is always left."""


class RolloutEnvironment(Protocol):
    """Where actions are taken. The same calls give the same observations."""

    @property
    def name(self) -> str:
        """As it stands in points."""

    @property
    def tools(self) -> tuple[ToolContract, ...]:
        """What the agent may call."""

    def prompt(self, question_id: str) -> str:
        """What the agent is asked."""

    async def execute(self, call: ToolCall, call_id: str) -> ToolMessage:
        """Take a call. Its artifact lists the ids of the passages shown, where it shows any."""

    async def gain(
        self, question_id: str, state: State, shown: Sequence[str], action: Action
    ) -> float | None:
        """What an action is worth in a state, higher is better; None where that cannot be told.

        Args:
            question_id: the question.
            state: before the action.
            shown: ids of the passages shown so far.
            action: the action; taking it here changes nothing.
        """


class WorldEnvironment:
    """A world of passages and questions with gold evidence.

    Args:
        world: the world.
        k: the most passages that one search shows.
        readable: whether the agent may also read a passage in full.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """

    def __init__(self, world: World, *, k: int = 3, readable: bool = False) -> None:
        self.world = world
        self.name = world.name
        self._corpus = Corpus(world.passages)
        self._k = k
        tools = corpus_tools(self._corpus, k=k)
        self._tools: dict[str, BaseTool] = {tool.name: tool for tool in tools}
        self.tool: BaseTool = tools[0]
        """The tool that searches."""
        self.tools: tuple[ToolContract, ...] = Contracts().read(tools if readable else tools[:1])
        self.passages: dict[str, Passage] = {passage.id: passage for passage in world.passages}
        self.questions: dict[str, Question] = {question.id: question for question in world.questions}

    def prompt(self, question_id: str) -> str:
        """The question's text."""
        return self.questions[question_id].question

    def call(self, call: ToolCall, call_id: str) -> ToolMessage:
        """Take a call, at once: what the agent's tool returns; the artifact lists the passages shown."""
        message: ToolMessage = self._tools[call.name].invoke(
            {"name": call.name, "args": call.arguments, "id": call_id, "type": "tool_call"}
        )
        return message

    async def execute(self, call: ToolCall, call_id: str) -> ToolMessage:
        """The same. A search of a corpus in memory takes milliseconds and is not worth a thread."""
        return self.call(call, call_id)

    async def gain(
        self, question_id: str, state: State, shown: Sequence[str], action: Action
    ) -> float | None:
        """The measured gain, see `gained`."""
        return self.gained(self.questions[question_id], shown, action)

    def gained(self, question: Question, shown: Iterable[str], action: Action) -> float:
        """What an action adds to the passages shown so far, in [0, 1]; see the module."""
        before = frozenset(shown)
        share = gold_share(before, question)
        if action.call is None:
            return float(share == 1 and exact_answer(action.answer or "", question))
        return gold_share(before.union(self._would_show(action.call)), question) - share

    def _would_show(self, call: ToolCall) -> list[str]:
        """Ids of the passages that a call shows; of a search without the tool around it, which costs more."""
        if call.name == self.tool.name:
            query = call.arguments.get("query")
            if not isinstance(query, str) or not query.strip():
                return []
            return [hit.passage.id for hit in self._corpus.search(query, self._k)]
        if call.name not in self._tools or not isinstance(call.arguments.get("passage_id"), str):
            return []
        return list(self.call(call, "probe").artifact)
