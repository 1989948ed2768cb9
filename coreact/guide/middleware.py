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

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Self, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    hook_config,
)
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.types import Command, interrupt

from coreact.errors import ConfigError
from coreact.generate import RubricGenerator
from coreact.generate.constraining import Constraint, langchain_request
from coreact.guide.calls import ModelCalls
from coreact.guide.drivers import Ahead, adrive, drive
from coreact.guide.host import assistant, proposed, status_of, stripped, told
from coreact.guide.loop import Decision
from coreact.guide.replay import Replay, Said
from coreact.guide.session import ANSWER, DecisionGuide, Opened, identity_or_none
from coreact.guide.settings import GuideSettings
from coreact.guide.speculation import Speculation
from coreact.guide.status import CoReActState, HeldCall, StepStatus
from coreact.guide.tools import ToolCalls
from coreact.host.messages import injected
from coreact.host.state import STATUS_KEY
from coreact.host.streams import writer_of
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
        replay: answers the calls of model, tools, generator and judge from a recorded run; the agent, its
            tools and these settings must be those of that run. See `Replay`.
        **settings: the fields of `GuideSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or a subclass is told to ask.
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
        replay: Replay | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.enabled = enabled
        self.settings = GuideSettings.of(**settings)
        if "ask" in (self.settings.on_unmet, self.settings.on_unknown) and not isinstance(
            self, _AskingMiddleware
        ):
            raise ConfigError(
                f"{type(self).__name__} is a subclass and cannot ask humans: it has no node to ask in.",
                remedy="Use CoReActMiddleware itself with the policy 'ask', or another policy.",
            )
        self._guide = DecisionGuide(
            settings=self.settings,
            generator=generator,
            judge=judge,
            recorder=recorder,
            agent=agent,
            seed=seed,
            replay=replay,
        )
        self._ahead = Speculation() if self.settings.speculate and replay is None else None
        self._tools = ToolCalls(recorder=recorder, replay=replay, ahead=self._ahead)

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
        calls = self._calls(opened, request)

        def ask(added: Sequence[AnyMessage], held: Constraint | None, said: Said | None) -> Any:
            if said is not None and request.response_format is None:
                return said.response()  # a middleware behind us could ask another model than ours
            response = handler(_with(request, added, opened, held, said))
            return response if said is None else self._over(said, response, opened)

        if opened.state is None:
            return self._answer(opened, None, calls.plain(ask))
        decision = drive(
            self._guide.loop(opened, may_constrain=_may_constrain(request, opened)),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.make(wanted, ask),
            watch=calls.watch,
            tape=opened.tape,
            ahead=self._starts(opened, request, "start"),
        )
        return self._answer(opened, decision, calls.settle(decision))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> Any:
        """Guide one decision without blocking the event loop."""
        if not self.enabled:
            return await handler(request)
        opened = self._open(request)
        calls = self._calls(opened, request)

        async def ask(added: Sequence[AnyMessage], held: Constraint | None, said: Said | None) -> Any:
            if said is not None and request.response_format is None:
                return said.response()
            response = await handler(_with(request, added, opened, held, said))
            return response if said is None else self._over(said, response, opened)

        if opened.state is None:
            return self._answer(opened, None, await calls.aplain(ask))
        decision = await adrive(
            self._guide.loop(opened, may_constrain=_may_constrain(request, opened)),
            generator=self._guide.generator,
            judge=self._guide.judge,
            call_model=lambda wanted: calls.amake(wanted, ask),
            watch=calls.watch,
            tape=opened.tape,
            ahead=self._starts(opened, request, "astart"),
        )
        return self._answer(opened, decision, calls.settle(decision))

    def _open(self, request: ModelRequest[Any]) -> Opened:
        if self._guide.judge is not None:
            self._guide.check_kin(str(identity_or_none(request.model).get("model", "")))
        system = request.system_message
        return self._guide.open(
            messages=request.messages,
            tools=request.tools,
            system=str(system.text) if system is not None else "",
            status=status_of(request.state),
        )

    def _calls(self, opened: Opened, request: ModelRequest[Any]) -> ModelCalls:
        return ModelCalls(
            self.settings,
            opened,
            read=proposed,
            strip=stripped,
            tell=lambda response, _: told(response),
            write=writer_of(request.runtime),
            options=_options(request),
            model=self._guide.identity_of(request.model),
        )

    def _starts(
        self, opened: Opened, request: ModelRequest[Any], how: Literal["start", "astart"]
    ) -> Ahead | None:
        if self._ahead is None:
            return None
        start = self._ahead.start if how == "start" else self._ahead.astart
        return lambda action: start(opened.run, opened.step, action, request.tools)

    def _over(self, said: Said, response: ModelResponse[Any], opened: Opened) -> ModelResponse[Any]:
        if not said.was_asked and self._guide.replay is not None:
            raise self._guide.replay.diverged(
                opened.step, "was answered by another model: a middleware behind guidance puts it there"
            )
        return said.over(response)

    def _answer(
        self, opened: Opened, decision: Decision | None, response: ModelResponse[Any]
    ) -> ExtendedModelResponse[Any]:
        if self._ahead is not None:
            self._ahead.settle(opened.run, opened.step, _running(decision))
        status = self._guide.close(opened, decision, message=assistant(response))
        return ExtendedModelResponse(model_response=response, command=Command(update={STATUS_KEY: status}))

    # --- around each tool -----------------------------------------------------------------------

    def wrap_tool_call(self, request: ToolCallRequest, handler: ToolHandler) -> Any:
        """Run the call, or answer it with the feedback where it is held back."""
        return self._tools.run(request, handler) if self.enabled else handler(request)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncToolHandler) -> Any:
        """Run the call without blocking the event loop, or answer it with the feedback."""
        return await (self._tools.arun(request, handler) if self.enabled else handler(request))


class _AskingMiddleware(CoReActMiddleware):
    """The same, with a node after the model that asks a human about held proposals.

    The node comes after the model's own, which is checkpointed by then: what was proposed is what
    runs, and a resume judges nothing again. The payload is LangChain's human-in-the-loop request,
    so its clients work unchanged.
    """

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Interrupt where a proposal waits for a human, and act on the decisions.

        A resume value that is not one decision (approve or reject) for each proposal settles
        nothing: the same question is asked again, and its `error` says what was wrong.
        """
        status = status_of(state)
        if status is None or not self.enabled:
            return None
        message, answered = _last_proposal(state["messages"])
        asked = {
            key: held
            for key, held in status["held"].items()
            # What another middleware has answered already (a human rejected it) is settled.
            if held["disposition"] == "asked" and key not in answered
        }
        if not asked or message is None:
            return None
        requests = [_action_request(key, held, message) for key, held in asked.items()]
        update = _after_asking(status, asked, _ask(requests))
        if ANSWER in asked and "jump_to" not in update:
            self._guide.end(status, answer=requests[list(asked).index(ANSWER)]["args"]["answer"])
        return update

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The same; `interrupt` does not block."""
        return self.after_model(state, runtime)


_DECISIONS = ("approve", "reject")


def _last_proposal(messages: Sequence[AnyMessage]) -> tuple[AIMessage | None, set[str]]:
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return message, answered
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
    return None, answered


def _action_request(key: str, held: HeldCall, message: AIMessage) -> dict[str, Any]:
    if key == ANSWER:
        words = str(message.text)
        if not words and message.tool_calls:  # a structured answer
            words = json.dumps(message.tool_calls[0]["args"], ensure_ascii=False, default=str)
        return {"name": ANSWER, "args": {"answer": words}, "description": held["text"]}
    for call in message.tool_calls:
        if call["id"] == key:
            return {"name": call["name"], "args": call["args"], "description": held["text"]}
    broken = next((call for call in message.invalid_tool_calls if (call["id"] or "") == key), None)
    name, arguments = (broken["name"], broken["args"]) if broken is not None else ("", "")
    return {"name": name or "", "args": {"arguments": arguments or ""}, "description": held["text"]}


def _ask(requests: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    question = {
        "action_requests": list(requests),
        "review_configs": [
            {"action_name": request["name"], "allowed_decisions": list(_DECISIONS)} for request in requests
        ],
    }
    # The host keeps a resume value before anyone reads it, so a wrong one cannot be refused by an
    # error: every later resume would meet it again.
    reply = interrupt(question)
    while (decisions := _decisions(reply, len(requests))) is None:
        error = (
            f"The resume value {reply!r} does not decide the proposals. Resume with "
            '{"decisions": [{"type": "approve"} or {"type": "reject", "message": "…"}, …]}, '
            f"{len(requests)} in all."
        )
        reply = interrupt(question | {"error": error})
    return decisions


def _decisions(reply: Any, expected: int) -> Sequence[Mapping[str, Any]] | None:
    decisions = reply.get("decisions") if isinstance(reply, Mapping) else None
    if not isinstance(decisions, list | tuple) or len(decisions) != expected:
        return None
    decided = all(isinstance(one, Mapping) and one.get("type") in _DECISIONS for one in decisions)
    return decisions if decided else None


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
            update["messages"] = [injected(text)]
            update["jump_to"] = "model"
        else:
            held[key] = HeldCall(disposition="blocked", text=text)
    return update | {STATUS_KEY: StepStatus(**(status | {"held": held}))}


def _may_constrain(request: ModelRequest[Any], opened: Opened) -> bool:
    """Whether its calls are ours to narrow: no structured answer, no choice made, no tool of the server."""
    known = len(opened.state.tools) if opened.state is not None else -1
    free = request.response_format is None and request.tool_choice is None
    return free and len(request.tools) == known


def _running(decision: Decision | None) -> frozenset[str]:
    """Identities of the calls that are to run."""
    if decision is None:
        return frozenset()
    pairs = zip(decision.proposal.actions, decision.dispositions, strict=True)
    return frozenset(action.call.key for action, fate in pairs if action.call is not None and fate == "run")


def _options(request: ModelRequest[Any]) -> dict[str, Any]:
    """What a request asks for beside prompt and tools, as plain JSON."""
    options: dict[str, Any] = {}
    if request.tool_choice is not None:
        options["tool_choice"] = request.tool_choice
    form = request.response_format
    if form is not None:
        schema: Any = getattr(form, "schema", form)
        named = schema.get("title") if isinstance(schema, dict) else getattr(schema, "__name__", None)
        options["response_format"] = [type(form).__name__, str(named or "")]
    return options


def _with(
    request: ModelRequest[Any],
    added: Sequence[AnyMessage],
    opened: Opened,
    held: Constraint | None,
    said: Said | None,
) -> ModelRequest[Any]:
    if added:
        request = request.override(messages=[*request.messages, *added])
    if held is not None and opened.state is not None:
        request = request.override(**langchain_request(held, opened.state.tools))
    if said is not None:
        request = request.override(model=said.model(request.model))
    return request
