"""The agent's own model calls of one decision, as both adapters make them.

Which attempts must not stream, how several candidates run at once, which failure belongs to whom,
and what a watcher is told; with a tape each call is noted on it, failed ones too, or answered from it. How a
call is made and how a proposal is read off its result is each adapter's affair; what is proposed is judged in
the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AnyMessage
from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, ModelCallError, ReplayDivergenceError
from coreact.generate.constraining import Constraint
from coreact.generate.own import own_rubric
from coreact.guide.loop import Decision
from coreact.guide.replay import ReplayedError, Said, replayed_error
from coreact.guide.requests import Announce, CallModel, Failed, Proposal
from coreact.guide.session import Opened, event_of
from coreact.guide.settings import GuideSettings
from coreact.host.messages import injected
from coreact.host.streams import Writer, aquietly, quietly
from coreact.judge import Cost
from coreact.judge.failure import classify
from coreact.trace.calls import UNRECORDED

Ask = Callable[[Sequence[AnyMessage], Constraint | None, Said | None], Any]
"""Makes one model call with these messages after the conversation, held to a constraint if there is one; with
the last argument it makes what such a call would have returned, had the model said that."""

AskAsync = Callable[[Sequence[AnyMessage], Constraint | None, Said | None], Awaitable[Any]]

Strip = Callable[[Any, str], Any]
"""The result of a call, its assistant message with another text; the result itself stays as it is."""

Read = Callable[[Any, float], Proposal]
"""Reads the proposal off what a call returned; the second argument is its duration in seconds."""

Tell = Callable[[Any, Sequence[AnyMessage]], dict[str, Any]]
"""What a call returned as plain JSON, None in the place of the proposed message; the second argument are the
messages after the conversation. Raises TypeError or ValueError where it is no plain JSON."""


_PLAIN = CallModel(guidance="", feedback="")


@dataclass(kw_only=True)
class _Call:
    """One call, made or about to be."""

    key: str
    said: Said | None
    """What the record says that it gave back."""
    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    result: Any = None
    error: Exception | None = None

    def raise_recorded(self) -> None:
        """Fail as the recorded call did, if it did."""
        if self.said is not None and self.said.call.error is not None:
            raise replayed_error(self.said.call)

    def ended(self, *, result: Any = None, error: Exception | None = None) -> None:
        """Take its end down; one that was answered from a record took as long as that says."""
        taken = time.perf_counter() - self.started
        self.seconds = taken if self.said is None else self.said.call.seconds
        self.result, self.error = result, error


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
        tell: Tell,
        write: Writer | None,
        options: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
    ) -> None:
        self._opened = opened
        self._tape = opened.tape
        self._read = read
        self._strip = strip
        self._tell = tell
        self._options = dict(options or {})
        self._model = dict(model or {})
        guided = opened.state is not None
        self._own = settings.own_rubric and guided
        self._write = write
        self._may_reject = guided and (settings.retries > 0 or settings.candidates > 1)
        self._live = settings.stream == "live"
        self._streamed = False

    def make(self, wanted: CallModel, ask: Ask) -> tuple[Proposal | Failed, ...]:
        """Serve a request of the loop.

        Raises:
            ReplayDivergenceError: it is to be answered from a record, and the record does not say.
        """
        added = _added(wanted)
        logs: list[list[_Call]] = [[] for _ in range(wanted.count)]
        if wanted.count == 1:
            replies: tuple[Proposal | Failed, ...] = (self._one(wanted, ask, added, logs[0]),)
        elif self._replays:  # one after the other: equal requests are answered in the recorded order
            replies = _tolerated([_caught(self._one, wanted, ask, added, log) for log in logs])
        else:
            with ThreadPoolExecutor(wanted.count) as pool:  # each with the context of this node
                contexts = [copy_context() for _ in range(wanted.count)]
                futures = [
                    pool.submit(context.run, self._one, wanted, ask, added, log)
                    for context, log in zip(contexts, logs, strict=True)
                ]
                replies = _tolerated([future.exception() or future.result() for future in futures])
        self._note(wanted, added, logs)
        return replies

    async def amake(self, wanted: CallModel, ask: AskAsync) -> tuple[Proposal | Failed, ...]:
        """Serve a request of the loop without blocking the event loop."""
        added = _added(wanted)
        logs: list[list[_Call]] = [[] for _ in range(wanted.count)]
        if wanted.count == 1:
            replies: tuple[Proposal | Failed, ...] = (await self._aone(wanted, ask, added, logs[0]),)
        elif self._replays:
            replies = _tolerated([await _acaught(self._aone, wanted, ask, added, log) for log in logs])
        else:
            made = (self._aone(wanted, ask, added, log) for log in logs)
            replies = _tolerated(await asyncio.gather(*made, return_exceptions=True))
        self._note(wanted, added, logs)
        return replies

    def plain(self, ask: Ask) -> Any:
        """Make the one call of a decision that is not guided; what it returned."""
        (reply,) = self.make(_PLAIN, ask)
        return reply.payload if isinstance(reply, Proposal) else None

    async def aplain(self, ask: AskAsync) -> Any:
        """The same, without blocking the event loop."""
        (reply,) = await self.amake(_PLAIN, ask)
        return reply.payload if isinstance(reply, Proposal) else None

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

    def _one(
        self, wanted: CallModel, ask: Ask, added: Sequence[AnyMessage], log: list[_Call]
    ) -> Proposal | Failed:
        held, unheld = wanted.constraint, ""
        quiet = self._quiet(wanted)
        while True:
            call = self._call(wanted, held)  # a miss of a replay is no failure of the model
            log.append(call)
            try:
                call.raise_recorded()
                result = quietly(ask, added, held, call.said) if quiet else ask(added, held, call.said)
                break
            except (GraphBubbleUp, ReplayDivergenceError):
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see _later_failure
                call.ended(error=error)
                if held is None or not refused(error):
                    return _later_failure(error, wanted)
                held, unheld = None, _unheld(error)
        call.ended(result=result)
        return self._proposal(log, unheld)

    async def _aone(
        self, wanted: CallModel, ask: AskAsync, added: Sequence[AnyMessage], log: list[_Call]
    ) -> Proposal | Failed:
        held, unheld = wanted.constraint, ""
        quiet = self._quiet(wanted)
        while True:
            call = self._call(wanted, held)
            log.append(call)
            try:
                call.raise_recorded()
                result = await (
                    aquietly(ask, added, held, call.said) if quiet else ask(added, held, call.said)
                )
                break
            except (GraphBubbleUp, ReplayDivergenceError):
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see _later_failure
                call.ended(error=error)
                if held is None or not refused(error):
                    return _later_failure(error, wanted)
                held, unheld = None, _unheld(error)
        call.ended(result=result)
        return self._proposal(log, unheld)

    def _proposal(self, log: Sequence[_Call], unheld: str) -> Proposal:
        result, seconds = log[-1].result, sum(call.seconds for call in log)
        proposal = self._read(result, seconds)
        if self._own and (rest := own_rubric(proposal.text).rest) != proposal.text:
            # What it wrote for itself is no part of its answer; the record keeps the message as it came.
            without = self._read(self._strip(result, rest), seconds)
            proposal = replace(proposal, actions=without.actions, payload=without.payload)
        if unheld:
            proposal = replace(proposal, unheld=unheld, cost=proposal.cost + Cost(calls=1))
        return proposal

    # --- the tape -------------------------------------------------------------------------------

    @property
    def _replays(self) -> bool:
        return self._tape is not None and self._tape.answers is not None

    def _call(self, wanted: CallModel, held: Constraint | None) -> _Call:
        if self._tape is None:
            return _Call(key="", said=None)
        texts = _texts(wanted)  # as the record has them, control tokens included
        constraint = None if held is None else held.model_dump(mode="json")
        key = self._tape.model_key(texts, self._options, constraint)
        return _Call(key=key, said=self._tape.said(key, texts))

    def _note(self, wanted: CallModel, added: Sequence[AnyMessage], logs: Sequence[Sequence[_Call]]) -> None:
        """Note the calls of a request in the order of its replies, whatever order they ended in."""
        if self._tape is None:
            return
        attempt = wanted.attempt
        for call in (call for log in logs for call in log):
            request: dict[str, Any] = {"model": self._model}
            if self._options:
                request["options"] = self._options
            response: dict[str, Any] | None = None
            error: str | None = None
            if call.error is not None:
                error = f"{type(call.error).__name__}: {call.error}"
                if refused(call.error):
                    request["refused"] = True
                if wanted.feedback:  # of a call that failed no attempt holds it
                    request["feedback"] = wanted.feedback
            else:
                try:
                    response = self._tell(call.result, added)
                except (TypeError, ValueError) as odd:
                    error = f"{UNRECORDED}: {odd}"
                else:
                    messages = [{"attempt": attempt} if one is None else one for one in response["messages"]]
                    response["messages"] = messages
                attempt += 1
            self._tape.note(
                "model", call.key, request=request, response=response, error=error, seconds=call.seconds
            )

    def _quiet(self, wanted: CallModel) -> bool:
        if not self._may_reject:
            return False
        if self._live and wanted.attempt == 0 and wanted.count == 1:
            self._streamed = True
            return False
        return True


def _added(wanted: CallModel) -> list[AnyMessage]:
    return [injected(text) for text in _texts(wanted)]


def _texts(wanted: CallModel) -> list[str]:
    return [text for text in (wanted.guidance, wanted.feedback) if text]


def _unheld(error: Exception) -> str:
    return f"The constraint was refused, and the model asked without: {type(error).__name__}: {error}."


def refused(error: Exception) -> bool:
    """Whether a model's client or server may just not know how to be held: anything else is a failure."""
    if isinstance(error, ReplayedError):
        return error.refused
    status = getattr(error, "status_code", None)
    unable = type(error) in (NotImplementedError, TypeError, ValueError) or isinstance(error, ConfigError)
    return unable or (status in (400, 404, 422) and classify(error) == "bug")


def _caught(one: Callable[..., Proposal | Failed], *arguments: Any) -> Proposal | Failed | BaseException:
    try:
        return one(*arguments)
    except (GraphBubbleUp, ReplayDivergenceError):
        raise
    except Exception as error:  # noqa: BLE001 - as of candidates made at once: see _tolerated
        return error


async def _acaught(
    one: Callable[..., Awaitable[Proposal | Failed]], *arguments: Any
) -> Proposal | Failed | BaseException:
    try:
        return await one(*arguments)
    except (GraphBubbleUp, ReplayDivergenceError):
        raise
    except Exception as error:  # noqa: BLE001 - as of candidates made at once: see _tolerated
        return error


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
