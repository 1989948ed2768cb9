"""The plan of a research run: sub-questions, what became of each, and why the plan changed.

A model writes a plan as one JSON object. It is read strictly: an unknown dependency, a circle, a blank or a
repeated sub-question makes the whole plan unusable, and then the question itself is the plan, with a remark
that says what was wrong. Code, not the model, says what is answered: a model's own "done" is never read.
Nothing here asks a model; see the agent `deep_research` for who does.

Source: Super Research (P61: decomposition, wide fan-out, then deepening where it is uncertain). Different:
every change is written down in the plan, so that a reader can tell what was planned from what was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Literal, get_args

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, Field

from coreact.judge.replies import UnreadableError, read
from coreact.rubric import Record
from coreact.rubric.words import fold

MAX_SUB_QUESTIONS = 6
"""Most sub-questions that a model may write at once."""

MAX_TRIES = 2
"""How often a sub-question is looked into before it is dropped."""

SubStatus = Literal["open", "answered", "dropped"]
"""`open`: to be looked into; `answered`: something was found; `dropped`: given up, the changes say why."""

Deed = Literal["planned", "added", "answered", "tried", "dropped"]
"""What happened to a sub-question. `tried`: looked into without finding anything."""


class SubQuestion(Record):
    """One thing to find out."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    depends_on: tuple[str, ...] = ()
    """Sub-questions whose findings it needs."""
    status: SubStatus = "open"
    finding: str = ""
    """What was found, in the model's words; untrusted, since it was read off observations."""
    evidence: tuple[str, ...] = ()
    """Ids of the tool messages that looking into it gave, failed ones left out."""
    tries: int = Field(default=0, ge=0)
    """How often it was looked into."""


class PlanChange(Record):
    """One change of a plan."""

    round: int = Field(ge=0)
    """0: the first plan; n: after the n-th round of gathering."""
    deed: Deed
    sub_question: str
    """Its id."""
    reason: str = ""


class PlanRemark(Record):
    """Something that was wrong with what a model wrote about the plan."""

    stage: Literal["plan", "review"]
    problem: Literal["unreadable", "contradictory"]
    """`unreadable`: no such JSON object; `contradictory`: an object that breaks the rules of a plan."""
    reason: str


class Plan(Record):
    """The plan as it stands."""

    sub_questions: tuple[SubQuestion, ...] = Field(min_length=1)
    changes: tuple[PlanChange, ...] = ()
    remarks: tuple[PlanRemark, ...] = ()

    def with_status(self, status: SubStatus) -> tuple[SubQuestion, ...]:
        """The sub-questions with a status, in order."""
        return tuple(one for one in self.sub_questions if one.status == status)

    @property
    def ready(self) -> tuple[SubQuestion, ...]:
        """Open sub-questions that wait for no other: they can be looked into at once."""
        waiting = {one.id for one in self.with_status("open")}
        return tuple(one for one in self.with_status("open") if waiting.isdisjoint(one.depends_on))

    @property
    def counts(self) -> dict[SubStatus, int]:
        """How many sub-questions are open, answered, dropped."""
        return {status: len(self.with_status(status)) for status in get_args(SubStatus)}

    def wave(self, tool_calls: int, *, width: int) -> tuple[tuple[SubQuestion, int], ...]:
        """The sub-questions to look into at once, and how many tool calls each may make.

        Shares differ by one call at most; earlier sub-questions get the greater ones.

        Args:
            tool_calls: what is left of the budget, at least 1.
            width: most sub-questions at once, at least 1.
        """
        some = self.ready[: min(width, tool_calls)]
        if not some:
            return ()
        each, rest = divmod(tool_calls, len(some))
        return tuple((sub, each + (at < rest)) for at, sub in enumerate(some))

    def find(self, sub_id: str) -> SubQuestion:
        """The sub-question with an id.

        Raises:
            KeyError: there is none.
        """
        for one in self.sub_questions:
            if one.id == sub_id:
                return one
        raise KeyError(sub_id)

    def told(self, sub_id: str, finding: str, evidence: Iterable[str], *, round: int) -> Plan:  # noqa: A002
        """The plan after a sub-question was looked into.

        Args:
            sub_id: which one.
            finding: what was found; empty: nothing.
            evidence: ids of the tool messages that showed something this time. A finding without any is
                none: it is the model's memory, since a later try does not see what an earlier one was shown.
            round: number of the round, from 1.
        """
        known = self.find(sub_id)
        now = tuple(evidence)
        shown = tuple(dict.fromkeys((*known.evidence, *now)))
        tries = known.tries + 1
        changes = [PlanChange(round=round, deed="tried", sub_question=sub_id)]
        status: SubStatus = "open"
        if finding and now:
            status = "answered"
            changes = [PlanChange(round=round, deed="answered", sub_question=sub_id)]
        elif tries >= MAX_TRIES:
            status = "dropped"
            reason = f"nothing was found in {tries} tries"
            changes.append(PlanChange(round=round, deed="dropped", sub_question=sub_id, reason=reason))
        found = known.model_copy(
            update={
                "status": status,
                "finding": finding if status == "answered" else "",
                "evidence": shown,
                "tries": tries,
            }
        )
        return self._with(found).model_copy(update={"changes": (*self.changes, *changes)})

    def reviewed(self, review: ReviewDraft, *, round: int) -> Plan:  # noqa: A002
        """The plan after a review that `problem_of_review` found nothing wrong with.

        What is dropped stays in the plan with its status. Whatever waited for it need not wait any more.

        Args:
            review: what to add and to drop.
            round: number of the last round of gathering.
        """
        plan = self
        changes = list(self.changes)
        for sub_id in review.drop:
            known = plan.find(sub_id)
            if known.status == "open":
                plan = plan._with(known.model_copy(update={"status": "dropped"}))
                reason = "a review dropped it"
                changes.append(PlanChange(round=round, deed="dropped", sub_question=sub_id, reason=reason))
        added = tuple(_sub_question(one) for one in review.add)
        changes += [PlanChange(round=round, deed="added", sub_question=one.id) for one in added]
        both = (*plan.sub_questions, *added)
        return plan.model_copy(update={"sub_questions": both, "changes": tuple(changes)})

    def remarked(self, remark: PlanRemark) -> Plan:
        """The plan with one more remark."""
        return self.model_copy(update={"remarks": (*self.remarks, remark)})

    def _with(self, changed: SubQuestion) -> Plan:
        kept = tuple(changed if one.id == changed.id else one for one in self.sub_questions)
        return self.model_copy(update={"sub_questions": kept})


# --- what a model writes ------------------------------------------------------------------------


class SubQuestionDraft(BaseModel):
    """A sub-question as a model writes it."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=20)
    text: str = Field(min_length=1, max_length=400)
    depends_on: list[str]


class PlanDraft(BaseModel):
    """A plan as a model writes it."""

    model_config = ConfigDict(extra="forbid")
    sub_questions: list[SubQuestionDraft] = Field(min_length=1, max_length=MAX_SUB_QUESTIONS)


class ReviewDraft(BaseModel):
    """What a review wants changed, as a model writes it."""

    model_config = ConfigDict(extra="forbid")
    add: list[SubQuestionDraft] = Field(max_length=MAX_SUB_QUESTIONS)
    drop: list[str] = Field(max_length=4 * MAX_SUB_QUESTIONS)


class PlanReplyError(Exception):
    """A reply that holds no usable plan or review; `remark` says why, and is fit to show the model."""

    def __init__(self, remark: PlanRemark) -> None:
        super().__init__(remark.reason)
        self.remark = remark


def read_plan(message: AIMessage) -> Plan:
    """Read the plan that a model wrote.

    Raises:
        PlanReplyError: there is none, or it breaks the rules.
    """
    try:
        draft = read(message, PlanDraft)
    except UnreadableError as error:
        raise PlanReplyError(PlanRemark(stage="plan", problem="unreadable", reason=str(error))) from error
    wrong = _problem(draft.sub_questions, known=())
    if wrong is not None:
        raise PlanReplyError(PlanRemark(stage="plan", problem="contradictory", reason=wrong))
    planned = tuple(_sub_question(one) for one in draft.sub_questions)
    changes = tuple(PlanChange(round=0, deed="planned", sub_question=one.id) for one in planned)
    return Plan(sub_questions=planned, changes=changes)


def read_review(message: AIMessage, plan: Plan) -> ReviewDraft:
    """Read what a model wants changed in a plan.

    Raises:
        PlanReplyError: the reply says nothing usable, or it breaks the rules.
    """
    try:
        draft = read(message, ReviewDraft)
    except UnreadableError as error:
        raise PlanReplyError(PlanRemark(stage="review", problem="unreadable", reason=str(error))) from error
    wrong = _problem(draft.add, known=plan.sub_questions)
    ids = {one.id for one in plan.sub_questions}
    if wrong is None and not ids.issuperset(draft.drop):
        wrong = "`drop` names a sub-question that the plan does not have"
    if wrong is not None:
        raise PlanReplyError(PlanRemark(stage="review", problem="contradictory", reason=wrong))
    return draft


def fallback_plan(question: str, remark: PlanRemark) -> Plan:
    """The plan where none could be read: the question itself, and the remark that says why.

    Args:
        question: the question; not blank.
        remark: what was wrong.
    """
    change = PlanChange(round=0, deed="planned", sub_question="q1", reason="no plan could be read")
    return Plan(sub_questions=(SubQuestion(id="q1", text=question),), changes=(change,), remarks=(remark,))


def _sub_question(draft: SubQuestionDraft) -> SubQuestion:
    text = " ".join(draft.text.split())
    return SubQuestion(id=draft.id, text=text, depends_on=tuple(dict.fromkeys(draft.depends_on)))


def _problem(drafts: Iterable[SubQuestionDraft], *, known: Iterable[SubQuestion]) -> str | None:
    """What is wrong with sub-questions beside those known, in our words only; None: nothing."""
    new, old = list(drafts), list(known)
    every: list[SubQuestion | SubQuestionDraft] = [*old, *new]
    ids = [one.id for one in every]
    if len(set(ids)) != len(ids):
        return "two sub-questions have the same id"
    if any(not one.text.strip() or not one.id.strip() for one in new):
        return "a sub-question has no text or no id"
    texts = [fold(one.text) or one.text for one in every]
    if len(set(texts)) != len(texts):
        return "two sub-questions ask the same"
    if any(not set(ids).issuperset(one.depends_on) for one in new):
        return "`depends_on` names a sub-question that the plan does not have"
    try:
        TopologicalSorter({one.id: tuple(one.depends_on) for one in every}).prepare()
    except CycleError:
        return "sub-questions depend on each other in a circle"
    return None
