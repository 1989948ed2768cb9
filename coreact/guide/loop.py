"""The decision loop, without I/O: everything that is decided around one step of an agent.

`decide` is a generator. It yields requests (write a rubric, call the model, judge criteria,
announce something) and is sent the replies; it never waits, never talks to a network and knows no
LangChain. Two thin drivers (`drivers`) serve it, one blocking and one async, so that there is one
logic in two colours and every rule below can be tested without a model:

- no rubric, no check: a failed generator leads to the declared fallback, never to an empty rubric;
- every attempt is judged, also the last retry, and the best attempt wins, not the last one;
- checks decide first and free; a judge is asked only about what no check decides;
- a judge that fails makes its criteria `unknown`, which is neither met nor unmet;
- in a message with several calls a bad call does not take the good ones down: it alone is answered
  with the feedback, which costs no further model call;
- a model call that fails after an attempt exists costs the retry, not the attempt.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from coreact.errors import CoReActError
from coreact.generate.constraining import Constraint, constraint
from coreact.generate.own import own_rubric
from coreact.generate.prompt import template
from coreact.guide.requests import (
    Announce,
    CallModel,
    Failed,
    JudgeCriteria,
    Proposal,
    Request,
    RubricWritten,
    Together,
    WriteRubric,
)
from coreact.guide.settings import GuideSettings, Policy
from coreact.guide.wording import feedback, guidance
from coreact.judge import Cost, Judgement, Verdict, judgement, run_checks, undecided
from coreact.judge.scoring.joint import joint_rubric
from coreact.rubric import Action, Rubric, State, Step
from coreact.rubric.remarks import Remark
from coreact.trace import Attempt, AttemptSource, Disposition, Rung

Loop = Generator[Request, Any, "Decision"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How a decision ended."""

    proposal: Proposal
    attempts: tuple[Attempt, ...]
    """All attempts in order; exactly one is selected."""
    dispositions: tuple[Disposition, ...]
    """What becomes of each action of the selected attempt."""
    rubric: Rubric | None
    generator: str
    remarks: tuple[Remark, ...]
    """What was found in drafts of the rubric, and done about it."""
    guidance: str
    constraint: Constraint | None
    """What the model's requests were held to."""
    rung: Rung
    errors: tuple[str, ...]
    extra: Cost
    """What guidance spent beyond one plain model call."""
    cost: Cost
    """Everything together, the selected attempt's own call included."""

    @property
    def chosen(self) -> Attempt:
        """The selected attempt."""
        return next(attempt for attempt in self.attempts if attempt.selected)


# --- the loop ---------------------------------------------------------------------------------


def decide(
    state: State,
    settings: GuideSettings,
    *,
    spent: Cost | None = None,
    last_rubric: Rubric | None = None,
    has_judge: bool = False,
    may_constrain: bool = False,
) -> Loop:
    """Guide one decision.

    Args:
        state: the state the decision is made in.
        settings: how to guide.
        spent: what guidance spent so far in this run, for the ladder.
        last_rubric: the last rubric of this run that was written without fault.
        has_judge: whether there is a judge to ask; without one, criteria without a check stay
            unknown.
        may_constrain: whether the adapter can put a constraint on the model's requests.

    Returns:
        A generator that yields requests and returns the `Decision`.
    """
    spent = spent or Cost()
    run = _Run(
        state=state,
        settings=settings,
        spent=spent,
        rung=settings.limits.rung(spent),
        has_judge=has_judge,
        may_constrain=may_constrain and settings.constrain,
    )
    first: tuple[Proposal | Failed, ...] | None = None
    if run.rung != "plain":
        reply: RubricWritten | Failed
        if run.first_call_is_free:
            reply, first = yield Together(write=WriteRubric(state=state), call=run.first_call())
        else:
            reply = yield WriteRubric(state=state)
        yield from run.take_rubric(reply, last_rubric)
    if run.rubric is None:
        return (yield from run.plain(first))
    yield Announce(event="rubric", rubric=run.rubric)
    return (yield from run.guided(run.rubric, first))


@dataclass(kw_only=True)
class _Tried:
    proposal: Proposal
    attempt: Attempt


@dataclass(kw_only=True)
class _Run:
    """The working memory of one decision."""

    state: State
    settings: GuideSettings
    spent: Cost
    rung: Rung
    has_judge: bool
    may_constrain: bool
    rubric: Rubric | None = None
    generator: str = ""
    guidance: str = ""
    constraint: Constraint | None = None
    tried: list[_Tried] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    extra: Cost = field(default_factory=Cost)

    @property
    def first_call_is_free(self) -> bool:
        """Whether the first request to the model is the same whatever the rubric says."""
        return not (self.settings.show_rubric or self.settings.own_rubric or self.may_constrain)

    def first_call(self) -> CallModel:
        """The first request to the model, once the guidance is known."""
        count = self.settings.candidates if self.rung == "panel" else 1
        return CallModel(guidance=self.guidance, feedback="", count=count, constraint=self.constraint)

    def take_rubric(
        self, reply: RubricWritten | Failed, last_rubric: Rubric | None
    ) -> Generator[Request, Any, None]:
        if isinstance(reply, Failed):
            self._failed(reply)
            if self.settings.fallback == "heuristic":
                reply = yield WriteRubric(state=self.state, writer="heuristic")
                if isinstance(reply, Failed):
                    self._failed(reply)
                    return
            elif self.settings.fallback == "last_good" and last_rubric is not None:
                reply = RubricWritten(rubric=last_rubric, generator="last_good")
            else:
                return
        # An equal rubric is the same one; its lock is not computed again.
        self.rubric = last_rubric if reply.rubric == last_rubric else reply.rubric
        self.generator = reply.generator
        self.remarks.extend(reply.remarks)
        self.extra += reply.cost
        self.guidance = guidance(reply.rubric) if self.settings.show_rubric else ""
        if self.settings.own_rubric:
            self.guidance = "\n\n".join(filter(None, (self.guidance, template("own_rubric").text)))
        if self.may_constrain:
            found = constraint(reply.rubric, self.state)
            self.constraint = found.constraint
            if found.constraint is None:
                self.remarks.append(Remark(deed="found", reason=f"no constraint: {found.reason}"))

    def plain(self, first: tuple[Proposal | Failed, ...] | None = None) -> Generator[Request, Any, Decision]:
        proposals = (yield CallModel(guidance="", feedback="")) if first is None else first
        self._keep(proposals, source="first")
        if not self.tried:
            raise next(reply.error for reply in proposals if isinstance(reply, Failed))
        return self._decision(0, _as_they_come(self.tried[0].attempt.actions))

    def guided(
        self, rubric: Rubric, first: tuple[Proposal | Failed, ...] | None = None
    ) -> Generator[Request, Any, Decision]:
        call = self.first_call()
        proposals = (yield call) if first is None else first
        yield from self._attempt(rubric, proposals, source="candidate" if call.count > 1 else "first")
        for _ in range(self.settings.retries):
            best = self.tried[self._best()].attempt
            if not self._worth_a_retry(best) or self._is_used_up():
                break
            told = feedback(shown_rubric(rubric, best), best.actions, best.outcomes)
            before = len(self.tried)
            again = yield CallModel(
                guidance=self.guidance, feedback=told, attempt=before, constraint=self.constraint
            )
            yield from self._attempt(rubric, again, source="retry", told=told)
            if len(self.tried) == before or self._repeats_itself():
                break  # the model failed, or is deaf to feedback: another call would buy nothing
        chosen = self._best()
        return self._decision(chosen, self._dispositions(self.tried[chosen].attempt))

    def _attempt(
        self,
        rubric: Rubric,
        proposals: tuple[Proposal | Failed, ...],
        *,
        source: AttemptSource,
        told: str = "",
    ) -> Generator[Request, Any, None]:
        first = len(self.tried)
        self._keep(proposals, source=source, told=told)
        if not self.tried:
            raise next(reply.error for reply in proposals if isinstance(reply, Failed))
        for tried in self.tried[first:]:
            judgements: list[Judgement] = []
            state = self.state
            own = self._own(tried) if self.settings.own_rubric else None
            kept: list[Judgement] = []
            for at, action in enumerate(tried.proposal.actions):
                before = tried.proposal.actions[at - 1].call if at else None
                if before is not None:  # a call that does the same as its sibling is a repeat
                    state = state.after(Step(call=before), decisions=0)
                judgements.append((yield from self._judge(rubric, action, state)))
                if own is not None:
                    kept.append((yield from self._judge(own, action, state)))
            update = {"own": own, "judgements": tuple(judgements), "own_judgements": tuple(kept)}
            judged = tried.attempt.model_copy(update=update)
            tried.attempt = judged.model_copy(update=_rejection(judged.outcomes))
            yield Announce(event="attempt", rubric=rubric, attempt=tried.attempt)

    def _own(self, tried: _Tried) -> Rubric | None:
        """The criteria that the model wrote for itself in this attempt."""
        found = own_rubric(tried.proposal.text, self.state)
        self.remarks.extend(found.remarks)
        return found.rubric

    def _judge(self, rubric: Rubric, action: Action, state: State) -> Generator[Request, Any, Judgement]:
        checked = run_checks(rubric, action, state)
        verdicts: tuple[Verdict, ...] = ()
        cost = Cost()
        reason = "there is no judge" if not self.has_judge else "the budget leaves no judge"
        may_ask = self.has_judge and self.rung in ("panel", "judge")
        if checked.open and may_ask:
            left = undecided(
                checked.open, reason="the step fails by its checks already", by="nobody", broken=False
            )
            settled = judgement(rubric, (*checked.decided, *left))
            if settled.passed is False:  # whatever a judge says, it stays failed
                return settled
            reply = yield JudgeCriteria(criteria=checked.open, action=action, state=state, rung=self.rung)
            cost = reply.cost
            self.extra += cost
            verdicts = reply.verdicts
            faults = (v.reason for v in verdicts if v.fault == "instrument" and v.cause != "unsupported")
            self.errors.extend(dict.fromkeys(faults))
        elif checked.open:
            verdicts = undecided(checked.open, reason=reason, by="nobody", broken=False)
        return judgement(rubric, (*checked.decided, *verdicts), cost=cost)

    def _keep(self, replies: Sequence[Proposal | Failed], *, source: AttemptSource, told: str = "") -> None:
        for reply in replies:
            if isinstance(reply, Failed):
                self._failed(reply)
                continue
            if reply.unheld:
                self.errors.append(reply.unheld)
            index = len(self.tried)
            if index:  # the first attempt is the call that the plain agent makes as well
                self.extra += reply.cost
            attempt = Attempt(
                index=index,
                source=source,
                message=reply.message,
                actions=reply.actions,
                feedback=told,
                unheld=reply.unheld,
                cost=reply.cost,
            )
            self.tried.append(_Tried(proposal=reply, attempt=attempt))

    def _failed(self, reply: Failed) -> None:
        self.errors.append(_text(reply.error))
        self.remarks.extend(reply.remarks)
        self.extra += reply.cost

    def _best(self) -> int:
        return max(range(len(self.tried)), key=lambda at: (*_rank(self.tried[at].attempt), -at))

    def _worth_a_retry(self, best: Attempt) -> bool:
        passed = [judged.passed for judged in best.outcomes]
        if False not in passed:
            return False
        # Where some calls of a message are good, they run and the bad ones are answered with the
        # feedback: that is the retry, and it costs nothing.
        return all(verdict is False for verdict in passed)

    def _repeats_itself(self) -> bool:
        said = [[str(action) for action in tried.proposal.actions] for tried in self.tried]
        return said[-1] in said[:-1]

    def _is_used_up(self) -> bool:
        return self.settings.limits.rung(self.spent + self.extra) == "plain"

    def _dispositions(self, attempt: Attempt) -> tuple[Disposition, ...]:
        passed = [judged.passed for judged in attempt.outcomes]
        mixed = False in passed and not all(verdict is False for verdict in passed)
        return tuple(
            self._disposition(action, verdict, hand_back=mixed and self.settings.retries > 0)
            for action, verdict in zip(attempt.actions, passed, strict=True)
        )

    def _disposition(self, action: Action, passed: bool | None, *, hand_back: bool) -> Disposition:
        policy: Policy = "allow"
        if passed is False:
            policy = self.settings.on_unmet
            if hand_back and policy == "allow" and not action.stops:
                return "returned"
        elif passed is None:
            policy = self.settings.on_unknown
        if policy == "ask":
            return "asked"
        if action.stops:
            return "answered"
        return "blocked" if policy == "block" else "run"

    def _decision(self, chosen: int, dispositions: tuple[Disposition, ...]) -> Decision:
        attempts = []
        for at, tried in enumerate(self.tried):
            update: dict[str, Any] = {"selected": at == chosen}
            if at != chosen and not tried.attempt.rejected_by:
                update |= {"rejected_by": "rank", "reason": "another attempt scored higher"}
            attempts.append(tried.attempt.model_copy(update=update))
        return Decision(
            proposal=self.tried[chosen].proposal,
            attempts=tuple(attempts),
            dispositions=dispositions,
            rubric=self.rubric,
            generator=self.generator,
            remarks=tuple(self.remarks),
            guidance=self.guidance,
            constraint=self.constraint,
            rung=self.rung,
            errors=tuple(self.errors),
            extra=self.extra,
            cost=self.extra + self.tried[0].proposal.cost,
        )


def shown_rubric(rubric: Rubric, attempt: Attempt) -> Rubric:
    """The criteria that an attempt was held to, its own included, as the model is told of them."""
    return rubric if attempt.own is None else joint_rubric(rubric, attempt.own)


def _rank(attempt: Attempt) -> tuple[float, float]:
    """Sort key, higher is better: the share of actions that pass, then the mean score."""
    worth = {True: 1.0, None: 0.5, False: 0.0}
    judged = attempt.outcomes
    if not judged:
        return (0.0, 0.0)
    passed = sum(worth[one.passed] for one in judged) / len(judged)
    scores = [0.5 if one.score is None else one.score for one in judged]
    return (passed, sum(scores) / len(scores))


def _rejection(judgements: Sequence[Judgement]) -> dict[str, Any]:
    update: dict[str, Any] = {}
    reasons = [v for judged in judgements if judged.passed is False for v in judged.unmet]
    if reasons:
        update["rejected_by"] = next((v.decided_by for v in reasons), "check")
        update["reason"] = "; ".join(dict.fromkeys(v.reason for v in reasons))
    return update


def _as_they_come(actions: Sequence[Action]) -> tuple[Disposition, ...]:
    return tuple("answered" if action.stops else "run" for action in actions)


def _text(error: CoReActError) -> str:
    return f"{type(error).__name__}: {error}"
