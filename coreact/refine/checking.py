"""What the middleware keeps in the agent's state between its nodes, and what it reads off it.

Private keys: they are checkpointed, so that a resumed run goes on where it was, and left out of the
agent's input and output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AnyMessage

from coreact.host.messages import StateReader
from coreact.host.state import value_of
from coreact.refine.history import FinalAnswer, text_of, trajectory
from coreact.refine.rounds import Progress, Round
from coreact.refine.status import AnswerCheckState
from coreact.rubric import State, ToolContract


class Checking(TypedDict):
    """What a resumed run needs to go on with an answer."""

    progress: dict[str, Any]
    """`Progress` as plain JSON."""
    run: str
    turn: str
    answer_tool: str
    sent: bool
    """Whether the last answer was sent back. Otherwise a new answer of the turn begins anew."""


class Noted(TypedDict):
    """What the requests of the agent's model hold beside the messages."""

    system: str
    tools: list[dict[str, Any]]
    """Name, role and `read_only` of each tool."""


class VerifyAnswerState(AnswerCheckState):
    """What the middleware keeps in the agent's state; only `answer_check` is public."""

    _answer_checking: NotRequired[Annotated[Checking, PrivateStateAttr]]
    _answer_noted: NotRequired[Annotated[Noted, PrivateStateAttr]]
    _answer_structured: NotRequired[Annotated[dict[str, Any], PrivateStateAttr]]


CHECKING, NOTED, STRUCTURED = "_answer_checking", "_answer_noted", "_answer_structured"


def stands(
    one: Round, messages: Sequence[AnyMessage], checking: Checking, final: FinalAnswer | None = None
) -> bool:
    """Whether an answer stands in the history as it was judged; as the last one, if `final` is given."""
    if final is not None and final.message.id != one.message_id:
        return False
    return text_of(messages, one.message_id, checking["answer_tool"]) == one.answer


def state_before(state: Any, before: Sequence[AnyMessage], progress: Progress, answer_tool: str) -> State:
    """The state an answer was given in: without earlier drafts of it, with what requests held beside.

    Raises:
        MessagesError: the messages break the tool-call protocol.
    """
    noted: Noted | None = value_of(state, NOTED)
    drafts = {one.message_id for one in progress.rounds}
    return StateReader().read(
        trajectory(before, drafts=drafts, answer_tool=answer_tool),
        tools=tuple(ToolContract.model_validate(one) for one in noted["tools"]) if noted else (),
        system=noted["system"] if noted else "",
    )
