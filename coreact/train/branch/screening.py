"""Which proposals can be candidates, and why the others cannot.

A proposal is usable if the agent could take it: exactly one action, a tool that exists, arguments that fit
its schema, and no tool output that the model made up itself. A bad action stays: repeats, searches off the
topic and answers before their proof are what a rubric has to tell from good ones. So an answer at the first
step is kept, which Co-ReAct (arXiv 2605.23590) drops; and of several calls at once none is cut out, since
the model proposed them together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from coreact.errors import ToolSchemaError
from coreact.rubric import Action, State
from coreact.rubric.checks.schema import schema_problem
from coreact.train.branch.sampling import Proposal

Drop = Literal[
    "failed",
    "empty",
    "several_actions",
    "no_such_tool",
    "malformed",
    "invented_output",
    "duplicate",
    "not_diverse",
]
"""Why a proposal became no candidate. `failed`: the call failed; `empty`: no action, or an answer of no
words; `several_actions`: more than one; `no_such_tool`: a call of a tool that the agent has not;
`malformed`: a call that cannot be read or does not fit the tool's schema, or that was written out as text;
`invented_output`: it wrote a tool's result itself; `duplicate`: another one says the same; `not_diverse`:
too like those kept."""

DROPS: tuple[Drop, ...] = get_args(Drop)

_THOUGHT = re.compile(r"\A(?:.*</think>|\s*<think>.*)", re.DOTALL)
_INVENTED = re.compile(
    r"(?im)^\s*(?:observations?|(?:tool|search|function)[ _](?:outputs?|results?|responses?))\s*(?:\d+\s*)?:"
    r"|</?(?:tool_response|tool_output|tool_result|observation|function_results?|search_results?|snippet)\b"
)
_WRITTEN_CALL = re.compile(r"(?i)</?(?:tool_call|function_calls?|invoke|function=)\b|\[TOOL_CALLS\]")


class Screened(NamedTuple):
    """A proposal that can be a candidate."""

    source: str
    action: Action


def screen(proposal: Proposal, state: State) -> Screened | Drop:
    """The one action of a proposal, or why it is dropped.

    A thought that a message begins with is no part of it, whether or not it says where it begins; one that
    does not end (the reply was cut) leaves nothing.
    """
    if proposal.failed:
        return "failed"
    if len(proposal.actions) != 1:
        return "several_actions" if proposal.actions else "empty"
    action = proposal.actions[0]
    answer = None if action.answer is None else _THOUGHT.sub("", action.answer).strip()
    text = _THOUGHT.sub("", proposal.text) if answer is None else answer
    if _INVENTED.search(text):
        return "invented_output"
    if action.call is None:
        assert answer is not None  # noqa: S101 - an action is either
        if not answer:
            return "empty"
        written = _WRITTEN_CALL.search(answer)
        return "malformed" if written else Screened(proposal.source, Action(answer=answer))
    tool = state.tool(action.call.name)
    if action.call.malformed is not None:
        return "malformed"
    if tool is None:
        return "no_such_tool"
    try:
        problem = schema_problem(tool, action.call.arguments)
    except ToolSchemaError:  # the tool's fault, not the proposal's
        problem = None
    if problem is not None:
        return "malformed"
    texts = action.call.texts
    if texts and not any(text.strip() for text in texts):
        return "empty"
    call = action.call.model_copy(update={"id": ""})  # ids of providers are random, and nothing of the action
    return Screened(proposal.source, Action(call=call))


def screen_all(proposals: Sequence[Proposal], state: State) -> tuple[list[Screened], dict[str, int]]:
    """The usable proposals in order, and how many were dropped by reason."""
    usable: list[Screened] = []
    dropped: dict[str, int] = {}
    for proposal in proposals:
        found = screen(proposal, state)
        if isinstance(found, Screened):
            usable.append(found)
        else:
            dropped[found] = dropped.get(found, 0) + 1
    return usable, dropped
