"""`CoReActMiddleware`: guidance for agents made by `create_agent` and everything built on it.

An adapter: it turns model requests into decisions and back, and knows the facts of its host.

- Rubric and rejected attempts live in one request only; they never reach the stored history.
- Attempts run under the `nostream` tag, so that message streams carry accepted attempts only;
  the accepted one then reaches the stream whole.
- It never interrupts inside `wrap_model_call`: on resume the model would be sampled again and
  another action than the approved one would run. Humans are asked in `after_model`, and that hook
  (a graph node) exists only where settings ask for it.
- It never jumps to `tools`: that jump runs calls which a human rejected.
- A call that is not run still gets a tool result, so no assistant message is left without one.
- Switched off, requests are those of the plain agent, byte for byte.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Self, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    hook_config,
)
from langchain.agents.structured_output import AutoStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, interrupt

from coreact.generate import RubricGenerator
from coreact.guide.drivers import adrive, drive
from coreact.guide.host import (
    assistant,
    emit,
    held_call,
    injected,
    later_failure,
    outcome,
    quiet_context,
    status_of,
    tolerated,
)
from coreact.guide.loop import Announce, CallModel, Decision, Failed, Proposal
from coreact.guide.messages import SOURCE, SOURCE_KEY
from coreact.guide.session import ANSWER, DecisionGuide, Opened, event_of, proposal_of
from coreact.guide.settings import GuideSettings
from coreact.guide.status import STATUS_KEY, CoReActState, HeldCall, StepStatus
from coreact.judge import Judge
from coreact.trace import Recorder

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
ToolHandler = Callable[[ToolCallRequest], "ToolMessage | Command[Any]"]
AsyncToolHandler = Callable[[ToolCallRequest], Awaitable["ToolMessage | Command[Any]"]]


class CoReActMiddleware(AgentMiddleware[Any, Any, Any]):
    """Guide every decision of an agent by a rubric, check it before it runs, record it.

    `create_agent(model, tools, middleware=[CoReActMiddleware()])` works with no argument: criteria
    come from the heuristic generator, checks decide them, nothing is stored.

    Args:
        generator: who writes the rubrics; the heuristic generator if None.
        judge: who decides criteria that no check decides; they stay unknown if None.
        recorder: where the judged run is stored, e.g. `Recorder(SQLiteTraceStore(path))`.
        enabled: False makes it inert: the agent's requests are those of the plain agent.
        agent: name of the agent in the record.
        seed: seed of the run, for the record only.
        **settings: the fields of `GuideSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """

    state_schema = CoReActState

    def __new__(cls, **settings: Any) -> Self:
        """Make one that may ask humans where the settings say so; others cost no graph node."""
        asks = "ask" in (settings.get("on_unmet"), settings.get("on_unknown"))
        return cast("Self", super().__new__(_AskingMiddleware if asks and cls is CoReActMiddleware else cls))

    def __init__(
        self,
        *,
        generator: RubricGenerator | None = None,
        judge: Judge | None = None,
        recorder: Recorder | None = None,
        enabled: bool = True,
        agent: str = "",
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.enabled = enabled
        self.settings = GuideSettings.of(**settings)
        self._guide = DecisionGuide(
            settings=self.settings,
            generator=generator,
            judge=judge,
            recorder=recorder,
            agent=agent,
            seed=seed,
        )

    @property
    def name(self) -> str:
        """Name of the middleware, the same for both kinds."""
        return "CoReActMiddleware"

    # --- around the model ---------------------------------------------------------------------

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> Any:
        """Guide one decision."""
        if not self.enabled:
            return handler(request)
        opened = self._open(request)
        if opened.state is None:
            response = handler(request)
            return self._answer(opened, None, response)
        calls = _Calls(self.settings, opened, request)
        decision = drive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.make(wanted, handler),
            watch=calls.watch,
        )
        return self._answer(opened, decision, decision.proposal.payload)

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> Any:
        """Guide one decision without blocking the event loop."""
        if not self.enabled:
            return await handler(request)
        opened = self._open(request)
        if opened.state is None:
            response = await handler(request)
            return self._answer(opened, None, response)
        calls = _Calls(self.settings, opened, request)
        decision = await adrive(
            self._guide.loop(opened),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.amake(wanted, handler),
            watch=calls.watch,
        )
        return self._answer(opened, decision, decision.proposal.payload)

    def _open(self, request: ModelRequest[Any]) -> Opened:
        system = request.system_message
        return self._guide.open(
            messages=request.messages,
            tools=request.tools,
            system=str(system.text) if system is not None else "",
            status=status_of(request.state),
        )

    def _answer(
        self, opened: Opened, decision: Decision | None, response: ModelResponse[Any]
    ) -> ExtendedModelResponse[Any]:
        status = self._guide.close(opened, decision, message=assistant(response))
        return ExtendedModelResponse(model_response=response, command=Command(update={STATUS_KEY: status}))

    # --- around each tool -----------------------------------------------------------------------

    def wrap_tool_call(self, request: ToolCallRequest, handler: ToolHandler) -> Any:
        """Run the call, or answer it with the feedback where it is held back."""
        if not self.enabled:
            return handler(request)
        status, held = held_call(request)
        if held is not None:
            return self._refuse(request, status, held)
        started = time.perf_counter()
        try:
            result = handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            self._observe(request, status, error, started)
            raise
        self._observe(request, status, result, started)
        return result

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncToolHandler) -> Any:
        """Run the call without blocking the event loop, or answer it with the feedback."""
        if not self.enabled:
            return await handler(request)
        status, held = held_call(request)
        if held is not None:
            return self._refuse(request, status, held)
        started = time.perf_counter()
        try:
            result = await handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            self._observe(request, status, error, started)
            raise
        self._observe(request, status, result, started)
        return result

    def _refuse(self, request: ToolCallRequest, status: StepStatus | None, held: HeldCall) -> ToolMessage:
        result = ToolMessage(
            content=held["text"],
            tool_call_id=request.tool_call["id"],
            name=request.tool_call["name"],
            status="error",
            additional_kwargs={SOURCE_KEY: SOURCE},
        )
        self._observe(request, status, result, time.perf_counter(), blocked=True)
        return result

    def _observe(
        self,
        request: ToolCallRequest,
        status: StepStatus | None,
        result: Any,
        started: float,
        *,
        blocked: bool = False,
    ) -> None:
        observation = self._guide.observe(
            status,
            tool=request.tool_call["name"],
            call_id=request.tool_call["id"] or "",
            result=result,
            seconds=time.perf_counter() - started,
            blocked=blocked,
        )
        if observation is not None:
            emit(
                request.runtime,
                {"type": "coreact.observation", "observation": observation.model_dump(mode="json")},
            )


class _AskingMiddleware(CoReActMiddleware):
    """The same, with a node after the model that asks a human about held proposals.

    The node comes after the model's own, which is checkpointed by then: what was proposed is what
    runs, and a resume judges nothing again. The payload is LangChain's human-in-the-loop request,
    so its clients work unchanged.
    """

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Interrupt where a proposal waits for a human, and act on the decisions."""
        status = status_of(state)
        asked = {
            key: held
            for key, held in (status or {"held": {}})["held"].items()
            if held["disposition"] == "asked"
        }
        if status is None or not asked or not self.enabled:
            return None
        message = next((m for m in reversed(state["messages"]) if isinstance(m, AIMessage)), None)
        if message is None:
            return None
        requests = [_action_request(key, held, message) for key, held in asked.items()]
        reply = interrupt(
            {
                "action_requests": requests,
                "review_configs": [
                    {"action_name": request["name"], "allowed_decisions": ["approve", "reject"]}
                    for request in requests
                ],
            }
        )
        return _after_asking(status, asked, reply["decisions"])

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The same; `interrupt` does not block."""
        return self.after_model(state, runtime)


def _action_request(key: str, held: HeldCall, message: AIMessage) -> dict[str, Any]:
    if key == ANSWER:
        return {"name": ANSWER, "args": {"answer": str(message.text)}, "description": held["text"]}
    call = next(call for call in message.tool_calls if call["id"] == key)
    return {"name": call["name"], "args": call["args"], "description": held["text"]}


def _after_asking(
    status: StepStatus, asked: Mapping[str, HeldCall], decisions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    held = dict(status["held"])
    update: dict[str, Any] = {}
    for key, decision in zip(asked, decisions, strict=True):
        if decision["type"] == "approve":
            del held[key]
            continue
        words = str(decision.get("message") or "A human rejected this step.")
        text = f"{words}\n{asked[key]['text']}"
        if key == ANSWER:
            del held[key]
            update["messages"] = [HumanMessage(content=text, additional_kwargs={SOURCE_KEY: SOURCE})]
            update["jump_to"] = "model"
        else:
            held[key] = HeldCall(disposition="blocked", text=text)
    return update | {STATUS_KEY: StepStatus(**(status | {"held": held}))}


class _Calls:
    """The model calls of one decision."""

    def __init__(self, settings: GuideSettings, opened: Opened, request: ModelRequest[Any]) -> None:
        self._opened = opened
        self._request = request
        self._answer_tools = answer_tools(request.response_format)
        may_reject = settings.retries > 0 or settings.candidates > 1
        self._quiet_first = may_reject and settings.stream == "accepted"
        self._quiet_later = may_reject
        self._live = settings.stream == "live"

    def make(self, wanted: CallModel, handler: Handler) -> tuple[Proposal | Failed, ...]:
        request = self._request_for(wanted)
        if wanted.count == 1:
            return (self._one(wanted, handler, request),)
        with ThreadPoolExecutor(wanted.count) as pool:  # each with the context of this node
            contexts = [copy_context() for _ in range(wanted.count)]
            futures = [pool.submit(context.run, self._one, wanted, handler, request) for context in contexts]
            return tolerated([outcome(future.exception(), future) for future in futures])

    async def amake(self, wanted: CallModel, handler: AsyncHandler) -> tuple[Proposal | Failed, ...]:
        request = self._request_for(wanted)
        if wanted.count == 1:
            return (await self._aone(wanted, handler, request),)
        replies = await asyncio.gather(
            *(self._aone(wanted, handler, request) for _ in range(wanted.count)), return_exceptions=True
        )
        return tolerated(list(replies))

    def _one(self, wanted: CallModel, handler: Handler, request: ModelRequest[Any]) -> Proposal | Failed:
        started = time.perf_counter()
        try:
            if self._quiet(wanted):
                with quiet_context() as context:
                    response = context.run(handler, request)
            else:
                response = handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see later_failure
            return later_failure(error, wanted)
        return self._proposal(response, started)

    async def _aone(
        self, wanted: CallModel, handler: AsyncHandler, request: ModelRequest[Any]
    ) -> Proposal | Failed:
        started = time.perf_counter()
        try:
            if self._quiet(wanted):
                with quiet_context() as context:
                    coroutine = cast("Any", handler(request))
                    response = await asyncio.get_running_loop().create_task(coroutine, context=context)
            else:
                response = await handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a model's client may raise anything; see later_failure
            return later_failure(error, wanted)
        return self._proposal(response, started)

    def _quiet(self, wanted: CallModel) -> bool:
        first = wanted.attempt == 0 and wanted.count == 1
        return self._quiet_first if first else self._quiet_later

    def _proposal(self, response: ModelResponse[Any], started: float) -> Proposal:
        message = assistant(response) or AIMessage("")
        return proposal_of(
            message, payload=response, answer_tools=self._answer_tools, seconds=time.perf_counter() - started
        )

    def _request_for(self, wanted: CallModel) -> ModelRequest[Any]:
        added = [injected(text) for text in (wanted.guidance, wanted.feedback) if text]
        if not added:
            return self._request
        return self._request.override(messages=[*self._request.messages, *added])

    def watch(self, announced: Announce) -> None:
        """Send an announcement to custom streams, and retract a live attempt that was rejected."""
        emit(self._request.runtime, event_of(self._opened, announced))
        attempt = announced.attempt
        if self._live and attempt is not None and attempt.index == 0 and attempt.rejected_by:
            emit(
                self._request.runtime,
                {
                    "type": "coreact.retract",
                    "run": self._opened.run,
                    "step": self._opened.step,
                    "message_id": attempt.message["data"].get("id"),
                },
            )


def answer_tools(response_format: Any) -> frozenset[str]:
    """Names of the artificial tools through which a structured answer is handed in."""
    if isinstance(response_format, AutoStrategy):
        response_format = ToolStrategy(schema=response_format.schema)
    if isinstance(response_format, ToolStrategy):
        return frozenset(spec.name for spec in response_format.schema_specs)
    return frozenset()
