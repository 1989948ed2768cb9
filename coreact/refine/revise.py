"""Who revises an answer outside of an agent: any function, any runnable, or a chat model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.control_tokens import without_control_tokens
from coreact.judge.reasons import why
from coreact.judge.records import Cost
from coreact.judge.transcript import UNTRUSTED, Section, fenced, transcript
from coreact.refine.feedback import Advice, Demand, Feedback
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


def reviser(
    model: BaseChatModel, *, rules: str = _RULES, max_chars: int = 24_000
) -> Runnable[Revision, Revised]:
    """Make a chat model a reviser: one call a revision, without tools.

    The run, the answer and why the check rejected it are fenced: reasons quote the answer, which may hold
    words of pages. What is asked for is said outside, in the words of the rubric.

    Args:
        model: whom to ask.
        rules: how it is to revise, as system message.
        max_chars: most characters of trajectory in the prompt.
    """

    def asked(revision: Revision) -> list[BaseMessage]:
        material = transcript(
            Action(answer=revision.answer),
            revision.state,
            about=revision.feedback.about,
            max_chars=max_chars,
        )
        orders, reasons = _parted(revision.feedback)
        asked = without_control_tokens(f"{fenced([*material.visible, *reasons])}\n\n{orders}")
        return [SystemMessage(rules), HumanMessage(asked)]

    # Not named like the node it runs in: the host streams the messages of what bears a node's name.
    return RunnableLambda(asked, name="revision_prompt") | model | RunnableLambda(_revised)


def _parted(feedback: Feedback) -> tuple[Feedback, list[Section]]:
    """What is asked for, in the rubric's words, and the reasons for it as data."""
    given: list[Demand | Advice] = [*feedback.demands, *feedback.causes]
    reasons = [why(at, one.text, one.reason) for at, one in enumerate(given, 1) if one.reason]
    bare: dict[str, Any] = {
        name: tuple(one.model_copy(update={"reason": ""}) for one in several)
        for name, several in (("demands", feedback.demands), ("causes", feedback.causes))
    }
    return feedback.model_copy(update=bare), reasons


def _revised(message: BaseMessage) -> Revised:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return Revised(
        answer=str(message.text).strip(),
        cost=Cost(
            calls=1,
            input_tokens=usage["input_tokens"] if usage else 0,
            output_tokens=usage["output_tokens"] if usage else 0,
        ),
    )
