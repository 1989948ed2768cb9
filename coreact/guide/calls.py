"""The agent's own model calls of one decision, as both adapters make them.

Which attempts must not stream, how several candidates run at once, which failure belongs to whom,
and what a watcher is told. How a call is made and how a proposal is read off its result is each
adapter's affair; what is proposed is judged in the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from langchain_core.messages import AnyMessage
from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, ModelCallError
from coreact.generate.constraining import Constraint
from coreact.generate.own import own_rubric
from coreact.guide.loop import Announce, CallModel, Decision, Failed, Proposal
from coreact.guide.session import Opened, event_of
from coreact.guide.settings import GuideSettings
from coreact.host.messages import injected
from coreact.host.streams import Writer, aquietly, quietly
from coreact.judge import Cost
from coreact.judge.failure import classify

Ask = Callable[[Sequence[AnyMessage], Constraint | None], Any]
"""Makes one model call with these messages after the conversation, held to a constraint if there is one."""

AskAsync = Callable[[Sequence[AnyMessage], Constraint | None], Awaitable[Any]]

Strip = Callable[[Any, str], Any]
"""The result of a call, its assistant message with another text; the result itself stays as it is."""

Read = Callable[[Any, float], Proposal]
"""Reads the proposal off what a call returned; the second argument is its duration in seconds."""


class ModelCalls:
    """Makes the model calls of one decision and tells watchers about them.

    Args:
        settings: how to guide.
        opened: the decision.
        read: reads a proposal off the result of a call.
        strip: puts another text into the assistant message of such a result.
        write: sends an event to custom streams; None where nobody listens.
    """

    def __init__(
        self,
        settings: GuideSettings,
        opened: Opened,
        *,
        read: Read,
        strip: Strip,
        write: Writer | None,
    ) -> None:
        self._opened = opened
        self._read = read
        self._strip = strip
        self._own = settings.own_rubric
        self._write = write
        self._may_reject = settings.retries > 0 or settings.candidates > 1
        self._live = settings.stream == "live"
        self._streamed = False

    def make(self, wanted: CallModel, ask: Ask) -> tuple[Proposal | Failed, ...]:
        """Serve a request of the loop."""
        added = _added(wanted)
        if wanted.count == 1:
            return (self._one(wanted, ask, added),)
        with ThreadPoolExecutor(wanted.count) as pool:  # each with the context of this node
            contexts = [copy_context() for _ in range(wanted.count)]
            futures = [pool.submit(context.run, self._one, wanted, ask, added) for context in contexts]
            return _tolerated([future.exception() or future.result() for future in futures])

    async def amake(self, wanted: CallModel, ask: AskAsync) -> tuple[Proposal | Failed, ...]:
        """Serve a request of the loop without blocking the event loop."""
        added = _added(wanted)
        if wanted.count == 1:
            return (await self._aone(wanted, ask, added),)
        replies = await asyncio.gather(
            *(self._aone(wanted, ask, added) for _ in range(wanted.count)), return_exceptions=True
        )
        return _tolerated(replies)

    def watch(self, announced: Announce) -> None:
        """Send an announcement to custom streams."""
        if self._write is not None:
            self._write(event_of(self._opened, announced))

    def settle(self, decision: Decision) -> Any:
        """The payload of the chosen attempt; a streamed attempt that was not chosen is retracted."""
        if self._write is not None and self._streamed and decision.chosen.index:
            self._write(
                {
                    "type": "coreact.retract",
                    "run": self._opened.run,
                    "step": self._opened.step,
                    "message_id": decision.attempts[0].message["data"].get("id"),
                }
            )
        return decision.proposal.payload

    def _one(self, wanted: CallModel, ask: Ask, added: Sequence[AnyMessage]) -> Proposal | Failed:
        started = time.perf_counter()
        held, unheld = wanted.constraint, ""
        quiet = self._quiet(wanted)
        while True:
            try:
                result = quietly(ask, added, held) if quiet else ask(added, held)
                break
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see _later_failure
                if held is None or not refused(error):
                    return _later_failure(error, wanted)
                held, unheld = None, _unheld(error)
        return self._proposal(result, started, unheld)

    async def _aone(self, wanted: CallModel, ask: AskAsync, added: Sequence[AnyMessage]) -> Proposal | Failed:
        started = time.perf_counter()
        held, unheld = wanted.constraint, ""
        quiet = self._quiet(wanted)
        while True:
            try:
                result = await (aquietly(ask, added, held) if quiet else ask(added, held))
                break
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see _later_failure
                if held is None or not refused(error):
                    return _later_failure(error, wanted)
                held, unheld = None, _unheld(error)
        return self._proposal(result, started, unheld)

    def _proposal(self, result: Any, started: float, unheld: str) -> Proposal:
        seconds = time.perf_counter() - started
        proposal = self._read(result, seconds)
        if self._own and (rest := own_rubric(proposal.text).rest) != proposal.text:
            # What it wrote for itself is no part of its answer; the record keeps the message as it came.
            without = self._read(self._strip(result, rest), seconds)
            proposal = replace(proposal, actions=without.actions, payload=without.payload)
        if unheld:
            proposal = replace(proposal, unheld=unheld, cost=proposal.cost + Cost(calls=1))
        return proposal

    def _quiet(self, wanted: CallModel) -> bool:
        if not self._may_reject:
            return False
        if self._live and wanted.attempt == 0 and wanted.count == 1:
            self._streamed = True
            return False
        return True


def _added(wanted: CallModel) -> list[AnyMessage]:
    return [injected(text) for text in (wanted.guidance, wanted.feedback) if text]


def _unheld(error: Exception) -> str:
    return f"The constraint was refused, and the model asked without: {type(error).__name__}: {error}."


def refused(error: Exception) -> bool:
    """Whether a model's client or server may just not know how to be held: anything else is a failure."""
    status = getattr(error, "status_code", None)
    unable = type(error) in (NotImplementedError, TypeError, ValueError) or isinstance(error, ConfigError)
    return unable or (status in (400, 404, 422) and classify(error) == "bug")


def _later_failure(error: Exception, wanted: CallModel) -> Failed:
    # A failed retry costs the retry; a failed first call is the agent's own failure and raises.
    if wanted.attempt == 0:
        raise error
    return Failed(error=ModelCallError(f"The model failed in a retry: {type(error).__name__}: {error}."))


def _tolerated(replies: Sequence[Proposal | Failed | BaseException]) -> tuple[Proposal | Failed, ...]:
    # Candidates that failed are tolerated as long as one did not.
    errors = [reply for reply in replies if isinstance(reply, BaseException)]
    for error in errors:
        if (
            isinstance(error, GraphBubbleUp)
            or not isinstance(error, Exception)
            or len(errors) == len(replies)
        ):
            raise error
    return tuple(
        Failed(error=ModelCallError(f"A candidate failed: {type(reply).__name__}: {reply}."))
        if isinstance(reply, BaseException)
        else reply
        for reply in replies
    )
