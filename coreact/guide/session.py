"""What the middleware and the graph nodes share: from messages to a decision, to status and record.

A `Session` lives as long as a run and holds only what makes it fast (the incremental reader, the
messages already recorded); everything a run needs to go on after a restart stands in the graph's
state. Sessions are bounded in number and rebuilt when they are gone.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_config
from opentelemetry import trace

from coreact import __version__
from coreact.errors import CoReActError
from coreact.generate import RubricGenerator
from coreact.guide.drivers import HEURISTIC
from coreact.guide.host import proposal_of
from coreact.guide.loop import Decision, Loop, decide, shown_rubric
from coreact.guide.prompts import Growth, Prompts
from coreact.guide.replay import Replay
from coreact.guide.requests import Announce, Proposal
from coreact.guide.settings import GuideSettings
from coreact.guide.status import HeldCall, StepStatus
from coreact.guide.tape import Tape
from coreact.guide.wording import refusal
from coreact.host.messages import Contracts, StateReader, actions_of, message_json, turn_of
from coreact.judge import Cost, Judge, Judgement
from coreact.judge.panel.family import check_families, model_names
from coreact.judge.structured import identity
from coreact.rubric import Rubric, State, ToolContract
from coreact.rubric.canonical import plain
from coreact.trace import Attempt, Recorder, RunEnd, RunRecord, StepRecord, new_id
from coreact.trace.calls import tools_key

_SESSIONS = 256

ANSWER = "answer"
"""Key of a final answer in `StepStatus.held`."""


@dataclass
class Session:
    """The fast memory of one run."""

    reader: StateReader = field(default_factory=StateReader)
    prompts: Prompts = field(default_factory=Prompts)
    """The prompt of the last recorded step, to store and hash only what the next one adds."""
    tools: tuple[ToolContract, ...] | None = None
    """The tools of the last recorded step."""
    tools_key: tuple[tuple[ToolContract, ...], str] | None = None
    """Tools, and their key for calls."""
    last_rubric: Rubric | None = None
    """The last rubric written without fault, for the fallback `last_good`."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A decision about to be made."""

    session: Session
    run: str
    turn: str
    step: int
    """0-based number of this decision in its run."""
    spent: Cost
    """What guidance spent in this run before this decision."""
    run_score: float | None
    """Mean score in [0, 1] of the judged steps before, or None."""
    run_judged: int
    """How many steps that mean is over."""
    state: State | None
    """None where the messages or tools could not be read; `error` says why, and the agent goes on
    unguided."""
    error: CoReActError | None
    messages: Sequence[AnyMessage]
    system: str
    started: float
    growth: Growth | None = None
    """The prompt beside that of the step before; None where nothing is recorded or replayed."""
    tape: Tape | None = None
    """The calls of this decision; None where nothing is recorded or replayed."""


class DecisionGuide:
    """Opens decisions, runs their loop settings, and turns decisions into status and records.

    Safe to share between runs, threads and event loops.
    """

    def __init__(
        self,
        *,
        settings: GuideSettings,
        generator: RubricGenerator | None = None,
        judge: Judge | None = None,
        recorder: Recorder | None = None,
        agent: str = "",
        seed: int | None = None,
        replay: Replay | None = None,
    ) -> None:
        if replay is not None:  # what is not given answers from the record only
            generator, judge = generator or replay.generator, judge or replay.judge
        self.settings = settings
        self.generator: RubricGenerator = generator or HEURISTIC
        self.judge = judge
        self.recorder = recorder
        self.replay = replay
        self.agent = agent
        self.seed = seed
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._contracts = Contracts()
        self._kin: set[str] = set()
        self._identity: tuple[BaseChatModel, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def check_kin(self, agent: str) -> None:
        """Warn or refuse, once for each agent's model, where the judge is of its family or a writer's.

        Raises:
            ConfigError: it is, and the settings say `refuse`.
        """
        if agent in self._kin:
            return
        if judges := model_names(self.judge):
            check_families(
                judge=judges,
                agent=agent,
                generator=model_names(self.generator),
                policy=self.settings.same_family,
            )
        self._kin.add(agent)

    def identity_of(self, model: BaseChatModel) -> dict[str, Any]:
        """What a model is and how it samples, for the record; empty where nothing is recorded."""
        if self.recorder is None:
            return {}
        if self._identity is None or self._identity[0] is not model:
            self._identity = (model, identity_or_none(model))
        return self._identity[1]

    # --- before the decision ------------------------------------------------------------------

    def open(
        self,
        *,
        messages: Sequence[AnyMessage],
        tools: Sequence[BaseTool | Mapping[str, Any]],
        system: str = "",
        status: StepStatus | None = None,
    ) -> Opened:
        """Find the run this decision belongs to and read its state. Never raises on data."""
        turn, question = turn_of(messages)
        # Where no user message is left (a summary took its place) the run goes on.
        if status is None or turn not in ("", status["turn"]):
            run, step, spent, run_score, run_judged = new_id(), 0, Cost(), None, 0
        else:
            run, turn, step = status["run"], status["turn"], status["step"] + 1
            spent = Cost.model_validate(status["spent"])
            run_score, run_judged = status["run_score"], status["run_judged"]
        session, is_new = self._session(run)
        state: State | None = None
        error: CoReActError | None = None
        try:
            state = session.reader.read(
                messages, tools=self._contracts.read(tools), system=system, limit=self.settings.step_budget
            )
        except CoReActError as problem:
            error = problem
        if is_new and step == 0 and self.recorder is not None:
            self.recorder.start(
                RunRecord(
                    id=run,
                    question=question,
                    agent=self.agent,
                    thread_id=_configurable("thread_id"),
                    settings=self.settings.model_dump(mode="json"),
                    seed=self.seed,
                    version=__version__,
                )
            )
        growth: Growth | None = None
        tape: Tape | None = None
        if self.recorder is not None or self.replay is not None:
            prompt: list[BaseMessage] = [*([SystemMessage(system)] if system else []), *messages]
            growth = session.prompts.grow(prompt, step=step)
            tape = Tape(
                run=run,
                step=step,
                prompt=growth.key,
                tools="" if state is None else _tools_key(session, state.tools),
                messages=lambda: [message_json(message) for message in prompt],
                answers=self.replay,
            )
        return Opened(
            session=session,
            run=run,
            turn=turn,
            step=step,
            spent=spent,
            run_score=run_score,
            run_judged=run_judged,
            state=state,
            error=error,
            messages=messages,
            system=system,
            started=time.perf_counter(),
            growth=growth,
            tape=tape,
        )

    def loop(self, opened: Opened, *, may_constrain: bool = False) -> Loop:
        """The loop of an opened decision whose state could be read."""
        if opened.state is None:
            raise ValueError("a decision without a state is not guided")
        return decide(
            opened.state,
            self.settings,
            spent=opened.spent,
            last_rubric=opened.session.last_rubric,
            has_judge=self.judge is not None,
            may_constrain=may_constrain,
        )

    def _session(self, run: str) -> tuple[Session, bool]:
        with self._lock:
            session = self._sessions.get(run)
            is_new = session is None
            if session is None:
                session = self._sessions[run] = Session()
                while len(self._sessions) > _SESSIONS:
                    self._sessions.popitem(last=False)
            self._sessions.move_to_end(run)
            return session, is_new

    # --- after the decision -------------------------------------------------------------------

    def close(
        self, opened: Opened, decision: Decision | None, *, message: AIMessage | None = None
    ) -> StepStatus:
        """Record a decision and give its public status.

        Args:
            opened: from `open`.
            decision: how the loop ended; None where the decision was not guided.
            message: the assistant message of an unguided decision.
        """
        if decision is not None and decision.rubric is not None:
            opened.session.last_rubric = decision.rubric
        spent = opened.spent + (decision.extra if decision is not None else Cost())
        errors = list(decision.errors) if decision is not None else []
        if opened.error is not None:
            errors.append(f"{type(opened.error).__name__}: {opened.error}")
        judgements = decision.chosen.outcomes if decision is not None else ()
        scores = [one.score for one in judgements if one.score is not None]
        score = sum(scores) / len(scores) if scores else None
        run_score, run_judged = opened.run_score, opened.run_judged
        if score is not None:
            run_score = ((run_score or 0.0) * run_judged + score) / (run_judged + 1)
            run_judged += 1
        status = StepStatus(
            run=opened.run,
            turn=opened.turn,
            step=opened.step,
            status=_summary(judgements),
            score=score,
            run_score=run_score,
            run_judged=run_judged,
            judged=sum(one.judged for one in judgements),
            total=sum(one.total for one in judgements),
            unmet=[verdict.reason for one in judgements for verdict in one.unmet],
            attempts=len(decision.attempts) if decision is not None else 1,
            rung=decision.rung if decision is not None else "plain",
            errors=errors,
            spent={
                "calls": spent.calls,
                "input_tokens": spent.input_tokens,
                "output_tokens": spent.output_tokens,
                "seconds": spent.seconds,
            },
            held=_held(decision),
        )
        if self.recorder is not None:
            self._record(opened, decision, errors, message)
            answer = _answered(decision, message)
            if answer is not None:
                self.end(status, answer=answer)
        return status

    def _record(
        self, opened: Opened, decision: Decision | None, errors: list[str], message: AIMessage | None
    ) -> None:
        # The caller checked; this tells the type checker.
        assert self.recorder is not None and opened.growth is not None  # noqa: S101, PT018
        session, growth = opened.session, opened.growth
        if not session.prompts.follows(opened.step):
            session.tools = None
        session.prompts.keep(growth)
        span = trace.get_current_span().get_span_context()
        attempts = decision.attempts if decision is not None else ()
        if decision is None and message is not None:
            plain = proposal_of(message, payload=None)
            attempts = (_unjudged(plain),)
        self.recorder.step(
            StepRecord(
                run=opened.run,
                index=opened.step,
                node=_metadata("langgraph_node") or "",
                phase=opened.state.phase if opened.state is not None else "middle",
                rung=decision.rung if decision is not None else "plain",
                state_digest=opened.state.digest if opened.state is not None else "",
                rubric=decision.rubric if decision is not None else None,
                generator=decision.generator if decision is not None else "",
                remarks=decision.remarks if decision is not None else (),
                tools=self._tools(opened),
                guidance=decision.guidance if decision is not None else "",
                constraint=decision.constraint.model_dump(mode="json")
                if decision is not None and decision.constraint is not None
                else None,
                prompt_kept=growth.kept,
                prompt_added=growth.added,
                attempts=attempts,
                dispositions=decision.dispositions if decision is not None else (),
                error="; ".join(errors) or None,
                checkpoint_id=_configurable("checkpoint_id"),
                checkpoint_ns=_configurable("checkpoint_ns"),
                trace_id=f"{span.trace_id:032x}" if span.is_valid else None,
                span_id=f"{span.span_id:016x}" if span.is_valid else None,
                cost=decision.cost.model_copy(update={"seconds": time.perf_counter() - opened.started})
                if decision is not None
                else Cost(seconds=time.perf_counter() - opened.started),
            )
        )
        for call in opened.tape.noted if opened.tape is not None else ():
            self.recorder.call(call)

    def _tools(self, opened: Opened) -> tuple[ToolContract, ...] | None:
        """The tools of this step, where they are not those of the step before."""
        session, state = opened.session, opened.state
        if state is None or state.tools == session.tools:
            return None
        session.tools = state.tools
        return state.tools

    def end(self, status: StepStatus, *, answer: str) -> None:
        """Record that the run ended with an answer (an empty one where the model proposed nothing)."""
        if self.recorder is not None:
            self.recorder.end(
                RunEnd(run=status["run"], status="done", answer=answer, score=status["run_score"])
            )


def identity_or_none(model: BaseChatModel) -> dict[str, Any]:
    """What a model is and how it samples; empty where it cannot be asked (it is chosen in each call)."""
    try:
        return identity(model)
    except Exception:  # noqa: BLE001 - a stand-in for a model may raise anything, and the agent goes on
        return {}


def event_of(opened: Opened, announced: Announce) -> dict[str, Any]:
    """The custom stream event of an announcement."""
    event: dict[str, Any] = {
        "type": f"coreact.{announced.event}",
        "run": opened.run,
        "step": opened.step,
        "rubric": announced.rubric.model_dump(mode="json"),
    }
    if announced.attempt is not None:
        event["attempt"] = _attempt_json(announced.attempt)
    return event


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    try:
        return attempt.model_dump(mode="json")
    except ValueError:  # arguments nested too deep, or bytes of no text: shown as they are written elsewhere
        actions = tuple(
            one
            if one.call is None
            else one.model_copy(
                update={"call": one.call.model_copy(update={"arguments": plain(one.call.arguments)})}
            )
            for one in attempt.actions
        )
        return attempt.model_copy(update={"actions": actions}).model_dump(mode="json")


def _summary(judgements: Sequence[Judgement]) -> Any:
    passed = [one.passed for one in judgements]
    if not passed:
        return "off"
    if False in passed:
        return "unmet"
    return "unknown" if None in passed else "met"


def _held(decision: Decision | None) -> dict[str, HeldCall]:
    held: dict[str, HeldCall] = {}
    if decision is None or decision.rubric is None:
        return held
    chosen = decision.chosen
    for action, judged, disposition in zip(
        chosen.actions, chosen.outcomes, decision.dispositions, strict=True
    ):
        if disposition in ("blocked", "returned", "asked"):
            key = action.call.id if action.call is not None else ANSWER
            wanted = shown_rubric(decision.rubric, chosen)
            held[key] = HeldCall(disposition=disposition, text=refusal(wanted, action, judged))
    return held


def _answered(decision: Decision | None, message: AIMessage | None) -> str | None:
    # The answer this decision ends the run with; None where the run goes on or waits for a human.
    if decision is not None and "asked" in decision.dispositions:
        return None
    actions = decision.proposal.actions if decision is not None else actions_of(message) if message else ()
    for action in reversed(actions):
        if action.answer is not None:
            return action.answer
    # A message whose every call is malformed ends an agent's run as an empty answer does.
    ends = actions and all(action.call is not None and action.call.malformed for action in actions)
    return "" if ends else None


def _unjudged(proposal: Proposal) -> Attempt:
    return Attempt(
        index=0,
        source="first",
        message=proposal.message,
        actions=proposal.actions,
        selected=True,
        cost=proposal.cost,
    )


def _tools_key(session: Session, tools: tuple[ToolContract, ...]) -> str:
    known = session.tools_key
    if known is None or known[0] is not tools:
        known = session.tools_key = (tools, tools_key(tools))
    return known[1]


def _config() -> Mapping[str, Any]:
    try:
        return get_config()
    except RuntimeError:  # outside of a graph
        return {}


def _configurable(key: str) -> str | None:
    value = _config().get("configurable", {}).get(key)
    return None if value is None else str(value)


def _metadata(key: str) -> str | None:
    value = _config().get("metadata", {}).get(key)
    return None if value is None else str(value)
