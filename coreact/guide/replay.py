"""An agent run again against its recording: its model, tools, generator and judge answer from the record.

    CoReActMiddleware(replay=Replay(store.trajectory(run)), **the_same_settings)

The graph is one's own and really runs: nodes, edges, other middleware, checkpointer. Only what lies outside
answers from the record, found by what is asked (see `trace.calls`), so nothing is sent anywhere. LangGraph
calls something else a replay: there, nodes after a checkpoint run again and call models and tools anew.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from langchain.agents.middleware.types import ModelResponse
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from coreact import __version__
from coreact.errors import ConfigError, CoReActError, ReplayDivergenceError
from coreact.generate import Written
from coreact.judge import Ruling
from coreact.rubric import Action, Criterion, State
from coreact.trace import CallKind, CallRecord, Trajectory
from coreact.trace.calls import UNRECORDED, RecordedCalls, said

Explain = Callable[[Trajectory], str]
"""Says, given the recorded run, in what a request differs from what was recorded."""


class Answers(Protocol):
    """Whoever answers calls from a record."""

    def answer(
        self,
        kind: CallKind,
        key: str,
        *,
        step: int,
        explain: Explain,
        call_id: str = "",
        about: Any = None,
    ) -> CallRecord | None:
        """The recorded call; None: make it live.

        Raises:
            ReplayDivergenceError: nothing recorded answers it.
        """

    def said(self, call: CallRecord) -> list[dict[str, Any]]:
        """The messages that a recorded model call gave back."""


class Replay:
    """A recorded run that answers its agent's calls, each record once.

    One object serves one run from its beginning to its end, interrupts and resumes included; a second run
    needs a new one. Equal requests are answered in the order in which they were recorded, so candidates
    sampled at once come in the recorded order. Safe to use from several threads and event loops.

    Where a middleware or a node turns errors into messages (`ModelRetryMiddleware(on_failure="continue")`,
    `ToolNode(handle_tool_errors=True)`) it takes a divergence for one of them. So the first one is kept:
    every later request raises it again, and `check` raises it after the run.

    Args:
        trajectory: the recorded run.
        on_miss: what happens where nothing recorded answers a request. `error`: `ReplayDivergenceError`;
            `live`: the call is made after all, so that an edited agent goes on from the record.

    Raises:
        ConfigError: the run was imported, or recorded without its calls or its content.
    """

    def __init__(self, trajectory: Trajectory, *, on_miss: Literal["error", "live"] = "error") -> None:
        run = trajectory.run
        if run.origin != "coreact":
            raise ConfigError(
                f"Run {run.id} was imported ({run.origin}): the calls of its agent are not on the record.",
                remedy="Judge it with `coreact trace rejudge`, or go on from a step of it with `Fork`.",
            )
        if run.capture != "full":
            raise ConfigError(
                f"Run {run.id} was recorded with capture={run.capture!r}: what was said is not in it.",
                remedy="Only runs that were recorded in full can be replayed.",
            )
        if trajectory.steps and not trajectory.calls:
            raise ConfigError(
                f"Run {run.id} was recorded without its calls, by an earlier version.",
                remedy="`coreact trace replay` can make its decisions again all the same.",
            )
        self.trajectory = trajectory
        self.live = on_miss == "live"
        """Whether what the record does not answer is called after all."""
        self._diverged: tuple[int, str] | None = None
        self._calls = RecordedCalls(trajectory.calls)
        self._steps = {step.index: step for step in trajectory.steps}

    @property
    def generator(self) -> AbsentGenerator | None:
        """Stands in for the generator where it was none that code simply runs again."""
        names = [call.request.get("generator") for call in self.trajectory.calls if call.kind == "generator"]
        return AbsentGenerator(str(names[0]), self.trajectory.run.id) if names else None

    @property
    def judge(self) -> AbsentJudge | None:
        """Stands in for the judge where one was asked."""
        names = [call.request.get("judge") for call in self.trajectory.calls if call.kind == "judge"]
        return AbsentJudge(str(names[0]), self.trajectory.run.id) if names else None

    def answer(
        self,
        kind: CallKind,
        key: str,
        *,
        step: int,
        explain: Explain,
        call_id: str = "",
        about: Any = None,
    ) -> CallRecord | None:
        """The next recorded call that answers this request; None where it is to be made live.

        Raises:
            ReplayDivergenceError: there is none, or an earlier request had none.
        """
        self.check()
        found = self._calls.take(kind, key, step=step, call_id=call_id)
        if found is not None and not lost(found):
            return found
        if self.live:
            return None
        if found is not None:
            why = f"and its result was not recorded ({found.error})"
        elif self._calls.knows(kind, key):
            why = "once more than the recorded run did, with the same request"
        else:
            why = f"which the recorded run did not: {explain(self.trajectory)}"
        raise self.diverged(step, f"calls {_THE[kind]} {why}")

    def check(self) -> None:
        """Raise the first divergence, if there was one, also where the graph turned it into a message.

        Raises:
            ReplayDivergenceError: the run left the recorded way.
        """
        if self._diverged is not None:
            raise diverged(self.trajectory, *self._diverged)

    def diverged(self, step: int, what: str) -> ReplayDivergenceError:
        """The error for a step that leaves the recorded way; it is kept for `check`."""
        self._diverged = self._diverged or (step, what)
        return diverged(self.trajectory, step, what)

    def said(self, call: CallRecord) -> list[dict[str, Any]]:
        """The messages that a recorded model call gave back."""
        return said(self._steps.get(call.step), call)


_THE: Mapping[CallKind, str] = {
    "model": "the model",
    "generator": "the generator",
    "judge": "the judge",
    "tool": "a tool",
}


def lost(call: CallRecord) -> bool:
    """Whether the call gave something back that could not be recorded."""
    return call.error is not None and call.error.startswith(UNRECORDED)


def diverged(trajectory: Trajectory, step: int, what: str) -> ReplayDivergenceError:
    """The error of a replay that leaves the recorded way at a step."""
    version = trajectory.run.version
    other = (
        f"It was recorded by version {version}, and this is {__version__}. " if version != __version__ else ""
    )
    return ReplayDivergenceError(
        f"Step {step} of run {trajectory.run.id} {what}.",
        run=trajectory.run.id,
        step=step,
        remedy=f"{other}Agent, tools and settings must be those of the recorded run.",
    )


class ReplayedError(CoReActError):
    """What a recorded call raised, raised again: the same words, and a class of the same name.

    Where that name is a built-in error's, the class is a kind of that error as well.
    """

    refused: bool = False
    """The model's server refused to be held to a constraint."""


def replayed_error(call: CallRecord) -> ReplayedError:
    """The error of a recorded call that failed."""
    name, _, text = (call.error or "").partition(": ")
    if not name.isidentifier():
        name, text = ReplayedError.__name__, call.error or ""
    found = getattr(builtins, name, None)
    bases: tuple[type, ...] = (ReplayedError,)
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _MADE_OF_PARTS):
        bases = (ReplayedError, found)
    kind: Any = type(name, bases, {"__str__": lambda self: self.what})
    error: ReplayedError = kind(text)
    error.refused = bool(call.request.get("refused"))
    return error


_MADE_OF_PARTS = (UnicodeError, ExceptionGroup)
"""Built-in errors that cannot be made of a text."""


class AbsentGenerator:
    """In the place of a generator whose rubrics come from the record; it cannot write one itself."""

    def __init__(self, name: str, run: str) -> None:
        self.id = name
        self._run = run

    def write(self, state: State) -> Written:
        """Raise: there is no generator."""
        raise _absent("generator", self.id, self._run)

    async def awrite(self, state: State) -> Written:
        """The same."""
        return self.write(state)


class AbsentJudge:
    """In the place of a judge whose verdicts come from the record; it cannot judge itself."""

    def __init__(self, name: str, run: str) -> None:
        self.id = name
        self._run = run

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Raise: there is no judge."""
        raise _absent("judge", self.id, self._run)

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same."""
        return self.judge(criteria, action, state)


def _absent(what: str, name: str, run: str) -> ConfigError:
    return ConfigError(
        f"What is asked of the {what} is not in run {run}, and {name!r} is not here to be asked.",
        remedy=f"Give the {what} to the replaying agent as well.",
    )


class Said:
    """What a model call gave back according to the record."""

    def __init__(self, call: CallRecord, messages: Sequence[Mapping[str, Any]]) -> None:
        self.call = call
        self.messages: list[BaseMessage] = messages_from_dict([dict(one) for one in messages])
        self._saying: _SayingModel | None = None

    def model(self, model: BaseChatModel) -> BaseChatModel:
        """A chat model that says this, for a host that reads its structured answers itself."""
        message = next((one for one in self.messages if isinstance(one, AIMessage)), AIMessage(""))
        name = getattr(model, "model_name", None) or getattr(model, "model", None)
        profile = getattr(model, "profile", None)
        self._saying = _SayingModel(
            message=message, profile=profile, model_name=str(name or "replayed"), cache=False
        )
        return self._saying

    @property
    def was_asked(self) -> bool:
        """Whether the host asked the model that says this."""
        return self._saying is not None and self._saying.asked

    def response(self) -> ModelResponse[Any]:
        """The recorded messages as the host's response, where nothing in them has to be parsed."""
        return ModelResponse(result=list(self.messages))

    def over(self, response: ModelResponse[Any]) -> ModelResponse[Any]:
        """The host's response with the recorded messages, also where a middleware behind us changed them."""
        return replace(response, result=list(self.messages))


class _SayingModel(BaseChatModel):
    """Says one message, whatever it is asked."""

    message: AIMessage
    model_name: str
    asked: bool = False

    @property
    def _llm_type(self) -> str:
        return "replayed"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Bind nothing: what it says is known."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.asked = True
        return ChatResult(generations=[ChatGeneration(message=self.message.model_copy(deep=True))])
