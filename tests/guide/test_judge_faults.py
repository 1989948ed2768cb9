"""A thousand judge faults over real HTTP, through the middleware: none may become a verdict.

A judge that hangs never answers, and its caller loses patience with it alone: so a machine that is slow makes
no fault of its own.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.judge import Verdict
from coreact.judge.model import ModelJudge
from coreact.local import LocalChatModel
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedGenerator, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder

RUBRIC = Rubric(criteria=(Criterion(id="a", text="It is clear."), Criterion(id="b", text="It is brief.")))

FINDINGS = {
    "k1": {"reason": "fine", "quotes": ["fault"], "status": "met"},
    "k2": {"reason": "long", "quotes": [], "status": "unmet"},
}
GOOD = json.dumps(FINDINGS)

CONTENT = {
    "truncated": GOOD[: len(GOOD) // 2],
    "garbage": "}{ lorem %% ipsum",
    "refusal": "I'm sorry, but I can't assist with that.",
    "empty": "",
    "short": json.dumps({"k1": FINDINGS["k1"]}),
    "contradiction": json.dumps({"pass": True} | FINDINGS),
}
CAUSES = {
    "timeout": "transport",
    "ratelimit": "rate_limit",
    "crash": "transport",
    "reset": "transport",
    "truncated": "parse",
    "garbage": "parse",
    "refusal": "refusal",
    "empty": "parse",
    "short": "parse",
    "contradiction": "parse",
}
KINDS = tuple(CAUSES)
PATIENCE = 0.2
"""Seconds after which a caller gives up a judge that never answers; any number would do."""
GENEROUS = 100.0
"""Seconds that a judge which answers may take."""
RUNS = {"openai": 10, "local": 90}
"""Runs by client: the provider's own, and a thin one, which is ten times quicker."""


def fault_in(body: bytes) -> str:
    """The fault that the judged call names; empty where it names none."""
    asked = json.loads(body)["messages"][-1]["content"]
    return str(asked.rpartition("is judged")[2].partition("fault ")[2].partition(" ")[0])


def impatient(request: httpx.Request) -> None:
    """Shortens the wait for the answer that never comes."""
    if fault_in(request.read()) == "timeout":
        request.extensions["timeout"] = {**request.extensions["timeout"], "read": PATIENCE}


class FaultyJudge(BaseHTTPRequestHandler):
    """Answers every request with the fault that the judged call names."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        kind = fault_in(self.rfile.read(int(self.headers["content-length"])))
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif kind == "timeout":
            self.rfile.read(1)  # until the client hangs up
            self.close_connection = True
        elif kind == "ratelimit":
            self.reply(429, {"error": {"message": "slow down"}})
        elif kind == "crash":
            self.reply(500, {"error": {"message": "oops"}})
        else:
            message = {"role": "assistant", "content": CONTENT.get(kind, GOOD)}
            self.reply(200, completion(message))

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def completion(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "judge",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a connection that finds no place would be tried again seconds later

    def handle_error(self, *_: Any) -> None:
        """A client that hung up is what this test is about."""


@pytest.fixture
def judges() -> Iterator[dict[str, ModelJudge]]:
    server = Quiet(("127.0.0.1", 0), FaultyJudge)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    hooks: dict[str, Any] = {"request": [impatient]}
    thin = LocalChatModel(base_url=address, timeout_seconds=GENEROUS)
    client = httpx.Client(
        limits=httpx.Limits(max_keepalive_connections=0), trust_env=False, event_hooks=hooks
    )
    thin._client = client  # the one that it makes has no hooks
    provider = ChatOpenAI(
        model="judge",
        base_url=address,
        api_key=SecretStr("none"),
        max_retries=0,
        timeout=GENEROUS,
        http_client=httpx.Client(trust_env=False, event_hooks=hooks),
    )
    yield {
        "openai": ModelJudge(provider, attempts=1),
        "local": ModelJudge(thin, attempts=1, output="text"),
    }
    client.close()
    provider.root_client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def acting(messages: list[BaseMessage]) -> Any:
    """An agent that makes one call for each kind of fault and then answers."""
    done = sum(message.type == "tool" for message in messages)
    return call("note", text=f"fault {KINDS[done]} now", id=f"n{done}") if done < len(KINDS) else "good day"


def note(text: str) -> str:
    """Write something down."""
    return "noted"


def run(judge: ModelJudge, store: InMemoryTraceStore) -> None:
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(RUBRIC), judge=judge, recorder=Recorder(store), retries=0
    )
    agent = create_agent(ScriptedModel(script=acting), [note], middleware=[middleware])
    out = agent.invoke({"messages": [("user", "Go through all of them.")]}, {"recursion_limit": 60})
    assert out["messages"][-1].text == "good day"
    assert out[STATUS_KEY]["status"] == "unmet"  # the judge is well again, and finds the answer too long


@pytest.mark.timeout(1200)
def test_a_thousand_faults_are_no_verdicts(
    judges: dict[str, ModelJudge], capsys: pytest.CaptureFixture[str]
) -> None:
    store = InMemoryTraceStore()
    with ThreadPoolExecutor(16) as pool:
        runs = [pool.submit(run, judges[name], store) for name, count in RUNS.items() for _ in range(count)]
    assert [done.exception() for done in runs] == [None] * 100
    verdicts: list[tuple[str, Verdict]] = []
    for summary in store.runs(limit=1000):
        for step in store.trajectory(summary.id).steps[: len(KINDS)]:
            (judged,) = step.attempts[0].judgements
            assert (judged.score, judged.passed, judged.judged, judged.total) == (None, None, 0, 2)
            assert step.error
            verdicts.extend((KINDS[step.index], verdict) for verdict in judged.verdicts)
    faults = Counter(kind for kind, verdict in verdicts if verdict.criterion == "a")
    statuses = Counter(verdict.status for _, verdict in verdicts)
    causes = {kind: {verdict.cause for k, verdict in verdicts if k == kind} for kind in KINDS}
    with capsys.disabled():
        print(f"\n{faults.total()} faults -> {dict(statuses)}; causes {causes}")  # noqa: T201 - the figure
    assert faults == dict.fromkeys(KINDS, 100)
    assert statuses == {"unknown": 2000}
    assert {verdict.fault for _, verdict in verdicts} == {"instrument"}
    assert causes == {kind: {cause} for kind, cause in CAUSES.items()}
