from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import openai
import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.rate_limiters import InMemoryRateLimiter
from langgraph.errors import GraphInterrupt
from pydantic import BaseModel, ValidationError

from coreact.errors import ConfigError, JudgingError, LocalServerError
from coreact.judge import failure
from coreact.judge.failure import LONGEST_WAIT, Throttle, aretrying, classify, retry_after, retrying

REQUEST = httpx.Request("POST", "http://judge.test/v1")


def answered(status: int, headers: dict[str, str] | None = None, **body: Any) -> openai.APIStatusError:
    response = httpx.Response(status, headers=headers, json=body, request=REQUEST)
    return openai.APIStatusError(body.get("message", "no"), response=response, body=body)


def caused_by(cause: BaseException) -> Exception:
    try:
        try:
            raise cause
        except BaseException as error:
            raise RuntimeError("the client gave up") from error
    except RuntimeError as wrapped:
        return wrapped


def with_response(response: Any) -> Exception:
    """As the clients of another maker raise it: an error with a plain dict."""
    error = RuntimeError("ThrottlingException")
    error.response = response  # type: ignore[attr-defined]
    return error


class Number(BaseModel):
    value: int


def invalid() -> ValidationError:
    try:
        Number.model_validate({"value": "x"})
    except ValidationError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), "transport"),
        (httpx.ReadTimeout("slow"), "transport"),
        (httpx.RemoteProtocolError("cut"), "transport"),
        (ConnectionResetError(), "transport"),
        (openai.APIConnectionError(request=REQUEST), "transport"),
        (openai.APITimeoutError(request=REQUEST), "transport"),
        (LocalServerError("gone"), "transport"),
        (LocalServerError("too long", status_code=413), "budget"),
        (answered(408), "transport"),
        (answered(500), "transport"),
        (answered(503), "transport"),
        (answered(429), "rate_limit"),
        (answered(529), "rate_limit"),
        (answered(429, code="insufficient_quota"), "budget"),
        (answered(402), "budget"),
        (answered(400, code="context_length_exceeded"), "budget"),
        (answered(400, code="content_filter"), "refusal"),
        (answered(400), "bug"),
        (answered(401), "bug"),
        (json.JSONDecodeError("no", "", 0), "parse"),
        (OutputParserException("no"), "parse"),
        (invalid(), "parse"),
        (JudgingError("no", judge="j", cause="refusal"), "refusal"),
        (RuntimeError("Event loop is closed"), "transport"),
        (socket.gaierror(-2, "Name or service not known"), "transport"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "transport"),
        (FileNotFoundError(), "bug"),
        (answered(400, message="prompt is too long: 210000 tokens"), "budget"),
        (with_response({"ResponseMetadata": {"HTTPStatusCode": 429}}), "rate_limit"),
        (RuntimeError("anything else"), "bug"),
        (KeyError("x"), "bug"),
        (caused_by(httpx.ConnectError("no")), "transport"),
        (caused_by(answered(429)), "rate_limit"),
        (caused_by(ZeroDivisionError()), "bug"),
    ],
)
def test_every_error_has_one_cause(error: Exception, cause: str) -> None:
    assert classify(error) == cause


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = RuntimeError()
    error.__cause__ = caused_by(error)
    assert classify(error) == "bug"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)
def test_a_server_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(answered(429, headers)) == seconds


def test_a_date_is_a_pause_as_well() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert retry_after(answered(429, {"Retry-After": later})) == pytest.approx(30, abs=2)


def tried(monkeypatch: pytest.MonkeyPatch, error: BaseException, attempts: int = 3) -> list[float]:
    """How often and after which pauses something that always fails is tried, in both colours."""
    both: list[list[float]] = []
    for colour in ("sync", "async"):
        waits: list[float] = [0.0]
        monkeypatch.setattr(failure, "_BACKOFF", lambda state: 0.001 * state.attempt_number)
        with pytest.raises(type(error)):
            failing(error, attempts, waits) if colour == "sync" else asyncio.run(
                afailing(error, attempts, waits)
            )
        both.append([round(wait, 6) for wait in waits])
    assert both[0] == both[1]
    return both[0]


def failing(error: BaseException, attempts: int, waits: list[float]) -> None:
    for attempt in retrying(attempts):
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                waits.append(attempt.retry_state.idle_for - sum(waits))
            raise error


async def afailing(error: BaseException, attempts: int, waits: list[float]) -> None:
    async for attempt in aretrying(attempts):
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                waits.append(attempt.retry_state.idle_for - sum(waits))
            raise error


def test_only_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, TimeoutError()) == [0.0, 0.001, 0.002]
    assert tried(monkeypatch, answered(500), attempts=2) == [0.0, 0.001]
    assert tried(monkeypatch, answered(401)) == [0.0]
    assert tried(monkeypatch, KeyError()) == [0.0]


def test_a_server_that_says_how_long_is_obeyed_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, answered(429, {"retry-after-ms": "5"})) == [0.0, 0.005, 0.005]
    assert tried(monkeypatch, answered(429, {"Retry-After": str(LONGEST_WAIT + 1)})) == [0.0]


def test_control_flow_passes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, GraphInterrupt()) == [0.0]


class Crowd:
    """Counts how many are inside at once; everybody waits until nobody else can come in."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


def test_a_throttle_bounds_threads_and_tasks() -> None:
    throttle, crowd = Throttle(3), Crowd()
    pause = threading.Event()

    def work() -> None:
        with throttle.slot(), crowd:
            pause.wait(0.01)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crowd.most == 3

    async def one() -> None:
        async with throttle.aslot():
            with crowd:
                await asyncio.sleep(0.001)

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(12)))

    for _ in range(2):  # a throttle outlives an event loop
        crowd.most = 0
        asyncio.run(all_of_them())
        assert crowd.most == 3


def test_a_throttle_passes_the_rate_limiter() -> None:
    class Counted(InMemoryRateLimiter):
        passed = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            self.passed += 1
            return super().acquire(blocking=blocking)

    limiter = Counted(requests_per_second=1000, check_every_n_seconds=0.001, max_bucket_size=10)
    throttle = Throttle(1, limiter)
    with throttle.slot():
        pass
    assert limiter.passed == 1


def test_a_throttle_lets_something_through() -> None:
    with pytest.raises(ConfigError, match="lets none through"):
        Throttle(0)
