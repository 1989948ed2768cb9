"""What the tests of verify-and-refine share: both colours, a judge with reasons, rubrics for answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Criterion, Rubric
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory


class WordJudge:
    """Finds a criterion met where the answer holds its id, and says what is missing otherwise."""

    def __init__(self, *, unknown: Sequence[str] = (), name: str = "words") -> None:
        self.id = name
        self.unknown = frozenset(unknown)
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def judge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        self.asked.append((action.answer, tuple(criterion.id for criterion in criteria)))
        seen = " ".join(step.observation.text for step in state.steps if step.observation is not None)
        return Ruling(
            tuple(self._verdict(criterion, action.answer, seen) for criterion in criteria), Cost(calls=1)
        )

    def _verdict(self, criterion: Criterion, answer: str, seen: str) -> Verdict:
        status: Status = "met" if criterion.id in answer else "unmet"
        reason = f"It says {criterion.id}." if status == "met" else f"It does not say {criterion.id}."
        if criterion.id in self.unknown and f"settled {criterion.id}" not in seen:
            status, reason = "unknown", f"Nothing tells about {criterion.id}."
        return Verdict(criterion=criterion.id, reason=reason, status=status, decided_by=self.id)

    async def ajudge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        return self.judge(criteria, action, state)


@pytest.fixture
def words() -> Callable[..., WordJudge]:
    return WordJudge


def naming(*names: str, **rubric: Any) -> Rubric:
    """A rubric whose answers must name these words; a judge decides."""
    return Rubric(
        criteria=tuple(Criterion(id=name, text=f"Names {name}.") for name in names),
        scope="answer",
        **{"threshold": 1.0, **rubric},
    )


@pytest.fixture(name="naming")
def _naming() -> Callable[..., Rubric]:
    return naming


def check_history(messages: Sequence[BaseMessage]) -> None:
    """Every tool call has its results right behind it, and no call id comes twice."""
    seen: list[str] = []
    for at, message in enumerate(messages):
        if not isinstance(message, AIMessage):
            continue
        results = []
        for later in messages[at + 1 :]:
            if not isinstance(later, ToolMessage):
                break
            results.append(later.tool_call_id)
        calls = [str(call["id"]) for call in message.tool_calls]
        assert sorted(calls) == sorted(results), message
        seen += calls
    assert len(seen) == len(set(seen))


class Runner:
    """Runs agents and graphs in one colour and checks what they leave behind."""

    def __init__(self, colour: str) -> None:
        self.colour = colour

    def __call__(self, agent: Any, given: Any, config: Any = None, **options: Any) -> dict[str, Any]:
        config = {"recursion_limit": 60, **(config or {})}
        if self.colour == "sync":
            out = agent.invoke(given, config, **options)
        else:
            out = asyncio.run(agent.ainvoke(given, config, **options))
        if not out.get("__interrupt__"):
            check_history(out.get("messages", ()))
        json.dumps(out.get("answer_check"))
        assert not [key for key in out if key.startswith("_answer")], "private keys stay inside"
        return out

    def ask(self, agent: Any, question: str = "Where is gold?", config: Any = None) -> dict[str, Any]:
        return self(agent, {"messages": [("user", question)]}, config)

    def stream(self, agent: Any, given: Any = None, **options: Any) -> list[Any]:
        given = given or {"messages": [("user", "Where is gold?")]}
        if self.colour == "sync":
            return list(agent.stream(given, **options))

        async def collected() -> list[Any]:
            return [part async for part in agent.astream(given, **options)]

        return asyncio.run(collected())

    def call(self, function: Any, afunction: Any, *arguments: Any, **keywords: Any) -> Any:
        if self.colour == "sync":
            return function(*arguments, **keywords)
        return asyncio.run(afunction(*arguments, **keywords))


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


class Tools:
    """A search tool that remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def search(self, query: str) -> str:
        self.calls.append(query)
        return f"Found {query} at https://example.org/{query}."

    @property
    def all(self) -> list[BaseTool]:
        return [
            StructuredTool.from_function(
                self.search,
                name="search",
                description="Search the corpus.",
                metadata={"role": "search", "read_only": True},
            )
        ]


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def store() -> InMemoryTraceStore:
    return InMemoryTraceStore()


@pytest.fixture
def recorder(store: InMemoryTraceStore) -> Recorder:
    return Recorder(store)


@pytest.fixture
def only_run(store: InMemoryTraceStore) -> Callable[[], Trajectory]:
    def read() -> Trajectory:
        (summary,) = store.runs()
        return store.trajectory(summary.id)

    return read


@pytest.fixture
def told() -> Callable[[Sequence[BaseMessage]], list[str]]:
    def texts(messages: Sequence[BaseMessage]) -> list[str]:
        """The feedback in a conversation."""
        return [
            str(message.text)
            for message in messages
            if isinstance(message, HumanMessage) and message.additional_kwargs.get("lc_source") == "coreact"
        ]

    return texts
