"""Inputs as the real tools write them, made by those tools where they are installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.protobuf.json_format import MessageToDict
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from langsmith.client import _dumps_json
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from coreact.host.messages import message_json
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import SQLiteTraceStore, Trajectory
from coreact.trace.importing import Imported, read_traces
from coreact.trace.recording import record_trajectory
from coreact.trace.states import state_at

SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Find passages.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
        },
    },
}
CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"query": "Elbe"}'}}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where does the Elbe rise?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "About Elbe: it rises in the Giant Mountains."},
    {"role": "assistant", "content": "There."},
]


@pytest.fixture
def conversation() -> list[dict[str, Any]]:
    return json.loads(json.dumps(CONVERSATION))


@pytest.fixture
def search_schema() -> dict[str, Any]:
    return json.loads(json.dumps(SEARCH))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes values as JSON Lines, or text as it is."""

    def write_(*values: Any, name: str = "traces.jsonl") -> Path:
        path = tmp_path / name
        lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
        return path

    return write_


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., tuple[list[Trajectory], Imported]]:
    """Reads a file, and proves of every run that a store gives it back, with the state of each step."""

    number = count()

    def load_(path: Path, *arguments: Any, **settings: Any) -> tuple[list[Trajectory], Imported]:
        imported = read_traces(path, *arguments, **settings)
        found = list(imported.trajectories)
        store = SQLiteTraceStore(tmp_path / f"proof-{next(number)}.db")
        try:
            for trajectory in found:
                record_trajectory(store, trajectory)
            store.flush()
            for trajectory in found:
                back = store.trajectory(trajectory.run.id)
                assert back == trajectory
                for step in back.steps:
                    state = state_at(back, step.index)
                    assert state.digest == step.state_digest
                    assert state.question == trajectory.run.question
        finally:
            store.close()
        again = read_traces(path, *arguments, **settings)
        assert [one.run.id for one in again.trajectories] == [one.run.id for one in found]
        return found, imported

    return load_


def collector(spans: Sequence[ReadableSpan], *, hex_ids: bool = True) -> list[dict[str, Any]]:
    """Spans as OTLP/JSON, one `TracesData` a span, as they come out of a batch of one."""
    import base64

    documents = []
    for span in spans:
        document = MessageToDict(encode_spans([span]))
        for resource in document["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for one in scope["spans"]:
                    for key in ("traceId", "spanId", "parentSpanId") if hex_ids else ():
                        if key in one:
                            one[key] = base64.b64decode(one[key]).hex()
        documents.append(document)
    return documents


@pytest.fixture
def tracing() -> tuple[Any, Callable[[], list[dict[str, Any]]]]:
    """A tracer of the real SDK, and what the Collector's file exporter would write of its spans."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return provider.get_tracer("test"), lambda: collector(kept.get_finished_spans())


class _Roots(LangChainTracer):
    roots: ClassVar[list[Any]] = []  # the tracer copies itself for nested graphs

    def _persist_run(self, run: Any) -> None:
        self.roots.append(run)

    def _persist_run_single(self, run: Any) -> None:
        """Send nothing."""

    def _update_run_single(self, run: Any) -> None:
        """Send nothing."""


def _dumped(run: Any) -> dict[str, Any]:
    known = json.loads(
        _dumps_json(run.model_dump(exclude={"child_runs", "parent_run", "client", "ls_client"}))
    )
    return {**known, "child_runs": [_dumped(child) for child in run.child_runs]}


@pytest.fixture
def langsmith_tree() -> dict[str, Any]:
    """The run tree of a real agent, as LangSmith's tracer for LangChain makes it."""

    @tool
    def search(query: str) -> str:
        """Find passages."""
        return f"About {query}: it rises in the Giant Mountains."

    said = AIMessage("There.", usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7})
    model = ScriptedModel(script=[call("search", id="c1", query="Elbe"), said])
    agent = create_agent(model, [search], system_prompt="Be brief.")
    client = Client(api_url="http://127.0.0.1:1", api_key="none", auto_batch_tracing=False)
    tracer = _Roots(client=client)
    tracer.roots.clear()
    agent.invoke(
        {"messages": [("user", "Where does the Elbe rise?")]},
        {"callbacks": [tracer], "configurable": {"thread_id": "thread-1"}},
    )
    (root,) = tracer.roots
    return _dumped(root)


@pytest.fixture
def plain() -> Callable[[Sequence[BaseMessage]], list[dict[str, Any]]]:
    return lambda messages: [message_json(message) for message in messages]
