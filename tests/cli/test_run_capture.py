"""`coreact run --capture` and `--otlp`, `coreact trace send`: what leaves the program, what does not."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coreact.testing.otlp import OtlpReceiver
from coreact.trace import SQLiteTraceStore, Trajectory

Coreact = Callable[..., Any]

MAIL = "anna.b@example.org"
ASKED = f"Which currency is used where Ouagadougou is the capital? Write to {MAIL}."


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    with OtlpReceiver() as running:
        yield running


def the_run() -> Trajectory:
    store = SQLiteTraceStore(Path(".coreact/traces.db"))
    (summary,) = store.runs()
    return store.trajectory(summary.id)


def closed_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("capture", ["off", "redacted", "full"])
def test_capture(coreact: Coreact, stubborn: Any, receiver: OtlpReceiver, capture: str) -> None:
    ended = coreact(
        "run", ASKED, "--world", "world", *stubborn.options, "--capture", capture, "--otlp", receiver.endpoint
    )
    assert ended.code == 0
    found = the_run()
    files = b"".join(one.read_bytes() for one in Path(".coreact").iterdir())
    assert found.run.capture == capture
    assert (MAIL.encode() in files) == (capture == "full")
    assert ("Ouagadougou" in found.model_dump_json()) == (capture != "off")
    assert found.end is not None
    assert found.end.score is not None
    assert len(found.steps) == 3
    assert MAIL not in repr(receiver.spans) + repr(receiver.logs)
    assert coreact("trace", "show", found.run.id).code == 0
    assert MAIL not in coreact("trace", "show", found.run.id, "--json").out or capture == "full"


def test_no_such_capture(coreact: Coreact) -> None:
    assert coreact("run", "--capture", "some").code == 2


def test_a_run_is_told_and_says_nothing_of_it(
    coreact: Coreact, stubborn: Any, receiver: OtlpReceiver
) -> None:
    ended = coreact("run", "--world", "world", *stubborn.options, "--otlp", receiver.endpoint, "--json")
    assert ended.code == 0
    assert ended.err == ""
    names = [one.item.name for one in receiver.spans]
    assert sorted(names) == ["evaluate_step"] * 3 + ["execute_tool search"] * 2 + ["invoke_agent react"]
    selected = [one.attributes["coreact.candidate.selected"] for one in receiver.logs]
    assert True in selected
    assert False in selected, "the rejected attempt is told too"
    (trace_id,) = {one.item.trace_id for one in (*receiver.spans, *receiver.logs)}
    assert trace_id.hex() == json.loads(ended.out)["run"].replace("-", "")


def test_an_endpoint_that_is_down_does_not_end_the_run(
    coreact: Coreact, stubborn: Any, complaint: Any
) -> None:
    endpoint = closed_endpoint()
    begun = time.monotonic()
    ended = coreact("run", "--world", "world", *stubborn.options, "--otlp", endpoint)
    assert "West African CFA franc" in ended.out
    said = complaint(ended, code=1, remedy="Check that an OTLP/HTTP receiver")
    assert endpoint in said
    assert "spans were not taken" in said
    assert time.monotonic() - begun < 60, "bounded: no more than a few timeouts"
    stored = the_run()
    assert stored.end is not None
    assert stored.end.status == "done"


def test_a_run_that_fails_is_told_as_failed(coreact: Coreact, serve: Any, receiver: OtlpReceiver) -> None:
    server = serve()
    server.hold_from = None
    server.plan = [("search", {"query": "Ouagadougou capital"}), ""]

    real = server.completion

    def breaks(at: int) -> dict[str, Any]:
        if at >= 1:
            server.status = 404
        return real(at)  # type: ignore[no-any-return]

    server.completion = breaks
    ended = coreact("run", "--world", "world", *server.options, "--otlp", receiver.endpoint)
    assert ended.code == 1
    (agent,) = (one for one in receiver.spans if one.item.name.startswith("invoke_agent"))
    assert agent.attributes["coreact.run.status"] == "failed"
    assert agent.item.status.code == 2
    assert agent.item.status.message == ""


@pytest.mark.parametrize("wrong", ["localhost:4318", "ftp://x"])
def test_what_is_no_endpoint_is_told_before_the_model_is_asked(
    coreact: Coreact, stubborn: Any, complaint: Any, wrong: str
) -> None:
    complaint(
        coreact("run", "--world", "world", *stubborn.options, "--otlp", wrong), code=2, remedy="http://127"
    )
    assert stubborn.requests == []


def test_stored_runs_are_sent(
    coreact: Coreact, stubborn: Any, receiver: OtlpReceiver, complaint: Any
) -> None:
    coreact("run", ASKED, "--world", "world", *stubborn.options)
    run = the_run().run.id
    ended = coreact("trace", "send", run, run[:13], "--otlp", receiver.endpoint)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Sent 1 run to {receiver.endpoint}: 6 spans, ")
    assert len(receiver.spans) == 6
    assert MAIL not in repr(receiver.spans) + repr(receiver.logs)
    ended = coreact("trace", "send", run, "--otlp", receiver.endpoint, "--content", "--json")
    assert json.loads(ended.out) == {
        "runs": 1, "spans": 6, "events": len(receiver.logs) // 2, "endpoint": receiver.endpoint
    }  # fmt: skip
    assert MAIL in repr(receiver.spans)

    receiver.spans.clear()
    complaint(
        coreact("trace", "send", run, "nobody", "--otlp", receiver.endpoint),
        code=2,
        remedy="coreact trace list",
    )
    assert receiver.spans == [], "nothing is sent where one of the runs is not there"
    receiver.status["/v1/logs"] = 405
    said = complaint(
        coreact("trace", "send", run, "--otlp", receiver.endpoint), code=1, remedy="traces and logs"
    )
    assert "after 0 of 1 runs" in said
    assert "HTTP 405" in said
    down = coreact("trace", "send", run, "--otlp", closed_endpoint(), "--timeout", "0.5")
    complaint(down, code=1, remedy="Check that an OTLP/HTTP receiver")
