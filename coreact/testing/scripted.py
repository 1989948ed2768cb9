"""Deterministic stand-ins for models, generators and judges: public API for users' own tests.

A `ScriptedModel` replies from a list or from a function of the messages and remembers every
request; `ScriptedGenerator` and `ScriptedJudge` do the same for rubrics and verdicts. An
exception in the script is raised, which is how faults are injected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

from coreact.generate import Written
from coreact.judge import Cost, Ruling, Status, Verdict
from coreact.rubric import Action, Criterion, Rubric, State

Reply = AIMessage | str | BaseException
"""One scripted reply: a message, the text of one, or an exception to raise."""


def call(name: str, /, *, id: str = "", **arguments: Any) -> AIMessage:  # noqa: A002 - the field's own name
    """An assistant message with one tool call; the id is `name` and the arguments if none is given."""
    return AIMessage(
        "", tool_calls=[{"name": name, "args": arguments, "id": id or f"{name}-{sorted(arguments.items())}"}]
    )


class ScriptedModel(BaseChatModel):
    """A chat model that follows a script.

    Attributes:
        script: replies in order, or a function from the messages to a reply. A list that runs out
            is an error, so a test sees calls it did not expect.
        requests: every request so far, as the tuple of its messages.
        bound: the tools of the last `bind_tools`, as OpenAI function schemas.
    """

    script: Any = Field(default_factory=list)
    requests: list[tuple[BaseMessage, ...]] = Field(default_factory=list)
    bound: list[dict[str, Any]] = Field(default_factory=list)
    _next: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Remember the tools and bind nothing, so that requests stay those of this one object."""
        self.bound = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind()

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        with self._lock:
            self.requests.append(tuple(messages))
            at = self._next
            self._next += 1
        if callable(self.script):
            reply = self.script(messages)
        elif at < len(self.script):
            reply = self.script[at]
        else:
            raise AssertionError(f"the script has {len(self.script)} replies and was asked for one more")
        if isinstance(reply, BaseException):
            raise reply
        message = AIMessage(reply) if isinstance(reply, str) else reply
        # A fresh copy without id: replies of real models are new objects with ids of their own.
        return message.model_copy(update={"id": None}, deep=True)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        message = self._reply(messages)
        words = str(message.text).split(" ")
        for at, word in enumerate(words):
            last = at == len(words) - 1
            chunk = ChatGenerationChunk(
                message=AIMessageChunk(
                    content=word if last else f"{word} ",
                    tool_call_chunks=[
                        {"name": c["name"], "args": _json(c["args"]), "id": c["id"], "index": n}
                        for n, c in enumerate(message.tool_calls)
                    ]
                    if last
                    else [],
                    usage_metadata=message.usage_metadata if last else None,
                    chunk_position="last" if last else None,
                )
            )
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk


def _json(arguments: dict[str, Any]) -> str:
    import json

    return json.dumps(arguments)


class ScriptedGenerator:
    """A rubric generator that writes given rubrics in order, the last one for ever; errors are raised."""

    id = "scripted"

    def __init__(self, *script: Rubric | BaseException | Callable[[State], Rubric]) -> None:
        self._script = script
        self.states: list[State] = []

    def write(self, state: State) -> Written:
        """The next rubric of the script."""
        self.states.append(state)
        entry = self._script[min(len(self.states), len(self._script)) - 1]
        if isinstance(entry, BaseException):
            raise entry
        return Written(entry if isinstance(entry, Rubric) else entry(state), Cost(calls=1, output_tokens=10))

    async def awrite(self, state: State) -> Written:
        """The same."""
        return self.write(state)


class ScriptedJudge:
    """A judge that decides by a function of criterion and action; errors are raised."""

    def __init__(
        self, decide: Callable[[Criterion, Action], Status] | BaseException, *, name: str = "scripted-judge"
    ) -> None:
        self.id = name
        self._decide = decide
        self.asked: list[tuple[str, ...]] = []

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """One verdict for each criterion."""
        self.asked.append(tuple(criterion.id for criterion in criteria))
        decide = self._decide
        if isinstance(decide, BaseException):
            raise decide
        return Ruling(
            tuple(
                Verdict(criterion=c.id, reason="by script", status=decide(c, action), decided_by=self.id)
                for c in criteria
            ),
            Cost(calls=1),
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same."""
        return self.judge(criteria, action, state)
