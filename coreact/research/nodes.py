"""Between the state of a research graph and the agents of its stages.

Each stage that asks a model is an agent of its own (`create_agent`), so that any middleware guides it, and
runs inside of a node, so that LangGraph checkpoints its steps under that node. Stages that decide on the
whole question share its run in the trace: their agents see the user's own message and the status of the
decision before. Nothing here knows what a stage is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.host.messages import is_injected, last_question, turn_of
from coreact.host.state import STATUS_KEY
from coreact.host.streams import current_writer
from coreact.research.plan import Plan
from coreact.research.prompts import NOT_FOUND
from coreact.research.spending import refused
from coreact.research.state import Branch, ResearchState, Task


def stage_node(
    prepare: Callable[[Any], Any], agent: Any, collect: Callable[[Any, Any], Any]
) -> Runnable[Any, Any]:
    """A node that asks a stage's agent, sync and async.

    Args:
        prepare: makes the agent's input from the node's; None: there is nothing to ask.
        agent: a compiled graph with a name.
        collect: makes the node's update from its input and the agent's output (None where it was not asked).
    """

    def call(state: Any) -> Any:
        given = prepare(state)
        return collect(state, None if given is None else _asked(agent, given))

    async def acall(state: Any) -> Any:
        given = prepare(state)
        return collect(state, None if given is None else await _aasked(agent, given))

    return RunnableLambda(call, afunc=acall, name=f"{agent.name}_stage")


_MODES = ["custom", "values"]


def _asked(agent: Any, given: Any) -> Any:
    """The agent's output; its custom events are passed on, which the host does not do by itself."""
    write, output = current_writer(), None
    if write is None:
        return agent.invoke(given)
    for mode, chunk in agent.stream(given, stream_mode=_MODES):
        if mode == "custom":
            write(chunk)
        else:
            output = chunk
    return output


async def _aasked(agent: Any, given: Any) -> Any:
    write, output = current_writer(), None
    if write is None:
        return await agent.ainvoke(given)
    async for mode, chunk in agent.astream(given, stream_mode=_MODES):
        if mode == "custom":
            write(chunk)
        else:
            output = chunk
    return output


def stage_input(state: ResearchState, *added: AnyMessage) -> dict[str, Any]:
    """What an agent that decides on the whole question is given.

    Args:
        state: the graph's state. Tool calls of earlier turns are left out: an agent without tools may not
            be shown any, say some providers.
        added: our material, behind the question.
    """
    messages = state["messages"][: last_question(state["messages"]) + 1]
    spoken = [
        message
        for message in messages
        if not is_injected(message)
        and (message.type == "human" or (isinstance(message, AIMessage) and not message.tool_calls))
    ]
    given: dict[str, Any] = {"messages": [*spoken, *added]}
    status = state.get("coreact")
    return given if status is None else {**given, STATUS_KEY: status}


def question_of(state: ResearchState) -> str:
    """The user's question; empty where there is nothing to see in it, as in characters of no width."""
    question = turn_of(state["messages"]).question.strip()
    seen = any(char.isprintable() and not char.isspace() for char in question)
    return question if seen else ""


def plan_of(state: ResearchState) -> Plan:
    """The plan in a graph's state."""
    return Plan.model_validate(state["plan"])


def stage_status(output: Mapping[str, Any]) -> dict[str, Any]:
    """Guidance's status in an agent's output, as an update; nothing where it was not guided."""
    return {STATUS_KEY: output[STATUS_KEY]} if STATUS_KEY in output else {}


def reply_of(output: Mapping[str, Any]) -> AIMessage:
    """The assistant message that an agent's output ends in; an empty one where it ends otherwise."""
    last = output["messages"][-1]
    return last if isinstance(last, AIMessage) else AIMessage("")


def calls_of(output: Mapping[str, Any]) -> list[AnyMessage]:
    """The tool calls of an agent's output and their results, in order, and no other message."""
    return [
        message
        for message in output["messages"]
        if isinstance(message, ToolMessage) or (isinstance(message, AIMessage) and message.tool_calls)
    ]


def branch_of(task: Task, output: Mapping[str, Any]) -> Branch:
    """What a branch of gathering gave.

    Its finding is empty where the model says that it found nothing, or says nothing.
    """
    said = str(reply_of(output).text).strip()
    results = [message for message in output["messages"] if isinstance(message, ToolMessage)]
    # The host answers calls with broken arguments too; they are none that ran.
    called = {one["id"] for m in output["messages"] if isinstance(m, AIMessage) for one in m.tool_calls}
    return Branch(
        sub_question=task["sub_question"],
        finding="" if said.upper().startswith(NOT_FOUND) else said,
        evidence=[str(message.id) for message in results if shows_something(message)],
        used=sum(message.tool_call_id in called and not refused(message) for message in results),
    )


def shows_something(message: AnyMessage) -> bool:
    """Whether a message is a result that shows something: no error, no empty list of documents."""
    return (
        isinstance(message, ToolMessage)
        and message.status != "error"
        and message.artifact != []
        and bool(str(message.text).strip())
    )


def tell(stage: str, **counts: Any) -> None:
    """Send a progress event, `{"type": "coreact.stage", "stage": …, …}`, to custom streams."""
    write = current_writer()
    if write is not None:
        write({"type": "coreact.stage", "stage": stage, **counts})
