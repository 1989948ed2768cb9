"""Follow-up checks: a few small questions about an answer that somebody with tools looks into.

DeepVerifier's verifier owes most of its recall to them: a small yes/no question about one source
is easier to get right than a verdict on an answer. Questions are asked only where something is
unclear: about criteria the judge could not decide, and where a diagnosis asks for it. What comes
back is evidence for the judge, not a verdict: text that does not begin with yes or no is unclear,
never yes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.judge.records import Cost, Judgement, Verdict
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric import Observation, Record, Rubric, Step, ToolCall
from coreact.rubric.words import fold

MOST = 3
"""Most follow-ups of one round (DeepVerifier's number)."""

FollowedUp = Literal["yes", "no", "unclear"]

_SAID = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_TEXT_CHARS = 2000
"""A finding's text is kept up to this length."""


class FollowUp(Record):
    """A yes/no question and where to look."""

    question: str
    source: str = ""
    """An address, a tool, a document; empty where whoever looks may choose."""
    criterion: str = ""
    """Id of the criterion it is about, which is then judged again; empty for none."""


class Inquiry(Record):
    """A follow-up with what somebody needs to know to look into it."""

    follow_up: FollowUp
    task: str
    """The question the agent was given."""
    answer: str
    """The answer under review."""


class Found(NamedTuple):
    """What whoever looked found."""

    text: str
    """Begins with yes, no or unclear."""
    cost: Cost = Cost()


class Finding(Record):
    """A follow-up and what came of it."""

    follow_up: FollowUp
    text: str
    """Untrusted: it may quote any page."""
    answer: FollowedUp
    failed: bool = False
    """Nobody could look; the text is the error."""


Investigator = (
    Runnable[Inquiry, Any] | Callable[[Inquiry], str | Found] | Callable[[Inquiry], Awaitable[str | Found]]
)
"""Who looks into a follow-up. Returns text that begins with yes, no or unclear, or `Found`."""


def unclear(verdict: Verdict) -> bool:
    """Whether a judge looked and could not tell: more evidence may help. An outage is not unclear."""
    if verdict.status != "unknown" or verdict.decided_by == "nobody":
        return False
    return verdict.fault != "instrument" or verdict.cause == "unsupported"


def planned(
    rubric: Rubric, judgement: Judgement, proposed: Sequence[FollowUp] = (), *, most: int = MOST
) -> tuple[FollowUp, ...]:
    """The follow-ups of a round: proposed ones first, then one for each unclear criterion, at most `most`.

    None where nothing is unclear and nothing was proposed. Two with the same words are one.
    """
    covered = {one.criterion for one in proposed}
    asked = [*proposed]
    asked += [
        FollowUp(question=f"Is this so: {rubric.criterion(v.criterion).text}", criterion=v.criterion)
        for v in judgement.verdicts
        if unclear(v) and v.criterion not in covered
    ]
    kept: dict[str, FollowUp] = {}
    for one in asked:
        kept.setdefault(fold(one.question), one)
    return tuple(kept.values())[:most]


def read(follow_up: FollowUp, found: Any) -> tuple[Finding, Cost]:
    """The finding in what an investigator returned: yes or no only where it begins so."""
    text, cost = found if isinstance(found, Found) else (str(found), Cost())
    said = _SAID.match(text)
    answer: FollowedUp = "unclear"
    if said is not None:
        answer = "yes" if said[1].casefold() == "yes" else "no"
    return Finding(follow_up=follow_up, text=text[:_TEXT_CHARS], answer=answer), cost


def evidence(findings: Sequence[Finding]) -> tuple[Step, ...]:
    """What was found as steps, so that a judge reads and quotes it like any observation."""
    return tuple(
        Step(
            call=ToolCall(
                name="follow_up",
                arguments={
                    key: value
                    for key, value in (("question", one.follow_up.question), ("source", one.follow_up.source))
                    if value
                },
            ),
            observation=Observation(text=one.text, id=f"follow-up-{at}"),
        )
        for at, one in enumerate(findings, 1)
        if not one.failed
    )


# --- an agent that looks ---------------------------------------------------------------------

_ASK = f"""\
Look into one question about another agent's answer, with your tools. Do not trust the answer; check.

{UNTRUSTED}

Begin your reply with YES, NO or UNCLEAR. Then say in one or two sentences what you found and where, \
with the words of the source. Say UNCLEAR where you could not find out."""


def investigator(agent: Runnable[Any, Any]) -> Runnable[Inquiry, Found]:
    """Make an agent (e.g. of `create_agent`) an investigator.

    Args:
        agent: takes `{"messages": […]}` and returns messages that end in its reply. It should have
            tools; without them it answers from memory, which is what it is to check.
    """
    return RunnableLambda(_asked, name="follow_up") | agent | RunnableLambda(_replied)


def _asked(inquiry: Inquiry) -> dict[str, Any]:
    sections = [
        Section("t", "the task of the other agent", inquiry.task, "task"),
        Section("a", "its answer", inquiry.answer, "answer"),
        Section("q", "what to look into", inquiry.follow_up.question, "question"),
    ]
    if inquiry.follow_up.source:
        sections.append(Section("s", "where to look", inquiry.follow_up.source, "source"))
    return {"messages": [HumanMessage(f"{_ASK}\n\n{fenced(sections)}")]}


def _replied(out: Any) -> Found:
    messages = out["messages"] if isinstance(out, dict) else [out]
    own = [message for message in messages if isinstance(message, AIMessage)]
    used = [message.usage_metadata for message in own if message.usage_metadata is not None]
    return Found(
        str(own[-1].text) if own else "",
        Cost(
            calls=len(own),
            input_tokens=sum(one["input_tokens"] for one in used),
            output_tokens=sum(one["output_tokens"] for one in used),
        ),
    )
