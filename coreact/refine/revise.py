"""Who revises an answer outside of an agent: any function, any runnable, or a chat model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.judge.records import Cost
from coreact.judge.transcript import UNTRUSTED, fenced, transcript
from coreact.refine.requests import Revised, Revision
from coreact.rubric import Action

Reviser = (
    Runnable[Revision, Any]
    | Callable[[Revision], str | Revised]
    | Callable[[Revision], Awaitable[str | Revised]]
)
"""Takes a `Revision` (question, rejected answer, feedback, state) and gives the new answer."""

_RULES = f"""\
You revise an answer that was checked and rejected. You get the question, what was observed, the answer, and \
the feedback of the check. Change what the feedback asks for and nothing else: keep every number, quotation \
and address that it does not speak of. Reply with the whole revised answer and nothing else.

{UNTRUSTED}"""


def reviser(model: BaseChatModel, *, max_chars: int = 24_000) -> Runnable[Revision, Revised]:
    """Make a chat model a reviser: one call a revision, without tools.

    Args:
        model: whom to ask.
        max_chars: most characters of trajectory in the prompt.
    """

    def asked(revision: Revision) -> list[BaseMessage]:
        material = transcript(
            Action(answer=revision.answer),
            revision.state,
            about=revision.feedback.about,
            max_chars=max_chars,
        )
        return [SystemMessage(_RULES), HumanMessage(f"{fenced(material.visible)}\n\n{revision.feedback}")]

    # Not named like the node it runs in: the host streams the messages of what bears a node's name.
    return RunnableLambda(asked, name="revision_prompt") | model | RunnableLambda(_revised)


def _revised(message: BaseMessage) -> Revised:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return Revised(
        answer=str(message.text),
        cost=Cost(
            calls=1,
            input_tokens=usage["input_tokens"] if usage else 0,
            output_tokens=usage["output_tokens"] if usage else 0,
        ),
    )
