"""The judged trajectory as records: run, step, attempts, observations, calls, later judgements.

This is what a decision leaves behind: which rubric was written, what was shown, which candidates
were proposed, which were rejected, by whom and why, what ran and what came back. What is judged
afterwards, by another judge or a human, is appended and never takes the place of what the run was
decided by. Messages are plain JSON dicts as LangChain's `message_to_dict` writes them, so this
module needs no framework. Times are kept beside the content and are part of no hash.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import uuid_utils
from pydantic import Field

from coreact.judge import Cost, Judgement
from coreact.judge.scoring.joint import joint
from coreact.rubric import Action, Record, Rubric, ToolContract
from coreact.rubric.remarks import Remark

RunStatus = Literal["running", "done", "interrupted", "failed"]
"""`interrupted`: ended from outside (Ctrl-C, a kill); everything judged so far is stored."""

AttemptSource = Literal["first", "retry", "candidate"]
"""`first`: the first proposal; `retry`: after feedback; `candidate`: one of k sampled at once."""

Disposition = Literal["run", "blocked", "returned", "asked", "answered"]
"""What became of an action: it ran; it was blocked by policy; it was handed back with feedback
while its siblings ran; a human was asked; or it was the final answer."""

Capture = Literal["off", "redacted", "full"]
"""How much of the content is kept: nothing but structure, verdicts and costs; all of it with secrets
and personal data replaced; or everything."""

EvaluatorKind = Literal["code", "model", "human"]
"""Who judges: checks and other programs, one or several models, a person."""

CallKind = Literal["model", "generator", "judge", "tool"]
"""What was called from outside this library: the agent's model, a rubric generator that is no plain
code, a judge, a tool."""

Rung = Literal["panel", "judge", "checks", "plain"]
"""Rung of the budget ladder a decision stood on, from everything down to the plain agent."""


def new_id() -> str:
    """A fresh run id: a UUIDv7, so that ids sort by time."""
    return str(uuid_utils.uuid7())


class RunRecord(Record):
    """One run: one question from the first decision to the answer."""

    id: str
    question: str
    agent: str = ""
    """Name of the agent, as its owner calls it."""
    agent_version: str = ""
    """Version of the agent, as its owner calls it."""
    origin: str = "coreact"
    """Who recorded the run first: `coreact`, or the format it was imported from (`atif`, `langsmith`, …)."""
    capture: Capture = "full"
    thread_id: str | None = None
    """LangGraph's thread, where there is a checkpointer; stable over interrupt and resume."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The guidance settings in force."""
    seed: int | None = None
    parent: str | None = None
    """Run this one was forked from, or, where `forked_at` is None, whose answer it checks."""
    forked_at: int | None = None
    version: str = ""
    """Version of this library."""
    started_ns: int = Field(default_factory=time.time_ns)


class Attempt(Record):
    """One proposal of the model at a decision, judged."""

    index: int = Field(ge=0)
    source: AttemptSource
    message: dict[str, Any]
    """The proposed assistant message."""
    actions: tuple[Action, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    """One judgement an action; empty where there was no rubric."""
    own: Rubric | None = None
    """The criteria that the model wrote for itself in this attempt, if it was asked to and did."""
    own_judgements: tuple[Judgement, ...] = ()
    """One judgement an action by these."""
    feedback: str = ""
    """What the model was told about the best of the attempts before this one; empty for first attempts."""
    unheld: str = ""
    """Why the step's constraint was not on this request; empty where it was, or where there was none."""
    selected: bool = False
    rejected_by: str | None = None
    """`check` or a judge's id where the attempt failed, `rank` where a better one was chosen."""
    reason: str = ""
    """Why it was rejected."""
    cost: Cost = Cost()

    @property
    def outcomes(self) -> tuple[Judgement, ...]:
        """What was acted on: the judgements, each joined with that by the model's own criteria."""
        if not self.own_judgements:
            return self.judgements
        return tuple(joint(*both) for both in zip(self.judgements, self.own_judgements, strict=True))


class StepRecord(Record):
    """One decision: state, rubric, attempts, what became of each action."""

    run: str
    index: int = Field(ge=0)
    """0-based number of the decision in its run."""
    node: str = ""
    """Graph node that decided."""
    phase: Literal["early", "middle", "late"] = "middle"
    rung: Rung = "panel"
    state_digest: str = ""
    rubric: Rubric | None = None
    """None where none was written; `error` then says why."""
    generator: str = ""
    """Name and version of whoever wrote the rubric."""
    remarks: tuple[Remark, ...] = ()
    """What was found in the draft of the rubric and done about it, and why a gate refused one."""
    tools: tuple[ToolContract, ...] | None = None
    """The tools that the agent had; None where they are those of the step before."""
    constraint: dict[str, Any] | None = None
    """The decoding constraint that was put on the model's requests, if any was."""
    guidance: str = ""
    """The text that was shown to the model in this one request; empty where none was."""
    prompt_kept: int = Field(default=0, ge=0)
    """How many leading messages of the previous step's prompt this prompt starts with."""
    prompt_added: tuple[dict[str, Any], ...] = ()
    """The messages after those, without guidance. Prompts grow, so only what is new is kept."""
    attempts: tuple[Attempt, ...] = ()
    dispositions: tuple[Disposition, ...] = ()
    """One for each action of the selected attempt."""
    error: str | None = None
    """Type and text of what failed (generator, judge, messages), if anything did."""
    checkpoint_id: str | None = None
    checkpoint_ns: str | None = None
    """With the run's `thread_id` and `checkpoint_id`: LangGraph's own place of this decision. Stable over
    interrupt and resume, unlike LangChain's run ids."""
    trace_id: str | None = None
    """OpenTelemetry trace that was current when the step was recorded: 32 hex digits."""
    span_id: str | None = None
    """Its current span: 16 hex digits."""
    cost: Cost = Cost()
    """Rubric, all attempts and judging together."""
    at_ns: int = Field(default_factory=time.time_ns)

    @property
    def chosen(self) -> Attempt | None:
        """The selected attempt."""
        return next((attempt for attempt in self.attempts if attempt.selected), None)


class ObservationRecord(Record):
    """What a tool call of a step gave back."""

    run: str
    step: int = Field(ge=0)
    call_id: str
    tool: str
    text: str
    failed: bool = False
    blocked: bool = False
    """The call was not run; the text is the feedback that stood in for a result."""
    seconds: float = Field(default=0.0, ge=0)
    at_ns: int = Field(default_factory=time.time_ns)


class RunEnd(Record):
    """How a run ended."""

    run: str
    status: RunStatus
    answer: str = ""
    score: float | None = Field(default=None, ge=0, le=1)
    """Mean score of the selected attempts of the judged steps, or None."""
    error: str | None = None
    ended_ns: int = Field(default_factory=time.time_ns)


class CallRecord(Record):
    """One call to something outside, kept so that the run can be replayed without it.

    Calls are found again by `key`, not by their place: the n-th call with a key is answered by the
    n-th record that has it.
    """

    run: str
    step: int = Field(ge=0)
    kind: CallKind
    key: str
    """Digest of the whole request, ids and times left out."""
    request: dict[str, Any] = Field(default_factory=dict)
    """What of the request does not stand in the step itself; the step's prompt is never repeated."""
    response: dict[str, Any] | None = None
    """What came back, as plain JSON; where the call failed None, or what it cost all the same."""
    error: str | None = None
    """Type and text of what it raised."""
    seconds: float = Field(default=0.0, ge=0)
    at_ns: int = Field(default_factory=time.time_ns)


class Evaluator(Record):
    """Who made a judgement, exactly enough to tell whether two judgements may be compared."""

    name: str
    """As a reader knows it: a judge's id, `checks`, a person's name."""
    version: str
    """Digest of all that decides how it judges: prompt, model, sampling, reply parser."""
    kind: EvaluatorKind
    model: str = ""
    """Model id, where there is one."""


class JudgementRecord(Record):
    """A judgement that was made after the run, or by a human: appended, never written over.

    It is about one action of an attempt, or, where `step` is None, about the run as a whole (its answer).
    """

    id: str = Field(default_factory=new_id)
    run: str
    step: int | None = Field(default=None, ge=0)
    attempt: int | None = Field(default=None, ge=0)
    """Position among the attempts of the step."""
    action: int | None = Field(default=None, ge=0)
    """Position among the actions of the attempt."""
    rubric: Rubric
    judgement: Judgement
    evaluator: Evaluator
    judged_ns: int | None = None
    """Time of the record that was judged: `at_ns` of the step, or `ended_ns` where the run as a whole was.
    Where the step was decided again since, or the run ended again, the judgement is about something that no
    longer stands, and is not read back. None: nobody noted it."""
    sample: int = Field(default=0, ge=0)
    """Which of several tries of the same evaluator this is."""
    supersedes: str | None = None
    """Id of an earlier judgement of the same place that this one corrects: one by the same evaluator, or,
    where this one is a human's, by anyone."""
    note: str = ""
    """Why, in the words of a human."""
    at_ns: int = Field(default_factory=time.time_ns)

    @property
    def place(self) -> tuple[int | None, int | None, int | None]:
        """Step, attempt and action that it is about."""
        return self.step, self.attempt, self.action


class Trajectory(Record):
    """A whole stored run, as read back."""

    run: RunRecord
    steps: tuple[StepRecord, ...] = ()
    observations: tuple[ObservationRecord, ...] = ()
    end: RunEnd | None = None
    """None while the run goes on, or where it was killed."""
    calls: tuple[CallRecord, ...] = ()
    """Calls of the steps, in the order they were made."""
    judgements: tuple[JudgementRecord, ...] = ()
    """What was judged later, in the order it was judged, superseded ones included."""

    def prompt(self, step: int) -> tuple[dict[str, Any], ...]:
        """The messages of one step's request, without guidance, in order.

        Raises:
            IndexError: the run has no such step.
        """
        whole: tuple[dict[str, Any], ...] = ()
        for record in self.steps:
            whole = whole[: record.prompt_kept] + record.prompt_added
            if record.index == step:
                return whole
        raise IndexError(f"run {self.run.id} has no step {step}")

    def tools(self, step: int) -> tuple[ToolContract, ...]:
        """The tools that the agent had at one step; empty where none are known."""
        known: tuple[ToolContract, ...] = ()
        for record in self.steps:
            if record.index > step:
                break
            known = known if record.tools is None else record.tools
        return known

    def observed(self, step: int) -> tuple[ObservationRecord, ...]:
        """The observations of one step, in the order they came."""
        return tuple(o for o in self.observations if o.step == step)

    def recorded_ns(self, step: int | None) -> int | None:
        """When a step, or with None the end of the run, was recorded: `judged_ns` of judgements about it."""
        if step is None:
            return None if self.end is None else self.end.ended_ns
        return next((one.at_ns for one in self.steps if one.index == step), None)

    @property
    def standing(self) -> tuple[JudgementRecord, ...]:
        """The later judgements that no other one rightly supersedes."""
        known = {one.id: one for one in self.judgements}
        gone = set()
        for one in self.judgements:
            old = known.get(one.supersedes or "")
            if old is None or old is one or old.place != one.place:
                continue
            if one.evaluator.kind == "human" or one.evaluator.name == old.evaluator.name:
                gone.add(old.id)
        return tuple(one for one in self.judgements if one.id not in gone)
