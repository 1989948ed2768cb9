"""What broke when a judge broke, when to try again, and how many may try at once.

Every error is classified once, here, into a `Cause`; the rest of the library reads the cause and
never the error's type or text. What follows from a cause is not decided here: at run time a policy
of the guide says whether a step nobody could judge may go on, in training the item is masked.
LangGraph's control flow (`GraphBubbleUp`) is no error: it is neither classified nor retried.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import errno
import json
import re
import socket
import ssl
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from langchain_core.exceptions import OutputParserException
from langchain_core.rate_limiters import BaseRateLimiter
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from coreact.errors import ConfigError, JudgingError, LocalServerError
from coreact.judge.records import Cause

LONGEST_WAIT = 60.0
"""Seconds. A server that asks for a longer pause is not waited for."""

_CLOSED = "Event loop is closed"
"""What asyncio says of a pooled connection that belongs to an event loop of before; a new one works."""
_NO_NETWORK = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH})
_TOO_LONG = re.compile(r"(?i)\btoo (long|large|many tokens)\b|\b(maximum context|context (length|window))\b")
"""What providers without a code for it say of a prompt that does not fit."""
_PASSING = frozenset({"transport", "rate_limit"})
_BACKOFF = wait_exponential_jitter(initial=0.5, max=20.0, jitter=0.5)
_NAMED: dict[str, Cause] = {
    "content_filter": "refusal",
    "content_policy_violation": "refusal",
    "context_length_exceeded": "budget",
    "insufficient_quota": "budget",
}
"""Codes by which providers say what their status number leaves open."""


def classify(error: BaseException) -> Cause:
    """What broke, from the error itself or from what caused it.

    HTTP status numbers come first: 429 and 529 are `rate_limit`; 402 and 413 are `budget`; 408 and
    5xx are `transport`; any other 4xx is a `bug` of the setup, which no retry mends. Without a
    status, broken connections and time-outs are `transport`, unreadable replies `parse`.
    """
    for one in _chain(error):
        cause = _classified(one)
        if cause is not None:
            return cause
    return "bug"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _classified(error: BaseException) -> Cause | None:
    if isinstance(error, JudgingError):
        return error.cause if error.cause != "bug" else None
    code = getattr(error, "code", None)
    if isinstance(code, str) and code in _NAMED:
        return _NAMED[code]
    status = _status(error)
    if status == 400 and _TOO_LONG.search(str(error)):
        return "budget"
    if status is not None:
        return _by_status(status)
    finish = _finish(error)
    if finish is not None:
        return finish
    if isinstance(error, httpx.TransportError | TimeoutError | ConnectionError | LocalServerError):
        return "transport"
    if isinstance(error, socket.gaierror | ssl.SSLError) or getattr(error, "errno", None) in _NO_NETWORK:
        return "transport"
    if isinstance(error, RuntimeError) and str(error) == _CLOSED:
        return "transport"
    if isinstance(error, json.JSONDecodeError | ValidationError | OutputParserException | UnicodeDecodeError):
        return "parse"
    return None


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for holder in (error, response):
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return value
    if isinstance(response, Mapping):  # as botocore does it
        value = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
        return value if isinstance(value, int) and value >= 400 else None
    return None


def _by_status(status: int) -> Cause:
    if status in (429, 529):
        return "rate_limit"
    if status in (402, 413):
        return "budget"
    return "transport" if status == 408 or status >= 500 else "bug"


def _finish(error: BaseException) -> Cause | None:
    # The OpenAI client raises where a reply under a schema ended early; other clients return it.
    # Importing it takes seconds, and where nobody did there is no error of its own.
    openai = sys.modules.get("openai")
    if openai is None:
        return None
    if isinstance(error, openai.LengthFinishReasonError):
        return "budget"
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return "refusal"
    return "transport" if isinstance(error, openai.APIConnectionError) else None


# --- trying again ------------------------------------------------------------------------------


def retrying(attempts: int) -> Retrying:
    """Try up to `attempts` times where a further attempt may help, waiting as long as the server asks.

    Without a `Retry-After` the pause grows exponentially from half a second, with jitter. The last
    error is raised as it is.
    """
    return Retrying(
        stop=stop_after_attempt(attempts), wait=_pause, retry=retry_if_exception(_may_pass), reraise=True
    )


def aretrying(attempts: int) -> AsyncRetrying:
    """The same, without blocking the event loop."""
    return AsyncRetrying(
        stop=stop_after_attempt(attempts), wait=_pause, retry=retry_if_exception(_may_pass), reraise=True
    )


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, GraphBubbleUp) or not isinstance(error, Exception):
        return False
    return classify(error) in _PASSING and (retry_after(error) or 0.0) <= LONGEST_WAIT


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = retry_after(error) if error is not None else None
    return _BACKOFF(state) if asked is None else asked


def retry_after(error: BaseException) -> float | None:
    """Seconds that a server asked to wait, from its `Retry-After` header; None where it did not."""
    for one in _chain(error):
        headers = getattr(getattr(one, "response", None), "headers", None)
        if isinstance(headers, Mapping):
            seconds = _seconds(headers)
            if seconds is not None:
                return seconds
    return None


def _seconds(headers: Mapping[str, Any]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = str(headers.get(name) or "").strip()
        with contextlib.suppress(ValueError):
            seconds = float(said) * unit
            return max(0.0, seconds) if seconds < float("inf") else None
    with contextlib.suppress(ValueError, TypeError):
        when = email.utils.parsedate_to_datetime(str(headers.get("retry-after") or ""))
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    return None


# --- how many at once --------------------------------------------------------------------------


class Throttle:
    """What all calls of several judges share: how many run at once, and how fast they may start.

    Threads share one bound; each event loop has one of its own, of the same size. A blocking call that
    timed out gives its slot back although nothing can stop its thread.

    Args:
        concurrency: calls that may be under way at the same time, at least 1.
        limiter: a LangChain rate limiter that every call passes before it starts, or None.

    Raises:
        ConfigError: `concurrency` is below 1.
    """

    def __init__(self, concurrency: int = 8, limiter: BaseRateLimiter | None = None) -> None:
        if concurrency < 1:
            raise ConfigError(
                f"A throttle for {concurrency} calls lets none through.", remedy="Allow 1 or more."
            )
        self.concurrency = concurrency
        self._limiter = limiter
        self._threads = threading.BoundedSemaphore(concurrency)
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    @contextlib.contextmanager
    def slot(self) -> Generator[None]:
        """Wait for a free slot and hold it."""
        with self._threads:
            if self._limiter is not None:
                self._limiter.acquire(blocking=True)
            yield

    @contextlib.asynccontextmanager
    async def aslot(self) -> AsyncGenerator[None]:
        """The same, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        for ended in [known for known in self._loops if known.is_closed()]:
            self._loops.pop(ended, None)  # a semaphore that was waited for keeps its loop alive
        semaphore = self._loops.setdefault(loop, asyncio.Semaphore(self.concurrency))
        async with semaphore:
            if self._limiter is not None:
                await self._limiter.aacquire(blocking=True)
            yield
