"""Make every decision of a stored run again, offline: the recorded state and settings, the real loop.

It needs no agent, no model and no tool. Checks run anew and the heuristic generator writes anew, so this
shows whether the code that decides still decides the same; models, judges and other generators answer from
the recorded calls. Runs that were recorded before calls were kept are answered from their attempts and
verdicts, as far as those go. The graph around the decisions does not run: for that see `replay`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Literal, cast

from langchain.agents.middleware.types import ModelResponse
from langchain_core.messages import AnyMessage, messages_from_dict
from pydantic import ValidationError

from coreact import __version__
from coreact.errors import ConfigError, ReplayDivergenceError
from coreact.generate.constraining import Constraint
from coreact.guide.calls import ModelCalls
from coreact.guide.drivers import HEURISTIC, drive
from coreact.guide.host import proposed, stripped, told
from coreact.guide.loop import Decision, decide
from coreact.guide.replay import AbsentGenerator, AbsentJudge, Answers, Explain, Said, diverged, lost
from coreact.guide.requests import JudgeCriteria
from coreact.guide.session import Opened, Session
from coreact.guide.settings import GuideSettings
from coreact.guide.tape import Tape
from coreact.host.messages import StateReader
from coreact.judge import Cost
from coreact.rubric import Record, Rubric, State, ToolContract
from coreact.trace import CallKind, CallRecord, StepRecord, Trajectory
from coreact.trace.calls import RecordedCalls, prompt_keys, said, tools_key
from coreact.trace.comparing import step_difference
from coreact.trace.states import state_at

_SHARES = {"panel": 0.0, "judge": 0.5, "checks": 0.75, "plain": 1.0}


class Redecided(Record):
    """One decision that was made again and came out the same."""

    step: int
    rubric: Literal["none", "written anew", "from the record"]
    """Where its rubric came from."""
    attempts: int
    verdicts: int
    """Verdicts of all attempts."""
    checked: int
    """How many of these checks decided anew; the others came from the record."""


class ReplayReport(Record):
    """Decisions of a run that came out as they were recorded."""

    run: str
    recorded_by: str
    """Version of this library that recorded the run."""
    answers: Literal["calls", "attempts"]
    """What models and judges were answered from."""
    steps: tuple[Redecided, ...]
    unguided: tuple[int, ...]
    """Steps that were decided without a state, because messages or tools could not be read: nothing to
    make again."""


def redecide(trajectory: Trajectory) -> ReplayReport:
    """Make every decision of a run again.

    Raises:
        ReplayDivergenceError: one came out otherwise; it names the step and what differs first.
        ConfigError: the settings of the run are none of this version, or its content was not kept.
        StoreError: a state cannot be had again from what is stored.
    """
    run = trajectory.run
    if run.origin != "coreact":
        raise ConfigError(
            f"Run {run.id} was imported ({run.origin}): nothing was decided in it by this library.",
            remedy="Judge it with `coreact trace rejudge` instead.",
        )
    if run.capture != "full":
        raise ConfigError(
            f"Run {run.id} was recorded with capture={run.capture!r}: what was said is not in it.",
            remedy="Only runs that were recorded in full can be replayed.",
        )
    try:
        settings = GuideSettings.model_validate(run.settings)
    except ValidationError as error:
        raise ConfigError(
            f"The settings of run {run.id} are none of this version: {error.errors()[0]['msg']}.",
            remedy=f"It was recorded by version {run.version or 'unknown'}; this is {__version__}.",
        ) from error
    again = _Run(trajectory, settings)
    steps, unguided = [], []
    for step in trajectory.steps:
        again.follow(step)
        if step.state_digest:
            steps.append(again.step(step))
        else:
            unguided.append(step.index)
    return ReplayReport(
        run=run.id,
        recorded_by=run.version,
        answers="calls" if trajectory.calls else "attempts",
        steps=tuple(steps),
        unguided=tuple(unguided),
    )


class _Run:
    """One run on its way from decision to decision."""

    def __init__(self, trajectory: Trajectory, settings: GuideSettings) -> None:
        self._trajectory = trajectory
        self._settings = settings
        self._spent = Cost()
        self._last: Rubric | None = None
        self._prompt: list[str] = []
        self._messages: list[AnyMessage] = []
        self._tools: tuple[ToolContract, ...] = ()
        self._tools_key = tools_key(())
        self._reader = StateReader()
        self._calls: dict[int, list[CallRecord]] = {}
        for call in trajectory.calls:
            self._calls.setdefault(call.step, []).append(call)
        self._has_judge = _had_judge(trajectory)

    def step(self, step: StepRecord) -> Redecided:
        state = self._state(step)
        calls = self._calls.get(step.index, [])
        written = any(call.kind == "generator" for call in calls)
        anew = step.generator == HEURISTIC.id and not written
        decision = self._decide(step, state, anew=anew)
        again = step.model_copy(
            update={
                "rubric": decision.rubric,
                "generator": decision.generator,
                "guidance": decision.guidance,
                "constraint": None
                if decision.constraint is None
                else decision.constraint.model_dump(mode="json"),
                "rung": decision.rung,
                "phase": state.phase,
                "attempts": decision.attempts,
                "dispositions": decision.dispositions,
                "error": "; ".join(decision.errors) or None,
            }
        )
        if not self._trajectory.calls:  # what failed beside the attempts is not on such a record
            step = _as_far_as_it_goes(step, again)
        if (found := step_difference(step, again)) is not None:
            raise diverged(self._trajectory, step.index, f"comes out otherwise: {found}")
        self._spent += decision.extra
        self._last = decision.rubric or self._last
        verdicts = [v for one in decision.attempts for judged in one.judgements for v in judged.verdicts]
        return Redecided(
            step=step.index,
            rubric="none" if decision.rubric is None else "written anew" if anew else "from the record",
            attempts=len(decision.attempts),
            verdicts=len(verdicts),
            checked=sum(verdict.decided_by == "check" for verdict in verdicts),
        )

    def follow(self, step: StepRecord) -> None:
        """Go on to the prompt and the tools of a step, reading and hashing only what is new."""
        before = self._prompt[step.prompt_kept - 1] if step.prompt_kept else ""
        self._prompt[step.prompt_kept :] = prompt_keys(step.prompt_added, after=before)
        added = cast("list[AnyMessage]", messages_from_dict(list(step.prompt_added)))
        self._messages[step.prompt_kept :] = added
        if step.tools is not None:
            self._tools, self._tools_key = step.tools, tools_key(step.tools)

    def _state(self, step: StepRecord) -> State:
        messages, system = self._messages, ""
        if messages and messages[0].type == "system":
            system, messages = str(messages[0].text), messages[1:]
        limit = self._settings.step_budget
        state = self._reader.read(messages, tools=self._tools, system=system, limit=limit)
        # Where it is another one, reading it afresh says so.
        return state if state.digest == step.state_digest else state_at(self._trajectory, step.index)

    def _decide(self, step: StepRecord, state: State, *, anew: bool) -> Decision:
        trajectory, settings = self._trajectory, self._settings
        calls = self._calls.get(step.index, [])
        answers: Answers = (
            _FromCalls(trajectory, step, calls) if trajectory.calls else _FromAttempts(trajectory, step)
        )
        tape = Tape(
            run=step.run,
            step=step.index,
            prompt=self._prompt[-1] if self._prompt else "",
            tools=self._tools_key,
            messages=lambda: trajectory.prompt(step.index),
            answers=answers,
        )
        spent = self._spent_before(step)
        opened = Opened(
            session=Session(),
            run=step.run,
            turn="",
            step=step.index,
            spent=spent,
            run_score=None,
            run_judged=0,
            state=state,
            error=None,
            messages=(),
            system="",
            started=time.perf_counter(),
            tape=tape,
        )
        asked = next((call.request for call in calls if call.kind == "model"), {})
        model = ModelCalls(
            settings,
            opened,
            read=proposed,
            strip=stripped,
            tell=lambda response, _: told(response),
            write=None,
            options=asked.get("options"),
        )
        return drive(
            decide(
                state,
                settings,
                spent=spent,
                last_rubric=self._last,
                has_judge=self._has_judge,
                may_constrain=_was_constrained(step),
            ),
            generator=HEURISTIC if anew else AbsentGenerator(step.generator, step.run),
            judge=AbsentJudge("the recorded judge", step.run),
            call_model=lambda wanted: model.make(wanted, _answer),
            watch=lambda _: None,
            tape=tape,
        )

    def _spent_before(self, step: StepRecord) -> Cost:
        """What guidance had spent; where that cannot be known, so much that the rung is the recorded one.

        It cannot where the clock counts, which is no part of the record, and in a fork: its parent spent too.
        """
        limits, begun = self._settings.limits, self._trajectory.steps[0].index == 0
        if (begun and limits.seconds is None) or limits.rung(self._spent) == step.rung:
            return self._spent
        share = _SHARES[step.rung]
        return Cost(
            calls=math.ceil(share * (limits.calls or 0)),
            input_tokens=math.ceil(share * (limits.tokens or 0)),
            seconds=share * (limits.seconds or 0),
        )


def _as_far_as_it_goes(step: StepRecord, again: StepRecord) -> StepRecord:
    """A step recorded without calls, with what such a record does not say taken from the new one."""
    told_now = {one.index: one.feedback for one in again.attempts}
    attempts = (
        one if one.feedback else one.model_copy(update={"feedback": told_now.get(one.index, "")})
        for one in step.attempts
    )
    return step.model_copy(update={"error": again.error, "attempts": tuple(attempts)})


def _answer(_: Sequence[AnyMessage], __: Constraint | None, reply: Said | None) -> ModelResponse[Any]:
    if reply is None:
        raise ValueError("a decision that is made again asks no model")
    # The host's reader takes the first assistant message, a graph node's the last: the record knows which.
    given = (reply.call.response or {}).get("messages", [])
    at = next((at for at, one in enumerate(given) if "attempt" in one), 0)
    return ModelResponse(
        result=[*reply.messages[at : at + 1], *reply.messages[:at], *reply.messages[at + 1 :]]
    )


def _had_judge(trajectory: Trajectory) -> bool:
    if any(call.kind == "judge" for call in trajectory.calls):
        return True
    verdicts = (
        verdict
        for step in trajectory.steps
        for attempt in step.attempts
        for judged in attempt.judgements
        for verdict in judged.verdicts
    )
    return any(
        verdict.decided_by not in ("check", "nobody") or verdict.reason == "the budget leaves no judge"
        for verdict in verdicts
    )


def _was_constrained(step: StepRecord) -> bool:
    return step.constraint is not None or any(one.reason.startswith("no constraint:") for one in step.remarks)


class _FromCalls:
    """Answers from the calls of one step, by key."""

    def __init__(self, trajectory: Trajectory, step: StepRecord, calls: Sequence[CallRecord]) -> None:
        self._trajectory = trajectory
        self._step = step
        self._calls = RecordedCalls(calls)
        self._knows_writer = any(call.kind == "generator" for call in calls)

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
        if kind == "generator" and not self._knows_writer:
            return _rubric_call(self._step, key)  # code wrote it, with arguments that only its owner knows
        found = self._calls.take(kind, key, step=step, call_id=call_id)
        if found is None:
            why = explain(self._trajectory)
            raise diverged(self._trajectory, step, f"asks of the {kind} what was not recorded: {why}")
        if lost(found):
            raise diverged(self._trajectory, step, f"had a result that was not recorded: {found.error}")
        return found

    def said(self, call: CallRecord) -> list[dict[str, Any]]:
        return said(self._step, call)


class _FromAttempts:
    """Answers from what a step's record says of its attempts, in their order."""

    def __init__(self, trajectory: Trajectory, step: StepRecord) -> None:
        self._trajectory = trajectory
        self._step = step
        self._next = 0

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
        if kind == "model":
            return self._model(key)
        if kind == "generator":
            return _rubric_call(self._step, key)
        return self._judge(key, about)

    def said(self, call: CallRecord) -> list[dict[str, Any]]:
        return said(self._step, call)

    def _model(self, key: str) -> CallRecord:
        at, self._next = self._next, self._next + 1
        if at >= len(self._step.attempts):
            if at:  # a retry that failed leaves nothing but its text
                return _call(self._step, "model", key, error=_failure(self._step, "ModelCallError"))
            raise self._missing("the model's reply")
        attempt = self._step.attempts[at]
        messages = [{"attempt": at}, *_handed_in(attempt.message, attempt.actions)]
        return _call(self._step, "model", key, {"messages": messages}, seconds=attempt.cost.seconds)

    def _judge(self, key: str, asked: JudgeCriteria) -> CallRecord:
        wanted = [criterion.id for criterion in asked.criteria]
        for attempt in self._step.attempts:
            for at, action in enumerate(attempt.actions):
                if action != asked.action:
                    continue
                for judgements in (attempt.judgements, attempt.own_judgements):
                    verdicts = {v.criterion: v for v in judgements[at].verdicts} if judgements else {}
                    if all(name in verdicts for name in wanted):
                        found = [verdicts[name].model_dump(mode="json") for name in wanted]
                        cost = judgements[at].cost.model_dump(mode="json")
                        return _call(self._step, "judge", key, {"verdicts": found, "cost": cost})
        raise self._missing(f"a judge's verdicts on {', '.join(wanted)}")

    def _missing(self, what: str) -> ReplayDivergenceError:
        why = f"cannot be made again: {what} is not on this record, which was made without calls"
        return diverged(self._trajectory, self._step.index, why)


def _rubric_call(step: StepRecord, key: str) -> CallRecord:
    """The rubric of a step as its generator's answer; that it failed, where the step has none of its own."""
    cost = {"cost": _rubric_cost(step).model_dump(mode="json")}
    if step.rubric is None or step.generator == "last_good":
        return _call(step, "generator", key, cost, error=_failure(step, "GenerationError"))
    response = {"rubric": step.rubric.model_dump(mode="json"), **cost}
    return _call(step, "generator", key, response, request={"generator": step.generator})


def _rubric_cost(step: StepRecord) -> Cost:
    """What of a step's cost neither its attempts nor their judgements had."""
    judged = [one.cost for tried in step.attempts for one in (*tried.judgements, *tried.own_judgements)]
    rest = sum((*judged, *(tried.cost for tried in step.attempts)), Cost())
    return Cost(
        calls=max(0, step.cost.calls - rest.calls),
        input_tokens=max(0, step.cost.input_tokens - rest.input_tokens),
        output_tokens=max(0, step.cost.output_tokens - rest.output_tokens),
    )


def _call(
    step: StepRecord,
    kind: CallKind,
    key: str,
    response: dict[str, Any] | None = None,
    *,
    request: dict[str, Any] | None = None,
    error: str | None = None,
    seconds: float = 0.0,
) -> CallRecord:
    return CallRecord(
        run=step.run,
        step=step.index,
        kind=kind,
        key=key,
        request=request or {},
        response=response,
        error=error,
        seconds=seconds,
    )


def _failure(step: StepRecord, kind: str) -> str:
    return step.error or f"{kind}: not recorded"


def _handed_in(message: dict[str, Any], actions: Sequence[Any]) -> list[dict[str, Any]]:
    """The results that made calls of this message a structured answer, as the host adds them."""
    calls = message["data"].get("tool_calls") or []
    if not calls or any(action.call is not None for action in actions):
        return []
    return [{"type": "tool", "data": {"content": "", "tool_call_id": call["id"]}} for call in calls]
