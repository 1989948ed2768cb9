"""What the tests of the baselines share: an agent that keeps its limit, and requests as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from coreact.cli.recipes import load_agent
from coreact.judge.records import Cost, Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedModel

build_react = load_agent("react").build

Script = Callable[[list[BaseMessage], bool], AIMessage | str | BaseException]


class Policy(ScriptedModel):
    """A scripted model that is told when tools are forbidden, as a real one is."""

    limited: bool = True

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        super().bind_tools(tools)
        return self.bind(tool_choice=kwargs.get("tool_choice"))

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self._lock:
            self.requests.append(tuple(messages))
        reply = self.script(messages, kwargs.get("tool_choice") == "none" and self.limited)
        if isinstance(reply, BaseException):
            raise reply
        message = AIMessage(reply) if isinstance(reply, str) else reply
        fresh = message.model_copy(update={"id": None}, deep=True)
        return ChatResult(generations=[ChatGeneration(message=fresh)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        message = self._generate(messages, **kwargs).generations[0].message
        assert not getattr(message, "tool_calls", None), "only answers stream here"
        words = message.text.split(" ")
        for at, word in enumerate(words):
            last = at == len(words) - 1
            chunk = AIMessageChunk(word if last else f"{word} ", chunk_position="last" if last else None)
            yield ChatGenerationChunk(message=chunk)


@pytest.fixture
def policy() -> type[Policy]:
    return Policy


@pytest.fixture
def react() -> Callable[..., Any]:
    return build_react


@pytest.fixture
def said() -> Callable[[Sequence[Sequence[BaseMessage]]], list[str]]:
    def as_bytes(requests: Sequence[Sequence[BaseMessage]]) -> list[str]:
        """Requests as a provider would get them: everything but the ids that LangGraph draws."""
        return [
            json.dumps([one.model_dump(mode="json", exclude={"id"}) for one in request])
            for request in requests
        ]

    return as_bytes


@pytest.fixture
def searching() -> Callable[..., Policy]:
    """A policy that makes `calls` searches, each with its own words, and then says what it last found."""

    def make(calls: int = 2, *, answer: str | None = None) -> Policy:
        def script(messages: list[BaseMessage], must_answer: bool) -> AIMessage | str:
            made = sum(isinstance(one, ToolMessage) for one in messages)
            if made < calls and not must_answer:
                return call_of("search", query=f"q{made}")
            return answer if answer is not None else f"answer after {made}"

        return Policy(script=script)

    return make


def call_of(name: str, **arguments: Any) -> AIMessage:
    key = "-".join(str(one) for one in arguments.values())
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"{name}-{key}"}])


class NumberJudge:
    """Finds the first word of an answer, or of a query, a number in tenths: `7 …` meets 7 of 10 criteria.

    What does not begin with a number it cannot judge.
    """

    id = "numbers"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        text = action.answer if action.answer is not None else " ".join(action.call.texts)
        self.asked.append(text)
        first = (text.split() or [""])[0]
        verdicts = []
        for at, criterion in enumerate(criteria):
            status = "unknown" if not first.isdigit() else "met" if at < int(first) else "unmet"
            verdicts.append(
                Verdict(criterion=criterion.id, reason=f"{first}?", status=status, decided_by=self.id)  # type: ignore[arg-type]
            )
        return Ruling(tuple(verdicts), Cost(calls=1))

    async def ajudge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        return self.judge(criteria, action, state)


@pytest.fixture
def numbers() -> NumberJudge:
    return NumberJudge()


@pytest.fixture
def tenths() -> Callable[..., Rubric]:
    """A rubric of ten criteria that `NumberJudge` decides."""

    def make(scope: Any = "answer") -> Rubric:
        criteria = tuple(Criterion(id=f"c{at}", text=f"It holds {at}.") for at in range(10))
        return Rubric(criteria=criteria, scope=scope, threshold=0.6)

    return make


@pytest.fixture
def plain() -> Callable[..., BaseChatModel]:
    return lambda *script: ScriptedModel(script=list(script))
