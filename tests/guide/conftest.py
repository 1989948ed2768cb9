"""What the tests of the adapters share: both colours of running an agent, what must hold after a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.rubric import ArgumentContains, Criterion, Rubric
from coreact.testing.scripted import ScriptedModel
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory


def ours(messages: Sequence[BaseMessage]) -> list[str]:
    """The texts that guidance put into a request."""
    return [
        str(message.text)
        for message in messages
        if isinstance(message, HumanMessage) and message.additional_kwargs.get("lc_source") == "coreact"
    ]


@pytest.fixture(name="ours")
def _ours() -> Callable[[Sequence[BaseMessage]], list[str]]:
    return ours


def check_history(messages: Sequence[BaseMessage]) -> None:
    """No guidance in the history, and every tool call has its results right behind it."""
    for at, message in enumerate(messages):
        # What a human said to a final answer is the only text of ours that a history may hold.
        assert not ours([message]) or HUMAN_SAID in message.text, message
        if not isinstance(message, AIMessage):
            continue
        results = []
        for later in messages[at + 1 :]:
            if not isinstance(later, ToolMessage):
                break
            results.append(later.tool_call_id)
        assert [call["id"] for call in message.tool_calls if call["id"] not in results] == []
        assert sorted(set(results)) == sorted(results)


HUMAN_SAID = "Not that one."


class Runner:
    """Runs agents in one colour and checks what they leave behind."""

    def __init__(self, colour: str) -> None:
        self.colour = colour

    def __call__(self, agent: Any, given: Any, config: Any = None, **options: Any) -> dict[str, Any]:
        config = {"recursion_limit": 50, **(config or {})}
        if self.colour == "sync":
            out = agent.invoke(given, config, **options)
        else:
            out = asyncio.run(agent.ainvoke(given, config, **options))
        if not out.get("__interrupt__"):
            check_history(out["messages"])
        json.dumps(out.get("coreact"))
        return out

    def ask(self, agent: Any, question: str = "Where is gold?", config: Any = None) -> dict[str, Any]:
        return self(agent, {"messages": [("user", question)]}, config)

    def stream(self, agent: Any, question: str = "Where is gold?", **options: Any) -> list[Any]:
        given = {"messages": [("user", question)]}
        if self.colour == "sync":
            return list(agent.stream(given, **options))

        async def collected() -> list[Any]:
            return [part async for part in agent.astream(given, **options)]

        return asyncio.run(collected())


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


class Tools:
    """A read-only search tool and a tool that writes; both remember what they were called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def search(self, query: str) -> str:
        self.calls.append(query)
        return f"Found {query}."

    def delete(self, path: str) -> str:
        self.calls.append(f"delete {path}")
        return f"Deleted {path}."

    @property
    def all(self) -> list[BaseTool]:
        return [
            StructuredTool.from_function(
                self.search,
                name="search",
                description="Search the corpus.",
                metadata={"role": "search", "read_only": True},
            ),
            StructuredTool.from_function(self.delete, name="delete", description="Delete a file."),
        ]


@pytest.fixture
def tools() -> Tools:
    return Tools()


def wanting(*terms: str, **rubric: Any) -> Rubric:
    """A rubric that wants these words in the query; final answers are not judged by it."""
    return Rubric(
        criteria=tuple(
            Criterion(
                id=term,
                text=f"Put {term} into the query.",
                check=ArgumentContains(argument="query", terms=(term,)),
            )
            for term in terms
        ),
        **rubric,
    )


@pytest.fixture
def want() -> Callable[..., Rubric]:
    return wanting


@pytest.fixture
def store() -> InMemoryTraceStore:
    return InMemoryTraceStore()


@pytest.fixture
def recorder(store: InMemoryTraceStore) -> Recorder:
    return Recorder(store)


def plain(message: BaseMessage) -> dict[str, Any]:
    """A message as a provider would get it: without ids that are drawn anew in every run."""
    return message.model_dump(mode="json", exclude={"id"}) | {"kind": type(message).__name__}


def requests_of(model: ScriptedModel) -> list[list[dict[str, Any]]]:
    return [[plain(message) for message in request] for request in model.requests]


@pytest.fixture
def as_sent() -> Callable[[ScriptedModel], list[list[dict[str, Any]]]]:
    return requests_of


@pytest.fixture
def only_run(store: InMemoryTraceStore) -> Callable[[], Trajectory]:
    def read() -> Trajectory:
        (summary,) = store.runs()
        return store.trajectory(summary.id)

    return read
