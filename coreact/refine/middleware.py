"""`VerifyAnswerMiddleware`: final answers of `create_agent` agents, verified and sent back to be revised.

An adapter. It knows the facts of its host:

- Judging and acting on the verdict are two nodes (`after_model`, `after_agent`), with a checkpoint
  between them. Whatever interrupts after judging, `on_round` included, finds the verdict on the
  checkpoint; a resume judges nothing again.
- It sends back by `jump_to="model"` with the feedback as a marked message, so a revision may use
  tools, and its steps are steps of the agent like any other. It never jumps to `tools`.
- The number of rounds stands in the state, so a rubric that can never be met ends the loop.
- Where the best answer is not the last one it takes the last one's place, so that output, history
  and status agree. Only answers that stand in the history as they were judged are put back: what
  another middleware took out, changed or added after judging is left as it is, and not vouched for.
- Rejected drafts are messages of the model node, which the host streams; nothing can hold them back
  without hiding them from other middlewares. A custom event `coreact.retract` names each one by its
  message id. Judges, diagnosis and follow-ups stream nothing.
- An investigator that interrupts stops a round that is not judged to the end; that round is judged
  anew on resume. Whoever may have to ask a human belongs into `on_round`.

Beside `CoReActMiddleware`, in either order: each draft is then also a guided step of the agent's run,
and the check is a run of its own whose `parent` it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Unpack

from langchain.agents.middleware.types import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    hook_config,
)
from langchain_core.messages import AnyMessage, SystemMessage, ToolMessage
from langgraph.config import get_config
from langgraph.types import Command

from coreact.errors import CoReActError
from coreact.generate import RubricGenerator
from coreact.host.messages import Contracts, Turn, injected, message_json, turn_of
from coreact.host.state import ANSWER_CHECK_KEY, STATUS_KEY, value_of, without_status
from coreact.host.streams import writer_of
from coreact.judge.runner import Judge
from coreact.refine.checking import (
    CHECKING,
    NOTED,
    STRUCTURED,
    Checking,
    Noted,
    VerifyAnswerState,
    stands,
    state_before,
)
from coreact.refine.drivers import adrive, drive
from coreact.refine.history import FinalAnswer, final_answer, in_place_of
from coreact.refine.loop import review
from coreact.refine.record import record
from coreact.refine.rounds import Ended, Progress, Round, ended
from coreact.refine.settings import RefineSettings
from coreact.refine.status import status
from coreact.refine.verifier import AnswerVerifier, Options
from coreact.rubric import Rubric, State
from coreact.trace import Recorder, new_id

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
ToolHandler = Callable[[ToolCallRequest], "ToolMessage | Command[Any]"]
AsyncToolHandler = Callable[[ToolCallRequest], Awaitable["ToolMessage | Command[Any]"]]


class _Opened(NamedTuple):
    """A final answer about to be judged."""

    final: FinalAnswer
    progress: Progress
    run: str
    turn: Turn
    state: State | None
    """None where the messages could not be read; the progress says why."""


class VerifyAnswerMiddleware(AgentMiddleware[Any, Any, Any]):
    """Verify every final answer of an agent, send rejected ones back, return the best one.

    Args:
        rubric: the criteria of a good answer (scope `answer`), or a generator that writes them for
            each question.
        judge: who decides criteria that no check decides; several are reviewers who must all agree;
            None: such criteria stay unknown, and the answer unverified.
        recorder: where the rounds are stored, e.g. `Recorder(SQLiteTraceStore(path))`.
        on_round: called with each round once it is judged and checkpointed; it may interrupt, and is
            then called again on resume. What it raises ends the run.
        agent: name of the agent in the record.
        **options: see `AnswerVerifier` and `RefineSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the rubric is not for answers.
    """

    state_schema = VerifyAnswerState

    def __init__(
        self,
        rubric: Rubric | RubricGenerator,
        judge: Judge | Sequence[Judge] | None = None,
        *,
        recorder: Recorder | None = None,
        on_round: Callable[[Round], object] | None = None,
        agent: str = "",
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        self._verifier = AnswerVerifier(rubric, judge, **options)
        self._recorder = recorder
        self._on_round = on_round
        self._agent = agent
        self._contracts = Contracts()

    @property
    def settings(self) -> RefineSettings:
        """The settings in force."""
        return self._verifier.settings

    # --- around the model: what its requests hold ----------------------------------------------

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> Any:
        """Note the system prompt and the tools, which the state does not hold."""
        return self._noted(request, handler(request))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> Any:
        """The same without blocking the event loop."""
        return self._noted(request, await handler(request))

    def _noted(self, request: ModelRequest[Any], response: ModelResponse[Any]) -> Any:
        system = request.system_message
        try:
            tools = self._contracts.read(request.tools)
        except CoReActError:  # a tool without a schema: the agent's own affair
            tools = ()
        noted = Noted(
            system=str(system.text) if system is not None else "",
            tools=[one.model_dump(include={"name", "role", "read_only"}) for one in tools],
        )
        if value_of(request.state, NOTED) == noted:
            return response
        return ExtendedModelResponse(model_response=response, command=Command(update={NOTED: noted}))

    # --- after the model: judge ----------------------------------------------------------------

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Judge a final answer, and leave the verdict on the checkpoint."""
        opened = self._open(state)
        if opened is None:
            return None
        progress = opened.progress
        if opened.state is not None:
            progress = drive(self._review(opened, opened.state), self._verifier.parties)
        return _judged(state, opened, progress)

    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The same without blocking the event loop."""
        opened = self._open(state)
        if opened is None:
            return None
        progress = opened.progress
        if opened.state is not None:
            progress = await adrive(self._review(opened, opened.state), self._verifier.parties)
        return _judged(state, opened, progress)

    def _open(self, state: Any) -> _Opened | None:
        messages: Sequence[AnyMessage] = state["messages"]
        final = final_answer(messages, structured=value_of(state, "structured_response") is not None)
        if final is None:
            return None
        turn = turn_of(messages)
        checking: Checking | None = value_of(state, CHECKING)
        progress, run = Progress(), new_id()
        if checking is not None and checking["sent"] and turn.id in ("", checking["turn"]):
            progress, run = Progress.model_validate(checking["progress"]), checking["run"]
            turn = turn._replace(id=checking["turn"])
        read: State | None = None
        try:
            read = state_before(state, messages[: final.at], progress, final.answer_tool)
        except CoReActError as error:
            text = f"{type(error).__name__}: {error}"
            progress = progress.model_copy(update={"errors": (*progress.errors, text)})
        return _Opened(final, progress, run, turn, read)

    def _review(self, opened: _Opened, state: State) -> Any:
        final = opened.final
        return review(
            self._verifier.method, opened.progress, final.text, state, message_id=final.message.id or ""
        )

    # --- after the agent: act on the verdict ---------------------------------------------------

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Send a rejected answer back with the feedback, or end with the best one."""
        messages: Sequence[AnyMessage] = state["messages"]
        turn = turn_of(messages)
        checking: Checking | None = value_of(state, CHECKING)
        if checking is None or turn.id not in ("", checking["turn"]):
            nothing = status(
                Progress(),
                run="",
                turn=turn.id,
                ended="unjudged",
                note="The run ended without an answer that could be judged.",
            )
            return {ANSWER_CHECK_KEY: nothing}
        progress = Progress.model_validate(checking["progress"])
        last = progress.rounds[-1] if progress.rounds else None
        final = final_answer(messages, answer_tool=checking["answer_tool"])
        if last is None or final is None or not stands(last, messages, checking, final):
            return self._end_unverified(checking, progress, messages, state)
        write = writer_of(runtime)
        if self._on_round is not None:
            self._on_round(last)
        if write is not None:
            shown = last.model_dump(mode="json")
            write({"type": "coreact.round", "run": checking["run"], "round": shown})
        end = ended(progress, self._verifier.settings)
        standing = tuple(one for one in progress.rounds if stands(one, messages, checking))
        best = progress.model_copy(update={"rounds": standing}).best or last
        if write is not None and (end is None or best is not last):
            write({"type": "coreact.retract", "run": checking["run"], "message_id": last.message_id})
        self._record(checking, progress, messages, state, best=best, done=end is not None)
        if end is None:
            return {
                "messages": [injected(str(last.feedback))],
                CHECKING: Checking(**(checking | {"sent": True})),
                "jump_to": "model",
            }
        update: dict[str, Any] = {
            ANSWER_CHECK_KEY: status(
                progress, run=checking["run"], turn=checking["turn"], ended=end, best=best
            ),
            CHECKING: Checking(**(checking | {"sent": False})),
        }
        if best.index != last.index:
            structured = value_of(state, STRUCTURED) or {}
            response = structured.get(best.message_id)
            update["messages"] = in_place_of(
                final, best.answer, structured=bool(checking["answer_tool"]) and response is not None
            )
            if structured:
                update["structured_response"] = response
        return update

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The same; nothing in it blocks."""
        return self.after_agent(state, runtime)

    def _end_unverified(
        self, checking: Checking, progress: Progress, messages: Sequence[AnyMessage], state: Any
    ) -> dict[str, Any]:
        # What stands at the end was put there after judging, by whatever ended the run (a limit, a
        # guardrail): it is not ours to overrule, and there is no verdict on it.
        end: Ended = "unjudged"
        note = "What stands at the end is not an answer that was judged." if progress.rounds else ""
        self._record(checking, progress, messages, state, best=progress.best, done=True)
        return {
            ANSWER_CHECK_KEY: status(
                progress,
                run=checking["run"],
                turn=checking["turn"],
                ended=end,
                outcome="unverified",
                note=note,
            ),
            CHECKING: Checking(**(checking | {"sent": False})),
        }

    def _record(
        self,
        checking: Checking,
        progress: Progress,
        messages: Sequence[AnyMessage],
        state: Any,
        *,
        best: Round | None,
        done: bool,
    ) -> None:
        if self._recorder is None:
            return
        drafts = {one.message_id for one in progress.rounds}
        first = next((at for at, one in enumerate(messages) if one.id in drafts), len(messages))
        request: Noted | None = value_of(state, NOTED)
        system = [SystemMessage(request["system"])] if request is not None and request["system"] else []
        guided = value_of(state, STATUS_KEY)
        same_turn = isinstance(guided, dict) and guided["turn"] == checking["turn"]
        record(
            self._recorder,
            progress,
            run=checking["run"],
            settings=self._verifier.settings,
            question=turn_of(messages).question,
            best=best,
            done=done,
            prompt=[message_json(one) for one in (*system, *messages[:first])],
            agent=self._agent,
            thread_id=_thread(),
            parent=guided["run"] if same_turn else None,
        )

    # --- around each tool ------------------------------------------------------------------------

    def wrap_tool_call(self, request: ToolCallRequest, handler: ToolHandler) -> Any:
        """Keep the status of an agent behind the tool from replacing this one's."""
        return without_status(handler(request))

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncToolHandler) -> Any:
        """The same without blocking the event loop."""
        return without_status(await handler(request))


def _judged(state: Any, opened: _Opened, progress: Progress) -> dict[str, Any]:
    turn = opened.turn.id
    checking = Checking(
        progress=progress.model_dump(mode="json"),
        run=opened.run,
        turn=turn,
        answer_tool=opened.final.answer_tool,
        sent=False,
    )
    update: dict[str, Any] = {
        ANSWER_CHECK_KEY: status(progress, run=opened.run, turn=turn),
        CHECKING: checking,
    }
    response = value_of(state, "structured_response")
    if response is not None:
        earlier = value_of(state, STRUCTURED) or {}
        ids = {one.message_id for one in progress.rounds}
        kept = {key: value for key, value in earlier.items() if key in ids}
        update[STRUCTURED] = {**kept, opened.final.message.id or "": response}
    return update


def _thread() -> str | None:
    try:
        found = get_config().get("configurable", {}).get("thread_id")
    except RuntimeError:  # outside of a graph
        return None
    return None if found is None else str(found)
