"""OTLP on the wire: a real HTTP server on loopback decodes what was sent, field by field."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from coreact.errors import ConfigError, TelemetryError
from coreact.testing import record_into, sample_trajectory
from coreact.testing.otlp import OtlpReceiver, Received
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory, new_id
from coreact.trace.telemetry import OtlpTelemetry


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def live() -> Trajectory:
    whole = sample_trajectory(new_id())
    steps = tuple(step.model_copy(update={"trace_id": None, "span_id": None}) for step in whole.steps)
    return whole.model_copy(update={"steps": steps})


def check_read_back(whole: Trajectory, spans: list[Received], logs: list[Received]) -> None:
    """What a receiver has is the run: ids, parents, names, times, kinds, attributes."""
    trace_id = UUID(whole.run.id).bytes
    assert len(spans) == 8
    (agent,) = (one for one in spans if one.item.name == "invoke_agent searcher")
    steps = [one for one in spans if one.item.name == "evaluate_step"]
    tools = [one for one in spans if one.item.name == "execute_tool search"]
    assert {one.item.trace_id for one in spans} == {trace_id}
    assert agent.item.parent_span_id == b""
    assert {one.item.parent_span_id for one in (*steps, *tools)} == {agent.item.span_id}
    assert agent.item.start_time_unix_nano == whole.run.started_ns
    assert whole.end is not None
    assert agent.item.end_time_unix_nano == whole.end.ended_ns
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert agent.attributes["gen_ai.agent.name"] == "searcher"
    assert agent.attributes["gen_ai.usage.input_tokens"] == 600
    assert agent.attributes["coreact.run.score"] == 0.875
    assert agent.resource["service.name"] == "coreact"
    assert agent.scope == "coreact"
    assert {one.item.kind for one in spans} == {1}, "INTERNAL"
    for one, step in zip(steps, whole.steps, strict=True):
        assert one.attributes["coreact.step.index"] == step.index
        assert one.attributes["openinference.span.kind"] == "EVALUATOR"
        assert one.item.end_time_unix_nano == step.at_ns
        assert one.item.start_time_unix_nano == step.at_ns - 1_500_000_000
        assert one.item.events == [], "verdicts are log records, no span events"
    for one, seen in zip(tools, whole.observations, strict=True):
        assert one.attributes["gen_ai.tool.name"] == "search"
        assert one.attributes["gen_ai.tool.call.id"] == seen.call_id
        assert one.item.status.code == (2 if seen.failed else 0)
    expected = [
        (step.index, step.at_ns, verdict)
        for step in whole.steps
        for attempt in step.attempts
        for judged in (*attempt.judgements, *attempt.own_judgements)
        for verdict in judged.verdicts
    ]
    assert {one.item.event_name for one in logs} == {"gen_ai.evaluation.result"}
    during, later = logs[: len(expected)], logs[len(expected) :]
    span_of = {one.attributes["coreact.step.index"]: one.item.span_id for one in steps}
    for one, (index, at_ns, verdict) in zip(during, expected, strict=True):
        assert one.item.time_unix_nano == at_ns
        assert (one.item.trace_id, one.item.span_id) == (trace_id, span_of[index])
        assert one.attributes["gen_ai.evaluation.name"] == verdict.criterion
        assert one.attributes["gen_ai.evaluation.score.label"] == verdict.status
        assert one.attributes["coreact.candidate.selected"] is False
        if verdict.fault == "instrument":
            assert one.attributes["error.type"] == verdict.cause
            assert "gen_ai.evaluation.score.value" not in one.attributes
    assert [one.item.span_id for one in later] == [span_of[0], span_of[0], agent.item.span_id]
    assert [one.attributes["coreact.evaluator.type"] for one in later] == ["llm_judge", "human", "llm_judge"]


def test_a_live_run_is_read_back(receiver: OtlpReceiver) -> None:
    whole, telemetry = live(), OtlpTelemetry(receiver.endpoint)
    record_into(Recorder(InMemoryTraceStore(), listeners=[telemetry]), whole)  # type: ignore[arg-type]
    assert receiver.requests == [], "nothing is sent while the agent runs"
    assert telemetry.flush() == (8, len(receiver.logs)) == (8, 19)
    check_read_back(whole, receiver.spans, receiver.logs)
    assert {one.schema_url for one in (*receiver.spans, *receiver.logs)} == {
        "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
    }
    assert telemetry.flush() == (0, 0)


def test_a_stored_run_is_read_back(receiver: OtlpReceiver) -> None:
    whole = live()
    telemetry = OtlpTelemetry(receiver.endpoint + "/v1/traces/")
    telemetry.trajectory(whole)
    telemetry.flush()
    check_read_back(whole, receiver.spans, receiver.logs)


def test_nothing_is_dropped_from_a_long_run(receiver: OtlpReceiver) -> None:
    telemetry = OtlpTelemetry(receiver.endpoint)
    whole = live()
    steps = tuple(whole.steps[0].model_copy(update={"index": index}) for index in range(700))
    telemetry.trajectory(whole.model_copy(update={"steps": steps}))
    assert telemetry.flush() == (len(receiver.spans), len(receiver.logs))
    assert len(receiver.spans) == 1 + 700 + 4
    assert len(receiver.logs) == 700 * 5 + 3
    assert receiver.requests.count("/v1/traces") > 1


# --- a real collector in between ------------------------------------------------------------------


def rotel() -> Path | None:
    """The collector's program: on the path, or in the package `rotel` of this Python."""
    named = os.environ.get("COREACT_ROTEL") or shutil.which("rotel-agent")
    inside = Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages/rotel/rotel-agent"
    return Path(named) if named else inside if inside.exists() else None


def test_through_a_real_collector(receiver: OtlpReceiver) -> None:
    """Rotel, an OpenTelemetry collector, takes the run and passes it on; what arrives is still the run."""
    program = rotel()
    if program is None:
        pytest.skip("no collector: pip install rotel, or set COREACT_ROTEL to its rotel-agent")
    http, grpc = unused_port(), unused_port()
    command = [
        str(program), "start", "--otlp-http-endpoint", f"127.0.0.1:{http}",
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--exporter", "otlp", "--otlp-exporter-protocol", "http",
        "--otlp-exporter-traces-endpoint", f"{receiver.endpoint}/v1/traces",
        "--otlp-exporter-logs-endpoint", f"{receiver.endpoint}/v1/logs",
        "--otlp-exporter-metrics-endpoint", f"{receiver.endpoint}/v1/metrics", "--batch-timeout", "50ms",
    ]  # fmt: skip
    whole = live()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as collector:
        try:
            _until(lambda: _listens(http), "the collector does not listen")
            telemetry = OtlpTelemetry(f"http://127.0.0.1:{http}")
            telemetry.trajectory(whole)
            assert telemetry.flush() == (8, 19)
            _until(lambda: len(receiver.spans) >= 8 and len(receiver.logs) >= 19, "not all of it arrives")
        finally:
            collector.terminate()
            collector.communicate(timeout=30)
    check_read_back(whole, receiver.spans, receiver.logs)


def _until(holds: Any, complaint: str) -> None:
    patience = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < patience, complaint
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- what fails -----------------------------------------------------------------------------------


def test_nobody_listens(capfd: pytest.CaptureFixture[str]) -> None:
    endpoint = f"http://127.0.0.1:{unused_port()}"
    telemetry = OtlpTelemetry(endpoint, timeout=0.5)
    record_into(Recorder(InMemoryTraceStore(), listeners=[telemetry]), live())  # type: ignore[arg-type]
    with pytest.raises(TelemetryError, match=r"8 of 8 spans were not taken; 19 .* were not tried") as raised:
        telemetry.flush()
    assert raised.value.endpoint == endpoint
    assert "refused" in str(raised.value)
    assert capfd.readouterr() == ("", ""), "the exporter's own complaints stay out of the terminal"
    assert telemetry.flush() == (0, 0), "what could not be sent is not kept for ever"


def test_a_server_that_never_answers(receiver: OtlpReceiver) -> None:
    receiver.release.clear()
    telemetry = OtlpTelemetry(receiver.endpoint, timeout=0.5)
    telemetry.trajectory(live())
    with pytest.raises(TelemetryError, match="8 of 8 spans"):
        telemetry.flush()


@pytest.mark.parametrize(("status", "says"), [(404, "404"), (500, "500"), (401, "401")])
def test_a_server_that_takes_no_logs(receiver: OtlpReceiver, status: int, says: str) -> None:
    receiver.status["/v1/logs"] = status
    telemetry = OtlpTelemetry(receiver.endpoint, timeout=0.5)
    telemetry.trajectory(live())
    with pytest.raises(TelemetryError, match=r": 19 of 19 evaluation events were not taken") as raised:
        telemetry.flush()
    assert says in str(raised.value)
    assert len(receiver.spans) == 8


@pytest.mark.parametrize("sampler", ["always_off", "parentbased_always_off", "traceidratio"])
def test_what_the_environment_samples_is_not_asked(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    telemetry = OtlpTelemetry(receiver.endpoint)
    telemetry.trajectory(live())
    assert telemetry.flush() == (8, 19) == (len(receiver.spans), len(receiver.logs))


def test_switched_off_is_an_error_and_no_success(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with pytest.raises(TelemetryError, match="OTEL_SDK_DISABLED"):
        OtlpTelemetry(receiver.endpoint)


def test_a_lone_surrogate_loses_nothing(receiver: OtlpReceiver) -> None:
    whole = live()
    odd = whole.observations[0].model_copy(update={"tool": "a\ud800b", "text": "x\udc80"})
    assert whole.end is not None
    whole = whole.model_copy(
        update={
            "observations": (odd, *whole.observations[1:]),
            "run": whole.run.model_copy(update={"question": "q\ud800"}),
            "end": whole.end.model_copy(update={"answer": "\udc80"}),
        }
    )
    telemetry = OtlpTelemetry(receiver.endpoint, content=True)
    telemetry.trajectory(whole)
    assert telemetry.flush() == (8, 19)
    (told,) = (one for one in receiver.spans if one.item.name == "execute_tool a\\ud800b")
    assert told.attributes["gen_ai.tool.call.result"] == "x\\udc80"


@pytest.mark.parametrize(
    "endpoint",
    ["", "localhost:4318", "ftp://127.0.0.1", "http://", "http://[::1", "http://h:99999", "https:/x"],
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="no OTLP endpoint"):
        OtlpTelemetry(endpoint)


def test_logging_is_as_it_was(receiver: OtlpReceiver) -> None:
    logger = logging.getLogger("opentelemetry")
    before = (list(logger.handlers), logger.propagate)
    OtlpTelemetry(receiver.endpoint).flush()
    assert (list(logger.handlers), logger.propagate) == before
