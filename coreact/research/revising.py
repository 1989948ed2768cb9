"""Who revises a report that was checked and rejected: a chat model that keeps the citations that hold.

Unlike `coreact.refine.reviser` it says how sources are cited, since a report without its citations is worth
nothing. Trajectory and report are fenced, and so is why the check rejected it: reasons quote the report,
which may hold words of pages. What is asked for is said in the words of the rubric.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.judge.records import Cost
from coreact.judge.transcript import UNTRUSTED, Section, fenced, transcript
from coreact.refine import Revised, Revision
from coreact.refine.feedback import Advice, Demand, Feedback
from coreact.rubric import Action

_RULES = f"""\
You revise a report that was checked and rejected. You get the question, what was observed, the report, and \
the feedback of the check. Change what the feedback asks for and nothing else. A source is cited by the id \
in brackets with which it stands in the observations, as the report does it: keep the citations that are not \
spoken of, and add none for what was not observed. A statement that no source makes must go. Reply with the \
whole revised report and nothing else.

{UNTRUSTED}"""


def report_reviser(model: BaseChatModel, *, max_chars: int = 24_000) -> Runnable[Revision, Revised]:
    """Make a chat model a reviser of reports: one call a revision, without tools.

    Args:
        model: whom to ask.
        max_chars: most characters of trajectory and report in the prompt.
    """

    def asked(revision: Revision) -> list[BaseMessage]:
        material = transcript(
            Action(answer=revision.answer),
            revision.state,
            about=revision.feedback.about,
            max_chars=max_chars,
        )
        orders, reasons = _parted(revision.feedback)
        return [SystemMessage(_RULES), HumanMessage(f"{fenced([*material.visible, *reasons])}\n\n{orders}")]

    return RunnableLambda(asked, name="report_prompt") | model | RunnableLambda(_revised)


def _parted(feedback: Feedback) -> tuple[Feedback, list[Section]]:
    """What is asked for, in the rubric's words, and the reasons for it as data."""
    given: list[Demand | Advice] = [*feedback.demands, *feedback.causes]
    reasons = [
        Section(f"w{at}", f"why this was asked for: {one.text}", one.reason, "")
        for at, one in enumerate(given, 1)
        if one.reason
    ]
    bare: dict[str, Any] = {
        name: tuple(one.model_copy(update={"reason": ""}) for one in several)
        for name, several in (("demands", feedback.demands), ("causes", feedback.causes))
    }
    return feedback.model_copy(update=bare), reasons


def _revised(message: BaseMessage) -> Revised:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    cost = Cost(
        calls=1,
        input_tokens=usage["input_tokens"] if usage else 0,
        output_tokens=usage["output_tokens"] if usage else 0,
    )
    return Revised(answer=str(message.text).strip(), cost=cost)
