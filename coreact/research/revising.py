"""Who revises a report that was checked and rejected: a chat model that keeps the citations that hold.

Unlike `coreact.refine.reviser` it says how sources are cited, since a report without its citations is worth
nothing. Trajectory, report and feedback stand in one fenced prompt.
"""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.judge.records import Cost
from coreact.judge.transcript import UNTRUSTED, fenced, transcript
from coreact.refine import Revised, Revision
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
        return [SystemMessage(_RULES), HumanMessage(f"{fenced(material.visible)}\n\n{revision.feedback}")]

    return RunnableLambda(asked, name="report_prompt") | model | RunnableLambda(_revised)


def _revised(message: BaseMessage) -> Revised:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    cost = Cost(
        calls=1,
        input_tokens=usage["input_tokens"] if usage else 0,
        output_tokens=usage["output_tokens"] if usage else 0,
    )
    return Revised(answer=str(message.text).strip(), cost=cost)
