"""Between LangChain's messages and tools and our plain state and actions.

Reading is incremental: a `StateReader` remembers how far it read and extends its state by what is
new, so a run of n messages costs O(n) in all. Whether the messages are the same ones is checked,
not assumed; a rewritten history (a summary, a resume, an edited thread) is simply read again.
Nothing here decides anything and nothing talks to a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from coreact.control_tokens import without_control_tokens
from coreact.errors import MessagesError, ToolSchemaError
from coreact.rubric import Action, Observation, Role, State, Step, ToolCall, ToolContract
from coreact.rubric.canonical import plain, text_digest

SOURCE_KEY = "lc_source"
"""Key in a message's `additional_kwargs` that says which middleware put it there."""

SOURCE = "coreact"
"""Our value of it."""

_ROLES: tuple[Role, ...] = ("search", "read", "compute", "answer")
_QUERY = re.compile(r"^(?:q|query|search_query|search_terms?|keywords?)$")
_ADDRESS = re.compile(r"^(?:url|uri|link|address)$")


def contract(tool: BaseTool | Mapping[str, Any]) -> ToolContract:
    """Read a tool's contract from its schema and metadata.

    `metadata={"role": "search", "read_only": True}` is believed. Without it a role is read off
    the schema where that is safe: a tool whose only required argument is an address reads; one
    whose only required argument is a query, and whose description speaks of searching, searches.
    `read_only` is never guessed.

    Raises:
        ToolSchemaError: the tool has no readable schema.
    """
    metadata: Mapping[str, Any] = {}
    if isinstance(tool, BaseTool):
        metadata = tool.metadata or {}
    try:
        function = convert_to_openai_tool(tool)["function"]
        contract_ = ToolContract(
            name=function["name"],
            description=function.get("description") or "",
            parameters=function.get("parameters") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:  # pydantic's included
        name = _name(tool)
        lines = str(error).splitlines() or [type(error).__name__]
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else lines[0].rstrip(". ")
        raise ToolSchemaError(
            f"Tool {name!r} has no readable schema: {why}.",
            tool=name,
            remedy="Give it a typed signature, an args_schema, or an OpenAI-style function schema.",
        ) from error
    role = metadata.get("role")
    read_only = metadata.get("read_only")
    return contract_.model_copy(
        update={
            "role": role if role in _ROLES else _role(contract_),
            "read_only": read_only if isinstance(read_only, bool) else None,
        }
    )


class Contracts:
    """The contracts of an agent's tools, read once as long as the tools are the same objects."""

    def __init__(self) -> None:
        self._known: tuple[list[Any], tuple[ToolContract, ...]] = ([], ())

    def read(self, tools: Sequence[BaseTool | Mapping[str, Any]]) -> tuple[ToolContract, ...]:
        """The contracts of the tools that are called through us.

        Server-side tools of a provider (`{"type": "web_search"}`) never are.

        Raises:
            ToolSchemaError: a tool has no readable schema.
        """
        known, contracts = self._known
        if len(known) == len(tools) and all(a is b for a, b in zip(known, tools, strict=True)):
            return contracts
        ours = [tool for tool in tools if isinstance(tool, BaseTool) or _is_function(tool)]
        contracts = tuple(contract(tool) for tool in ours)
        self._known = (list(tools), contracts)
        return contracts


def _is_function(tool: Mapping[str, Any]) -> bool:
    return bool(tool.get("type", "function") == "function")


def _name(tool: BaseTool | Mapping[str, Any]) -> str:
    if isinstance(tool, BaseTool):
        return tool.name
    function = tool.get("function")
    return str((function if isinstance(function, Mapping) else tool).get("name", "without a name"))


def _role(tool: ToolContract) -> Role | None:
    argument = tool.text_argument
    required = tool.parameters.get("required")
    if isinstance(required, list) and len(required) == 1:
        schema = tool.properties.get(required[0])
        is_uri = isinstance(schema, Mapping) and schema.get("format") == "uri"
        if is_uri or _ADDRESS.match(str(required[0])):
            return "read"
        is_query = argument == required[0] and _QUERY.match(str(argument)) is not None
        if is_query and "search" in tool.description.casefold():
            return "search"
    return None


def actions_of(message: AIMessage, *, answer_tools: frozenset[str] = frozenset()) -> tuple[Action, ...]:
    """The actions an assistant message proposes: one a tool call, or one answer.

    Args:
        message: the proposal.
        answer_tools: names of artificial tools whose call is the final, structured answer.
    """
    actions = [
        Action(answer=json.dumps(call["args"], ensure_ascii=False, default=str))
        if call["name"] in answer_tools
        else Action(call=ToolCall(name=call["name"], arguments=call["args"], id=call["id"] or ""))
        for call in message.tool_calls
    ]
    actions += [
        Action(
            call=ToolCall(
                name=bad.get("name") or "",
                id=bad.get("id") or "",
                malformed=bad.get("error") or "arguments are no valid JSON",
            )
        )
        for bad in message.invalid_tool_calls
    ]
    return tuple(actions) or (Action(answer=str(message.text)),)


def injected(text: str) -> HumanMessage:
    """A message that we, not the user, put there; marked as ours, and without control tokens.

    It repeats criteria and reasons, which a model may have written after reading a page.
    """
    return HumanMessage(content=without_control_tokens(text), additional_kwargs={SOURCE_KEY: SOURCE})


def is_injected(message: BaseMessage) -> bool:
    """Whether a middleware, not the user, put this message there."""
    return SOURCE_KEY in message.additional_kwargs


def retold(message: BaseMessage, text: str) -> BaseMessage:
    """A copy of a message that says something else; what is no text (calls, images) stays."""
    content: Any = text
    if not isinstance(message.content, str):
        others = [
            block for block in message.content if isinstance(block, dict) and block.get("type") != "text"
        ]
        content = [*([{"type": "text", "text": text}] if text else []), *others]
    return message.model_copy(update={"content": content})


def message_json(message: BaseMessage) -> dict[str, Any]:
    """A message as plain JSON: `{"type": …, "data": …}`, readable by `messages_from_dict`.

    Never raises: what JSON has no form for is written as `canonical.plain` widens it (arguments nested beyond
    64 levels flat, bytes that are no text as their type), and what contains itself is left out.
    """
    try:
        data = message.model_dump(mode="json", fallback=str)
    except (ValueError, TypeError, RecursionError):  # pydantic stops at 255 levels, and at bytes of no text
        data = {name: written for name, value in message if (written := _written(value)) is not _UNWRITABLE}
        data.setdefault("content", "")
    return {"type": message.type, "data": data}


_UNWRITABLE = object()


def _written(value: Any) -> Any:
    try:
        return to_jsonable_python(value, fallback=str)
    except (ValueError, TypeError, RecursionError):
        pass
    try:
        return plain(value)
    except (ValueError, TypeError, RecursionError):
        return _UNWRITABLE


class StateReader:
    """Reads the state of one growing conversation. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._read: list[AnyMessage] = []
        self._state: State | None = None
        self._basis: tuple[str, tuple[ToolContract, ...], int | None] | None = None

    def read(
        self,
        messages: Sequence[AnyMessage],
        *,
        tools: tuple[ToolContract, ...] = (),
        system: str = "",
        limit: int | None = None,
    ) -> State:
        """The state that the next decision is made in.

        Args:
            messages: the conversation so far, without the system prompt.
            tools: contracts of the tools the agent has now.
            system: the system prompt.
            limit: decisions with a tool call that the run may take.

        Raises:
            MessagesError: after the question stands a tool call without a result before a later
                message, or a result without a call. Earlier turns are taken as plain text.
        """
        basis = (system, tools, limit)
        state, read = self._state, self._read
        if (
            state is None
            or self._basis != basis
            or not starts_with(messages, read)
            or last_question(messages, after=len(read)) >= 0
        ):
            question_at = last_question(messages)
            before = messages[: max(question_at, 0)]
            texts = (system, *(str(message.text) for message in before))
            state = State.start(
                str(messages[question_at].text) if question_at >= 0 else "",
                tools=tools,
                given=tuple(text for text in texts if text),
                limit=limit,
            )
            read = list(messages[: question_at + 1])
        at = len(read)
        while at < len(messages):
            at, taken = _next_steps(messages, at)
            if taken:
                state = state.after(*taken)
        # Nothing is remembered before everything was read: a broken list leaves no half-read state.
        read.extend(messages[len(read) :])
        self._read, self._state, self._basis = read, state, basis
        return state


def last_question(messages: Sequence[AnyMessage], *, after: int = 0) -> int:
    """Index of the user's last message at or behind `after`, or -1."""
    for at in range(len(messages) - 1, after - 1, -1):
        # By its tag: an instance check of a pydantic class costs ten times as much, for each message.
        if messages[at].type == "human" and not is_injected(messages[at]):
            return at
    return -1


class Turn(NamedTuple):
    """The user message that a run answers."""

    id: str
    """The message's id, or its place and digest; empty where no user message is left."""
    question: str


def turn_of(messages: Sequence[AnyMessage]) -> Turn:
    """The turn that a conversation is in."""
    at = last_question(messages)
    if at < 0:
        return Turn("", "")
    text = str(messages[at].text)
    return Turn(messages[at].id or f"{at}:{text_digest(text)}", text)


def starts_with(messages: Sequence[BaseMessage], known: list[Any]) -> bool:
    """Whether a conversation begins with these messages."""
    # Lists compare by identity first, which makes the usual case one pass in C.
    return list(messages[: len(known)]) == known


def _next_steps(messages: Sequence[AnyMessage], at: int) -> tuple[int, tuple[Step, ...]]:
    message = messages[at]
    if isinstance(message, ToolMessage):
        raise MessagesError(
            f"Message {at} is the result of call {message.tool_call_id!r}, which no message made.",
            index=at,
            remedy="Put the assistant message with that tool call in front of it, or leave the result out.",
        )
    at += 1
    if not isinstance(message, AIMessage) or not (message.tool_calls or message.invalid_tool_calls):
        return at, ()
    results: dict[str, ToolMessage] = {}
    while at < len(messages):
        result = messages[at]
        if not isinstance(result, ToolMessage):
            break
        results[result.tool_call_id] = result
        at += 1
    steps = []
    for action in actions_of(message):
        call = action.call
        if call is None:
            continue
        found = results.pop(call.id, None)
        if found is None and call.malformed is None:
            raise MessagesError(
                f"Message {at - len(results) - 1} calls {call.name!r} (id {call.id!r}) and gets no result.",
                index=at - 1,
                remedy="Add a ToolMessage with that tool_call_id right after it, or leave the call out.",
            )
        steps.append(Step(call=call, observation=None if found is None else _observation(found)))
    if results:
        stray = next(iter(results))
        raise MessagesError(
            f"A tool message answers call {stray!r}, which the message before it did not make.",
            index=at - 1,
            remedy="Leave the result out.",
        )
    return at, tuple(steps)


def _observation(message: ToolMessage) -> Observation:
    failed: Literal["success", "error"] = message.status
    return Observation(text=str(message.text), failed=failed == "error", id=message.id or "")
