"""What a run acts in while it is collected from: tools that are executed, and what an action gains.

`RolloutEnvironment` is all that collecting asks for. `WorldEnvironment` is a closed corpus with gold
evidence: its tools are the agent's own, so a state holds exactly what an agent would be shown, and the
worth of an action is measured by taking it and looking:

- a call gains the share of the question's proofs that it shows for the first time, in [0, 1];
- an answer gains 1 if all of them were shown before and it is an accepted one, else 0: in these worlds an
  answer before its proof is a guess.

Each proving passage holds one proof, and showing the passage shows it, but for one case: a search cuts long
passages, and what the passage is needed for may stand behind the cut. That can be told by comparing text
where the passage is known to hold the answer of a hop or, without hops, of the question. Then it takes a
`read` to show the proof. Of other passages nobody knows where the proof stands, and it counts as shown; so
it does for an agent that cannot read.

So once everything is found only answering gains. Nothing is judged here and no model is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from coreact_tools import corpus_tools, searching_tools
from coreact_tools.corpus import is_cut, snippet
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from coreact.host.messages import Contracts
from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.worlds import Corpus, Passage, Question, World, exact_answer, gold_share, normalise_answer
from coreact.worlds.scoring import stands_in

SYSTEM = "Search before you answer."
"""System prompt of the agents that act in worlds, as `agents/react` has it."""

_BINARY = frozenset({"yes", "no"})  # they stand in many texts and are proved by none

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
        readable: whether the agent may also read a passage in full; None: where it could in `coreact run`
            and the bench, that is where a search cuts some passage (`coreact_tools.searching_tools`).

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """

    def __init__(self, world: World, *, k: int = 3, readable: bool | None = None) -> None:
        self.world = world
        self.name = world.name
        self._corpus = Corpus(world.passages)
        self._k = k
        tools = corpus_tools(self._corpus, k=k)
        # A stored run may have read where an agent of today could not, so both can be executed.
        self._tools: dict[str, BaseTool] = {tool.name: tool for tool in tools}
        self.tool, self.reader = tools
        if readable is None:
            readable = len(searching_tools(self._corpus, world.passages, k=k)) > 1
        self.tools: tuple[ToolContract, ...] = Contracts().read(tools if readable else tools[:1])
        """What the agent may call."""
        self.passages: dict[str, Passage] = {passage.id: passage for passage in world.passages}
        self.questions: dict[str, Question] = {question.id: question for question in world.questions}
        self._hidden: dict[str, frozenset[str]] = {}

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
        return self.gained(self.questions[question_id], state, shown, action)

    def gained(self, question: Question, state: State, shown: Iterable[str], action: Action) -> float:
        """What an action adds to the proofs shown so far, in [0, 1]; see the module.

        Args:
            question: the question.
            state: before the action; it tells which passages were read.
            shown: ids of the passages shown so far, in full or not.
            action: the action.
        """
        before, read = frozenset(shown), self.read(state)
        share = self._proved(question, state, before, read)
        if action.call is None:
            return float(share == 1 and exact_answer(action.answer or "", question))
        more = self._would_show(action.call)
        after = read.union(more) if action.call.name == self.reader.name else read
        return self._proved(question, state, before.union(more), after) - share

    def proved(self, question: Question, state: State, shown: Iterable[str]) -> float:
        """The share of a question's proofs that were shown, in [0, 1]; see the module and `gained`."""
        return self._proved(question, state, frozenset(shown), self.read(state))

    def read(self, state: State) -> frozenset[str]:
        """Ids of the passages that were read in full."""
        reads = [one.call for one in state.steps if one.call.name == self.reader.name and one.succeeded]
        return frozenset(key for call in reads for key in self._would_show(call))

    def hidden(self, question: Question, state: State) -> frozenset[str]:
        """Ids of the proving passages whose proof stands where a search cuts; none where nobody can read."""
        if state.tool(self.reader.name) is None:
            return frozenset()
        found = self._hidden.get(question.id)
        if found is None:
            found = frozenset(key for key in question.supporting_ids if self._is_hidden(question, key))
            self._hidden[question.id] = found
        return found

    def _proved(self, question: Question, state: State, shown: frozenset[str], read: frozenset[str]) -> float:
        return gold_share(shown - (self.hidden(question, state) - read), question)

    def _is_hidden(self, question: Question, key: str) -> bool:
        passage = self.passages[key]
        if not is_cut(passage.text):
            return False
        answers = [question.answer, *question.answer_aliases]
        if question.chain:
            answers = [hop.answer for hop in question.chain if hop.passage_id == key]
        answers = [one for one in answers if normalise_answer(one) not in _BINARY]
        whole, seen = (f"{passage.title}: {text}" for text in (passage.text, snippet(passage.text)))
        return any(stands_in(one, whole) for one in answers) and not any(
            stands_in(one, seen) for one in answers
        )

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
