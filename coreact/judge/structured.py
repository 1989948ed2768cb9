"""Ask any LangChain chat model for one record or one text, and get it or a typed error.

Providers differ in how they hold a model to a schema, so there is a ladder: the provider's own
structured output, a forced tool call, plain JSON in the text. A rung that the model or its server
does not know is left for the next one, once and for all calls. What comes back is read by
`replies`, not by the provider's parser, so that one set of rules holds on every rung. A reply that
breaks them is asked for once more, with the complaint.

A text is read by a function of the caller's, under the same rules: asked for once more with the
complaint, then a typed error. Nothing here knows what is asked; see `model` for judging.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.errors import GraphBubbleUp
from pydantic import BaseModel

from coreact.control_tokens import without_control_tokens
from coreact.errors import ConfigError, JudgingError
from coreact.judge.failure import Throttle, aretrying, classify, retrying
from coreact.judge.records import Cause, Cost
from coreact.judge.replies import UnreadableError, read, said, schema_text, shown

T = TypeVar("T", bound=BaseModel)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

Output = Literal["auto", "native", "tool", "text"]
"""The rung to begin on. `native`: the provider's structured output; `tool`: a forced tool call;
`text`: JSON in plain text; `auto`: the highest that the model's profile promises."""

_LADDER: tuple[Output, ...] = ("native", "tool", "text")
_TEXT = _LADDER.index("text")
_METHOD = {"native": "json_schema", "tool": "function_calling"}


class Asked(NamedTuple, Generic[V]):
    """What a model wrote, read, and what all calls for it cost."""

    value: V
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
        return self._serve(self._asking(instructions, material, _Records(reply, check), self._rung))

    async def aask(
        self,
        instructions: str,
        material: str,
        reply: type[T],
        *,
        check: Callable[[T], str | None] | None = None,
    ) -> Asked[T]:
        """The same, without blocking the event loop."""
        return await self._aserve(self._asking(instructions, material, _Records(reply, check), self._rung))

    def ask_text(self, instructions: str, material: str, parse: Callable[[str], V]) -> Asked[V]:
        """Ask for plain text, blocking.

        Args:
            instructions: what to do; trusted text.
            material: what to do it with, untrusted parts fenced (see `transcript`).
            parse: reads the text, thoughts before it left out. It raises `UnreadableError` where it
                cannot; what that says is the complaint with which the model is asked once more.

        Raises:
            ReplyError: no usable reply; it names the cause and what was spent.
        """
        return self._serve(self._asking(instructions, material, _Text(parse), _TEXT))

    async def aask_text(self, instructions: str, material: str, parse: Callable[[str], V]) -> Asked[V]:
        """The same, without blocking the event loop."""
        return await self._aserve(self._asking(instructions, material, _Text(parse), _TEXT))

    def _serve(self, asking: Generator[_Request, AIMessage, Asked[V]]) -> Asked[V]:
        request = next(asking)
        while True:
            try:
                for attempt in retrying(self._attempts):
                    with attempt, self._throttle.slot():
                        message = _within(self._timeout, self._call, request)
                request = asking.send(message)
            except StopIteration as done:
                return cast("Asked[V]", done.value)
            except GraphBubbleUp:
                raise
            except ReplyError:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see `_asking`
                request = asking.throw(error)

    async def _aserve(self, asking: Generator[_Request, AIMessage, Asked[V]]) -> Asked[V]:
        request = next(asking)
        while True:
            try:
                async for attempt in aretrying(self._attempts):
                    with attempt:
                        async with self._throttle.aslot(), asyncio.timeout(self._timeout):
                            message = await self._acall(request)
                request = asking.send(message)
            except StopIteration as done:
                return cast("Asked[V]", done.value)
            except GraphBubbleUp:
                raise
            except ReplyError:
                raise
            except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see `_asking`
                request = asking.throw(error)

    # --- one logic for both colours ------------------------------------------------------------

    def _asking(
        self, instructions: str, material: str, wanted: _Wanted[V], rung: int
    ) -> Generator[_Request, AIMessage, Asked[V]]:
        """Yield requests, take messages, return what was read; a failed call is thrown in."""
        started = time.perf_counter()
        spent = Cost()
        complaint = ""
        while True:
            spent += Cost(calls=1)
            rules = instructions + (wanted.rules if rung == _TEXT else "")
            try:
                message = yield _Request(rung, wanted.schema, _messages(rules, material, complaint))
            except Exception as error:
                if rung < _TEXT and _unknown_rung(error):
                    rung += 1
                    continue
                raise ReplyError(
                    f"The model {self.name!r} did not answer: {_first_line(error)}",
                    judge=self.name,
                    cause=classify(error),
                    cost=_timed(spent, started),
                ) from error
            if wanted.schema is not None:
                self._rung = max(self._rung, rung)
            spent += _usage(message)
            try:
                return Asked(wanted.read(message), _timed(spent, started))
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

    def _call(self, request: _Request) -> AIMessage:
        return _message(self._runnable(request).invoke(request.messages))

    async def _acall(self, request: _Request) -> AIMessage:
        return _message(await self._runnable(request).ainvoke(request.messages))

    def _runnable(self, request: _Request) -> Any:
        name, reply = _LADDER[request.rung], request.schema
        if name == "text" or reply is None:
            return self._model
        if (request.rung, reply) not in self._bound:  # binding a schema takes longer than reading a reply
            try:
                bound = self._model.with_structured_output(reply, method=_METHOD[name], include_raw=True)
            except (NotImplementedError, TypeError, ValueError) as error:
                raise _UnknownRungError(f"{self.name} cannot be bound for {name!r}: {error}") from error
            self._bound[request.rung, reply] = bound
        return self._bound[request.rung, reply]


class _Wanted(Protocol[V_co]):
    """What a reply must be."""

    schema: type[BaseModel] | None
    rules: str
    """What a model is told that no schema holds."""

    def read(self, message: AIMessage) -> V_co: ...


class _Records(Generic[T]):
    """One record of a class that also passes the caller's own test."""

    def __init__(self, reply: type[T], check: Callable[[T], str | None] | None) -> None:
        self.schema: type[BaseModel] | None = reply
        self.rules = (
            "\n\nReply with one JSON object and nothing else. It must fit this JSON schema:\n"
            + schema_text(reply)
        )
        self._reply = reply
        self._check = check

    def read(self, message: AIMessage) -> T:
        value = read(message, self._reply)
        if self._check is not None and (problem := self._check(value)) is not None:
            raise UnreadableError(problem)
        return value


class _Text(Generic[V]):
    """A text that the caller can read."""

    schema: type[BaseModel] | None = None
    rules = ""

    def __init__(self, parse: Callable[[str], V]) -> None:
        self._parse = parse

    def read(self, message: AIMessage) -> V:
        return self._parse(said(message))


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
    schema: type[BaseModel] | None
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


def _messages(rules: str, material: str, complaint: str) -> list[BaseMessage]:
    asked = material
    if complaint:
        asked += f"\n\nAn earlier reply could not be used: {complaint}. Reply again, correctly."
    return [SystemMessage(rules), HumanMessage(without_control_tokens(asked))]


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
