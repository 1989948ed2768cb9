"""Ask any LangChain chat model for one record, and get the record or a typed error.

Providers differ in how they hold a model to a schema, so there is a ladder: the provider's own
structured output, a forced tool call, plain JSON in the text. A rung that the model or its server
does not know is left for the next one, once and for all calls. What comes back is read by
`replies`, not by the provider's parser, so that one set of rules holds on every rung. A reply that
breaks them is asked for once more, with the complaint.

Nothing here knows what is asked; see `model` for judging.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Generic, Literal, NamedTuple, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.errors import GraphBubbleUp
from pydantic import BaseModel

from coreact.errors import ConfigError, JudgingError
from coreact.judge.failure import Throttle, aretrying, classify, retrying
from coreact.judge.records import Cause, Cost
from coreact.judge.replies import UnreadableError, read, schema_text, shown

T = TypeVar("T", bound=BaseModel)

Output = Literal["auto", "native", "tool", "text"]
"""The rung to begin on. `native`: the provider's structured output; `tool`: a forced tool call;
`text`: JSON in plain text; `auto`: the highest that the model's profile promises."""

_LADDER: tuple[Output, ...] = ("native", "tool", "text")
_METHOD = {"native": "json_schema", "tool": "function_calling"}


class Asked(NamedTuple, Generic[T]):
    """A record that a model filled in, and what all calls for it cost."""

    value: T
    cost: Cost


class ReplyError(JudgingError):
    """A model gave no usable reply; `cost` is what asking for it cost."""

    def __init__(self, what: str, *, judge: str, cause: Cause, cost: Cost, remedy: str = "") -> None:
        super().__init__(what, judge=judge, cause=cause, remedy=remedy)
        self.cost = cost


class StructuredModel:
    """A chat model that answers in records.

    Safe to share between threads and event loops.

    Args:
        model: any LangChain chat model.
        output: where to begin on the ladder.
        attempts: tries of one call where the connection or a rate limit fails, at least 1. A client
            that retries by itself does so within each try.
        timeout: seconds that one try may take; None waits for ever.
        throttle: what all calls share with those of other judges; None: eight at a time.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        if attempts < 1 or (timeout is not None and timeout <= 0):
            raise ConfigError(
                f"attempts={attempts} and timeout={timeout} leave no time to ask.",
                remedy="Give at least one attempt and a timeout above 0, or None.",
            )
        self._model = model
        self._attempts = attempts
        self._timeout = timeout
        self._throttle = throttle or Throttle()
        self._rung = _first_rung(model) if output == "auto" else _LADDER.index(output)
        self._bound: dict[tuple[int, type[BaseModel]], Any] = {}

    @property
    def name(self) -> str:
        """The model's name, as its provider knows it."""
        return str(self.identity.get("model") or type(self._model).__name__)

    @property
    def identity(self) -> dict[str, Any]:
        """Model and sampling settings; see the function `identity`."""
        return identity(self._model)

    def ask(
        self,
        instructions: str,
        material: str,
        reply: type[T],
        *,
        check: Callable[[T], str | None] | None = None,
    ) -> Asked[T]:
        """Ask for one record, blocking.

        Args:
            instructions: what to do; trusted text.
            material: what to do it with, untrusted parts fenced (see `transcript`).
            reply: the record's class. It should forbid extra fields and give none a default.
            check: says what is wrong with a record that fits the schema, or None.

        Raises:
            ReplyError: no usable reply; it names the cause and what was spent.
        """
        asking = self._asking(instructions, material, reply, check)
        request = next(asking)
        while True:
            try:
                for attempt in retrying(self._attempts):
                    with attempt, self._throttle.slot():
                        message = _within(self._timeout, self._call, request, reply)
                request = asking.send(message)
            except StopIteration as done:
                return cast("Asked[T]", done.value)
            except GraphBubbleUp:
                raise
            except ReplyError:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see `_asking`
                request = asking.throw(error)

    async def aask(
        self,
        instructions: str,
        material: str,
        reply: type[T],
        *,
        check: Callable[[T], str | None] | None = None,
    ) -> Asked[T]:
        """The same, without blocking the event loop."""
        asking = self._asking(instructions, material, reply, check)
        request = next(asking)
        while True:
            try:
                async for attempt in aretrying(self._attempts):
                    with attempt:
                        async with self._throttle.aslot(), asyncio.timeout(self._timeout):
                            message = await self._acall(request, reply)
                request = asking.send(message)
            except StopIteration as done:
                return cast("Asked[T]", done.value)
            except GraphBubbleUp:
                raise
            except ReplyError:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see `_asking`
                request = asking.throw(error)

    # --- one logic for both colours ------------------------------------------------------------

    def _asking(
        self, instructions: str, material: str, reply: type[T], check: Callable[[T], str | None] | None
    ) -> Generator[_Request, AIMessage, Asked[T]]:
        """Yield requests, take messages, return the record; a failed call is thrown in."""
        started = time.perf_counter()
        spent = Cost()
        complaint = ""
        rung = self._rung
        while True:
            spent += Cost(calls=1)
            try:
                message = yield _Request(rung, _messages(instructions, material, complaint, rung, reply))
            except Exception as error:
                if rung + 1 < len(_LADDER) and _unknown_rung(error):
                    rung += 1
                    continue
                raise ReplyError(
                    f"The model {self.name!r} did not answer: {_first_line(error)}",
                    judge=self.name,
                    cause=classify(error),
                    cost=_timed(spent, started),
                ) from error
            self._rung = max(self._rung, rung)
            spent += _usage(message)
            try:
                value = read(message, reply)
                problem = check(value) if check is not None else None
                if problem is None:
                    return Asked(value, _timed(spent, started))
                cause: Cause = "parse"
            except UnreadableError as error:
                problem, cause = str(error), error.cause
            if complaint or cause != "parse":  # a refusal or a reply cut short would come again
                raise ReplyError(
                    f"The model {self.name!r} gave no usable reply: {problem}.",
                    judge=self.name,
                    cause=cause,
                    cost=_timed(spent, started),
                )
            complaint = problem

    def _call(self, request: _Request, reply: type[BaseModel]) -> AIMessage:
        return _message(self._runnable(request.rung, reply).invoke(request.messages))

    async def _acall(self, request: _Request, reply: type[BaseModel]) -> AIMessage:
        return _message(await self._runnable(request.rung, reply).ainvoke(request.messages))

    def _runnable(self, rung: int, reply: type[BaseModel]) -> Any:
        name = _LADDER[rung]
        if name == "text":
            return self._model
        if (rung, reply) not in self._bound:  # binding a schema takes longer than reading a reply
            try:
                bound = self._model.with_structured_output(reply, method=_METHOD[name], include_raw=True)
            except (NotImplementedError, TypeError, ValueError) as error:
                raise _UnknownRungError(f"{self.name} cannot be bound for {name!r}: {error}") from error
            self._bound[rung, reply] = bound
        return self._bound[rung, reply]


def identity(model: BaseChatModel) -> dict[str, Any]:
    """What a chat model is and how it samples, as plain JSON, for version hashes.

    Keys `model`, `provider`, `temperature`, `max_tokens` and `seed`, where they are known; never a key
    or an address.
    """
    said = dict(model._get_ls_params())  # the only place where LangChain says it of any model
    found = {
        "model": getattr(model, "model_name", None)
        or getattr(model, "model", None)
        or said.get("ls_model_name"),
        "provider": said.get("ls_provider"),
        "temperature": getattr(model, "temperature", said.get("ls_temperature")),
        "max_tokens": getattr(model, "max_tokens", said.get("ls_max_tokens")),
        "seed": getattr(model, "seed", None),
    }
    return {key: value for key, value in found.items() if isinstance(value, str | int | float)}


class _UnknownRungError(Exception):
    """The model's client cannot hold it to a schema in this way."""


class _Request(NamedTuple):
    rung: int
    messages: list[BaseMessage]


def _first_rung(model: BaseChatModel) -> int:
    profile = getattr(model, "profile", None) or {}
    if profile.get("structured_output"):
        return 0
    calls_tools = type(model).bind_tools is not BaseChatModel.bind_tools
    return 1 if calls_tools and profile.get("tool_calling", True) else 2


def _unknown_rung(error: Exception) -> bool:
    """Whether the model or its server may just not know how to be held to a schema."""
    status = getattr(error, "status_code", None)
    unknown = isinstance(error, _UnknownRungError | NotImplementedError)  # the second: raised when called
    return unknown or (status in (400, 404, 422) and classify(error) == "bug")


def _messages(
    instructions: str, material: str, complaint: str, rung: int, reply: type[BaseModel]
) -> list[BaseMessage]:
    rules = instructions
    if _LADDER[rung] == "text":
        rules += "\n\nReply with one JSON object and nothing else. It must fit this JSON schema:\n"
        rules += schema_text(reply)
    asked = material
    if complaint:
        asked += f"\n\nAn earlier reply could not be used: {complaint}. Reply again, correctly."
    return [SystemMessage(rules), HumanMessage(asked)]


def _message(result: Any) -> AIMessage:
    raw = result["raw"] if isinstance(result, dict) else result
    return raw if isinstance(raw, AIMessage) else AIMessage(str(getattr(raw, "text", raw)))


def _usage(message: AIMessage) -> Cost:
    usage = message.usage_metadata
    if usage is None:
        return Cost()
    return Cost(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])


def _timed(cost: Cost, started: float) -> Cost:
    return cost.model_copy(update={"seconds": time.perf_counter() - started})


def _first_line(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {shown(words)}" if words else type(error).__name__


def _within(seconds: float | None, function: Callable[..., AIMessage], *arguments: Any) -> AIMessage:
    """Call a function and wait at most so long for it.

    Raises:
        TimeoutError: it took longer. Its thread is left to end by itself: nothing can stop it.
    """
    if seconds is None:
        return function(*arguments)
    done: Future[AIMessage] = Future()
    context = copy_context()

    def work() -> None:
        try:
            done.set_result(context.run(function, *arguments))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            done.set_exception(error)

    threading.Thread(target=work, name="coreact-judge", daemon=True).start()
    try:
        return done.result(timeout=seconds)
    except TimeoutError as error:
        if done.done():
            raise
        raise TimeoutError(f"no reply within {seconds:g} s") from error
