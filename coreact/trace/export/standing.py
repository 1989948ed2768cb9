"""Where the selected attempts of a run stand in its last conversation.

Between two decisions a history may change: a summary takes the place of what was said, a person edits a
call before it runs. What the agent proposed is only what still stands there as it was proposed.
"""

from __future__ import annotations

from coreact.trace.export.decisions import Candidate, Decision, Run
from coreact.trace.export.messages import Message


def standing(run: Run) -> dict[int, Candidate]:
    """The selected attempts by their place in the last conversation.

    One stands right behind its own prompt in the prompt of the step after, unless history was rewritten.
    """
    found: dict[int, Candidate] = {}
    before: Decision | None = None
    for decision in run.decisions:
        kept = {at: one for at, one in found.items() if at < decision.kept}
        if before is not None and before.chosen is not None and follows(decision, before):
            kept[before.size] = before.chosen
        found, before = kept, decision
        if decision.chosen is not None:
            found[decision.size] = decision.chosen
    return found


def follows(decision: Decision, before: Decision) -> bool:
    """Whether the prompt of a decision is that of the one before and then what that one selected."""
    return (
        before.chosen is not None
        and decision.kept == before.size
        and decision.size > before.size
        and _says(decision.messages[before.size], before.chosen)
    )


def _says(message: Message, candidate: Candidate) -> bool:
    """Whether a message of the history is the proposal."""
    proposed = candidate.message
    if message["role"] != "assistant" or _calls(message) != _calls(proposed):
        return False
    # Criteria that a model wrote for itself are taken out of its text.
    return candidate.attempt.own is not None or message["content"] == proposed["content"]


def _calls(message: Message) -> list[object]:
    return [call["function"] for call in message.get("tool_calls", ())]
