"""Whether a call was made before."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coreact.rubric.canonical import digest
from coreact.rubric.checks.base import ExecutableCheck, Finding, met, not_applicable, quoted, unmet
from coreact.rubric.state import Action, State, Step, ToolCall
from coreact.rubric.words import similarity, words


class NotRepeat(ExecutableCheck):
    """The call does not repeat an earlier one that succeeded.

    A tool known to be read-only repeats when an earlier call of it, with nothing written since,
    has equal arguments or (search tools) texts of at least `similarity` word overlap and all other
    arguments equal: the next page of a search is something new.
    Any other tool repeats only in a plain loop: the last two steps were this very call and gave
    the same text both times, since polling and stepping tools are called alike on purpose.
    """

    kind: Literal["not_repeat"] = "not_repeat"
    similarity: float = Field(default=0.95, gt=0, le=1)
    """Jaccard similarity of the words from which on two searches are the same."""

    def evaluate(self, action: Action, state: State) -> Finding:
        call = action.call
        if call is None:
            return not_applicable("the action is an answer")
        tool = state.tool(call.name)
        if tool is None or tool.read_only is not True:
            return self._loop(call, state)
        wanted = frozenset(word for text in call.texts for word in words(text))
        by_words = tool.role == "search" and bool(wanted)
        # Unequal sets overlap by at most n / (n + 1): short queries only repeat by equal words.
        by_overlap = len(wanted) >= self.similarity * (len(wanted) + 1)
        for step in reversed(state.steps):
            past = state.tool(step.call.name)
            if past is None or past.read_only is not True:
                break  # it may have changed what this call would find
            if step.call.name != call.name or not _counts(step):
                continue
            same = step.call.key == call.key
            if not same and by_words:
                alike = step.query_words == wanted or (
                    by_overlap and similarity(wanted, step.query_words) >= self.similarity
                )
                same = alike and _without_texts(step.call) == _without_texts(call)
            if same:
                return unmet(f"{quoted(str(Action(call=step.call)))} was already called")
        return met("the call is new")

    @staticmethod
    def _loop(call: ToolCall, state: State) -> Finding:
        last = state.steps[-2:]
        seen = [step.observation.text for step in last if step.observation is not None]
        if len(seen) == 2 and seen[0] == seen[1] and all(step.call.key == call.key for step in last):
            return unmet("the same call gave the same result twice in a row")
        return met("the call is no loop")

    def explain(self) -> str:
        return "Do not repeat a call that was already made; ask for something new."


def _without_texts(call: ToolCall) -> str:
    return digest({name: value for name, value in call.arguments.items() if not isinstance(value, str)})


def _counts(step: Step) -> bool:
    # A call without a result yet is a sibling in the same message: repeating it is waste as well.
    return step.observation is None or step.succeeded
