"""Verify and refine, without I/O: everything that is decided around one final answer.

`review` judges one answer and returns the progress with one more round; `refine` goes on from there
until an answer is accepted or nothing gets better. Both are generators: they yield requests and are
sent the replies, wait for nothing and know no LangChain, so a graph can hold its progress between
two nodes and every rule can be tested without a model. The rules:

- one rubric for all rounds; checks decide first and free, a judge only what they leave open;
- verdicts, then failure codes, then at most three follow-ups, then the unclear criteria judged again
  with what was found; then feedback that names what must not regress;
- no revision after acceptance, none where nobody could judge: then the answer is unverified;
- an answer that was judged before is not judged again;
- a diagnosis or a follow-up that fails costs itself, not the round; a failed revision ends the loop
  with the best answer so far.

Sources: DeepVerifier (arXiv 2601.15808) for the order, RubricRefine (arXiv 2605.09730) for patience
and best-so-far. DeepVerifier scores 1 to 4 and takes 3 for accepted; here code computes it from the
rubric's verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from coreact.errors import CoReActError
from coreact.judge.records import Cost, Verdict
from coreact.judge.runner import Ruling, run_checks, undecided
from coreact.judge.scoring import judgement as judged
from coreact.refine.diagnosis import Case, Diagnosed, Failure, failures_by_code, together
from coreact.refine.feedback import feedback_of
from coreact.refine.follow_up import Finding, FollowUp, Inquiry, evidence, planned, unclear
from coreact.refine.preserve import lost
from coreact.refine.requests import (
    Diagnose,
    Failed,
    JudgeCriteria,
    LookedInto,
    LookInto,
    Loop,
    Revised,
    Revision,
    WriteRubric,
)
from coreact.refine.rounds import Ended, Progress, Round, ended
from coreact.refine.settings import RefineSettings
from coreact.refine.taxonomy import DEEP_VERIFIER, FailureTaxonomy
from coreact.rubric import Action, Criterion, Record, Rubric, State


@dataclass(frozen=True, kw_only=True)
class Method:
    """How answers are reviewed: what is fixed for all rounds, and who is there to ask."""

    settings: RefineSettings = field(default_factory=RefineSettings)
    taxonomy: FailureTaxonomy = DEEP_VERIFIER
    rubric: Rubric | None = None
    """None: it is written for each question."""
    has_judge: bool = False
    has_diagnostician: bool = False
    has_investigator: bool = False


class Next(NamedTuple):
    """What came of asking for a revision."""

    progress: Progress
    answer: str | None
    """The revised answer; None where none could be made."""


class Refined(Record):
    """How verify-and-refine ended."""

    progress: Progress
    ended: Ended
    first: str
    """The answer as it came."""

    @property
    def answer(self) -> str:
        """The best answer."""
        best = self.progress.best
        return best.answer if best is not None else self.first

    @property
    def gain(self) -> float | None:
        """Score of the best answer minus score of the first, in [-1, 1]; None where one was not scored.

        0 for a loop that changed nothing (PIT's gap to a reference response). Below 0 only where
        passing costs score: an answer that a veto fails may score higher than one that passes.
        """
        best = self.progress.best
        if best is None:
            return None
        after, before = best.judgement.score, self.progress.rounds[0].judgement.score
        return None if after is None or before is None else after - before


def refine(method: Method, answer: str, state: State) -> Loop[Refined]:
    """Judge an answer and have it revised until it is accepted or nothing gets better.

    Args:
        method: how to review.
        answer: the answer as it came.
        state: the question and what was observed before the answer.
    """
    progress = yield from review(method, Progress(), answer, state)
    while (end := ended(progress, method.settings)) is None:
        revised = yield from revise(progress, state)
        progress = revised.progress
        if revised.answer is not None:
            progress = yield from review(method, progress, revised.answer, state)
    return Refined(progress=progress, ended=end, first=answer)


def revise(progress: Progress, state: State) -> Loop[Next]:
    """Have the last answer revised by its feedback; a failure is on the progress.

    Raises:
        ValueError: the last answer was not rejected, so there is nothing to revise.
    """
    last = progress.rounds[-1]
    if last.feedback is None:
        raise ValueError("an answer that was not rejected is not revised")
    reply = yield Revision(question=state.question, answer=last.answer, feedback=last.feedback, state=state)
    progress = progress.model_copy(update={"cost": progress.cost + reply.cost})
    if isinstance(reply, Revised):
        return Next(progress, reply.answer)
    errors = (*progress.errors, _text(reply.error))
    return Next(progress.model_copy(update={"errors": errors, "failed": True}), None)


def review(
    method: Method, progress: Progress, answer: str, state: State, *, message_id: str = ""
) -> Loop[Progress]:
    """Judge one answer: one more round. Without a rubric that could be written there is no round.

    Args:
        method: how to review.
        progress: what is known so far.
        answer: the answer to judge.
        state: the question and what was observed before the answer.
        message_id: id of the message the answer stands in.
    """
    rubric = progress.rubric or method.rubric
    if rubric is None:
        reply = yield WriteRubric(state=state)
        cost = progress.cost + reply.cost
        if isinstance(reply, Failed):
            errors = (*progress.errors, _text(reply.error))
            return progress.model_copy(update={"errors": errors, "cost": cost})
        rubric = reply.rubric
        progress = progress.model_copy(update={"writer": reply.writer, "cost": cost})
    progress = progress.model_copy(update={"rubric": rubric})
    known = next((one for one in progress.rounds if one.answer == answer), None)
    if known is not None:
        judged_again = {
            "index": len(progress.rounds),
            "repeats": known.index,
            "message_id": message_id,
            "errors": (),
            "cost": Cost(),
        }
        this = known.model_copy(update=judged_again)
    else:
        reviewing = _Review(
            method=method,
            progress=progress,
            rubric=rubric,
            action=Action(answer=answer),
            state=state,
        )
        this = yield from reviewing.round(answer, message_id)
    return progress.model_copy(update={"rounds": (*progress.rounds, this), "cost": progress.cost + this.cost})


@dataclass(kw_only=True)
class _Review:
    """The working memory of one round."""

    method: Method
    progress: Progress
    rubric: Rubric
    action: Action
    state: State
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    errors: list[str] = field(default_factory=list)
    judging: Cost = field(default_factory=Cost)
    beside: Cost = field(default_factory=Cost)
    """Diagnosis and follow-ups."""

    def round(self, answer: str, message_id: str) -> Loop[Round]:
        checked = run_checks(self.rubric, self.action, self.state)
        self.verdicts = {verdict.criterion: verdict for verdict in checked.decided}
        yield from self._judge(checked.open, self.state)
        case = self._case()
        diagnosis = None
        if case.judgement.passed is not True and not self._is_out():
            proposed: tuple[FollowUp, ...] = ()
            if self.method.has_diagnostician:
                reply = yield Diagnose(case=case)
                self.beside += reply.cost
                if isinstance(reply, Diagnosed):
                    diagnosis = reply.diagnosis
                    proposed = diagnosis.follow_ups
                else:
                    self.errors.append(_text(reply.error))
            yield from self._follow_up(case, proposed, checked.open)
            case = self._case()
        gone = self._lost(answer)
        failures: tuple[Failure, ...] = ()
        if case.judgement.passed is not True:
            explained = diagnosis.failures if diagnosis is not None else ()
            unmet = {verdict.criterion for verdict in case.judgement.unmet}
            # A code for a criterion that a follow-up cleared explains nothing any more.
            held = [one for one in explained if not one.criteria or not unmet.isdisjoint(one.criteria)]
            failures = together((*failures_by_code(case), *held))
        rejected = case.judgement.passed is False or bool(gone and case.judgement.passed)
        return Round(
            index=len(self.progress.rounds),
            answer=answer,
            judgement=case.judgement,
            failures=failures,
            findings=self.findings,
            lost=gone,
            feedback=feedback_of(
                self.rubric,
                case.judgement,
                failures=failures,
                findings=self.findings,
                lost=gone,
                taxonomy=self.method.taxonomy,
            )
            if rejected
            else None,
            message_id=message_id,
            errors=tuple(dict.fromkeys(self.errors)),
            cost=self.judging + self.beside,
        )

    def _judge(self, criteria: tuple[Criterion, ...], state: State) -> Loop[None]:
        if not criteria:
            return
        if not self.method.has_judge:
            given = undecided(criteria, reason="there is no judge", by="nobody", broken=False)
        else:
            ruling: Ruling = yield JudgeCriteria(criteria=criteria, action=self.action, state=state)
            given = ruling.verdicts
            self.judging += ruling.cost
            self.errors += [verdict.reason for verdict in given if _outage(verdict)]
        # A judge that is out the second time takes nothing back.
        self.verdicts |= {
            verdict.criterion: verdict
            for verdict in given
            if not _outage(verdict) or verdict.criterion not in self.verdicts
        }

    def _case(self) -> Case:
        return Case(
            rubric=self.rubric,
            judgement=judged(self.rubric, tuple(self.verdicts.values()), cost=self.judging),
            action=self.action,
            state=self.state,
            taxonomy=self.method.taxonomy,
        )

    def _is_out(self) -> bool:
        """Whether the judge failed: then a follow-up has nobody to weigh it."""
        return any(_outage(verdict) for verdict in self.verdicts.values())

    def _follow_up(
        self, case: Case, proposed: tuple[FollowUp, ...], judged_by_judge: tuple[Criterion, ...]
    ) -> Loop[None]:
        most = self.method.settings.follow_ups
        if not self.method.has_investigator or not most:
            return
        follow_ups = planned(self.rubric, case.judgement, proposed, most=most)
        if not follow_ups:
            return
        answer = self.action.answer or ""
        reply: LookedInto = yield LookInto(
            inquiries=tuple(
                Inquiry(follow_up=one, task=self.state.question, answer=answer) for one in follow_ups
            )
        )
        self.findings = reply.findings
        self.beside += reply.cost
        self.errors += [one.text for one in self.findings if one.failed]
        looked = {one.follow_up.criterion for one in self.findings if one.answer != "unclear"}
        again = tuple(criterion for criterion in judged_by_judge if criterion.id in looked)
        yield from self._judge(again, self.state.after(*evidence(self.findings), decisions=0))

    def _lost(self, answer: str) -> tuple[str, ...]:
        best = self.progress.best
        if best is None or not self.method.settings.preserve:
            return ()
        about = [
            text
            for one in self.progress.rounds[best.index :]
            if one.feedback is not None
            for text in one.feedback.about
        ]
        return lost(best.answer, answer, about=about)


def _outage(verdict: Verdict) -> bool:
    return verdict.fault == "instrument" and not unclear(verdict)


def _text(error: CoReActError) -> str:
    return f"{type(error).__name__}: {error}"
