"""From verdicts to failure codes: first by code, from which checks failed, then by a model if there is one.

A code explains criteria that are not met; it never decides whether they are. The model is asked
once, for codes and for the questions worth a follow-up, and only about criteria the agent may see,
since what it says reaches the agent. A diagnosis that fails costs the diagnosis, not the round.

Against DeepVerifier: the step-by-step summary it begins with is left out (the model reads an excerpt
of the trajectory itself), and codes explain verdicts of a rubric instead of leading to a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from coreact.judge.reasons import in_our_words
from coreact.judge.records import Cost, Judgement, Verdict
from coreact.judge.structured import StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced, transcript
from coreact.refine.follow_up import MOST, FollowUp, unclear
from coreact.refine.taxonomy import NONE, NOTHING_OBSERVED, STEPS_SPENT, FailureTaxonomy
from coreact.rubric import Action, Criterion, Record, Rubric, State

MOST_FAILURES = 3
"""Most codes of one round: an agent that is told everything changes everything."""


class Failure(Record):
    """A failure code that explains unmet criteria."""

    reason: str
    code: str
    """Id of a code of the taxonomy."""
    criteria: tuple[str, ...] = ()
    """Ids of the criteria it explains; empty where it is about the whole run."""
    in_our_words: bool = False
    """Whether the reason is a check's; otherwise it may repeat a page, and is data to whoever reads it."""


class Case(Record):
    """A judged answer that is to be diagnosed."""

    rubric: Rubric
    judgement: Judgement
    action: Action
    state: State
    taxonomy: FailureTaxonomy

    def points(self) -> tuple[tuple[Criterion, Verdict], ...]:
        """What the answer does not meet, or where nobody could tell, heaviest first; visible ones only."""
        found = [
            (self.rubric.criterion(verdict.criterion), verdict)
            for verdict in self.judgement.verdicts
            if verdict.status in ("unmet", "partial") or unclear(verdict)
        ]
        visible = [(criterion, verdict) for criterion, verdict in found if criterion.visibility == "policy"]
        return tuple(sorted(visible, key=lambda pair: -pair[0].weight))


class Diagnosis(Record):
    """Codes, and questions worth a follow-up."""

    failures: tuple[Failure, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()


class Diagnosed(NamedTuple):
    """A diagnosis and what it cost."""

    diagnosis: Diagnosis
    cost: Cost = Cost()


@runtime_checkable
class Diagnostician(Protocol):
    """Whoever finds codes that code cannot see. What it raises costs the diagnosis only."""

    id: str
    """Name and version."""

    def diagnose(self, case: Case) -> Diagnosed:
        """Explain what the answer does not meet."""

    async def adiagnose(self, case: Case) -> Diagnosed:
        """The same, without blocking the event loop."""


def failures_by_code(case: Case) -> tuple[Failure, ...]:
    """The codes that need no model: each unmet criterion with a check by the check's kind, heaviest first.

    A `forbid` criterion is left out: its check holding is the failure, so its kind says nothing.
    """
    found: list[Failure] = []
    unmet = sorted(case.judgement.unmet, key=lambda verdict: -case.rubric.criterion(verdict.criterion).weight)
    for verdict in unmet:
        criterion = case.rubric.criterion(verdict.criterion)
        if criterion.check is None or criterion.polarity == "forbid":
            continue
        code = case.taxonomy.seen_by(criterion.check.kind)
        if code is not None:
            ours = in_our_words(criterion, verdict)
            found.append(
                Failure(reason=verdict.reason, code=code.id, criteria=(criterion.id,), in_our_words=ours)
            )
    if unmet:
        for sign, reason in _signs(case.state):
            code = case.taxonomy.seen_by(sign)
            if code is not None:
                found.append(Failure(reason=reason, code=code.id, in_our_words=True))
    return together(found)


def _signs(state: State) -> Iterable[tuple[str, str]]:
    if state.tools and not any(step.succeeded for step in state.steps):
        yield NOTHING_OBSERVED, "No tool gave anything before the answer."
    if state.budget.left == 0:
        yield STEPS_SPENT, f"All {state.budget.limit} steps were used."


def together(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """One failure a code, in order of first mention, at most `MOST_FAILURES`."""
    merged: dict[str, Failure] = {}
    for one in failures:
        known = merged.get(one.code)
        if known is None:
            merged[one.code] = one
            continue
        merged[one.code] = known.model_copy(
            update={
                "criteria": tuple(dict.fromkeys((*known.criteria, *one.criteria))),
                "in_our_words": known.in_our_words and one.in_our_words,
                "reason": known.reason if one.reason == known.reason else f"{known.reason} {one.reason}",
            }
        )
    return tuple(merged.values())[:MOST_FAILURES]


# --- a model that diagnoses ------------------------------------------------------------------


class _Suspicion(BaseModel):
    model_config = ConfigDict(extra="forbid")
    criterion: str
    reason: str
    code: str


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")
    criterion: str
    source: str
    question: str


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")
    failures: list[_Suspicion]
    follow_ups: list[_Question]


class ModelDiagnostician:
    """Diagnoses with a chat model.

    Args:
        model: whom to ask.
        max_chars: most characters of trajectory in the prompt.
    """

    def __init__(self, model: StructuredModel, *, max_chars: int = 24_000) -> None:
        self._model = model
        self._max_chars = max_chars
        self.id = f"diagnosis/{model.name}"

    def diagnose(self, case: Case) -> Diagnosed:
        """Ask for codes and follow-ups; nothing is asked where there is no visible point.

        Raises:
            JudgingError: the model gave no usable reply.
        """
        if not case.points():
            return Diagnosed(Diagnosis())
        asked = self._model.ask(
            _instructions(case.taxonomy),
            self._material(case),
            _Reply,
            check=lambda reply: _wrong(reply, case),
        )
        return Diagnosed(_diagnosis(asked.value, case), asked.cost)

    async def adiagnose(self, case: Case) -> Diagnosed:
        """The same, without blocking the event loop."""
        if not case.points():
            return Diagnosed(Diagnosis())
        asked = await self._model.aask(
            _instructions(case.taxonomy),
            self._material(case),
            _Reply,
            check=lambda reply: _wrong(reply, case),
        )
        return Diagnosed(_diagnosis(asked.value, case), asked.cost)

    def _material(self, case: Case) -> str:
        points = case.points()
        script = transcript(
            case.action,
            case.state,
            about=[criterion.text for criterion, _ in points],
            max_chars=self._max_chars,
        )
        sections = [
            section._replace(text=shown) for section, shown in zip(script.sections, script.shown, strict=True)
        ]
        lines = (
            f"k{at} ({'unclear' if unclear(verdict) else verdict.status}): "
            f"{'must not be so: ' if criterion.polarity == 'forbid' else ''}{criterion.text} "
            f"[{' '.join(verdict.reason.split())}]"
            for at, (criterion, verdict) in enumerate(points, 1)
        )
        return fenced([*sections, Section("k", "criteria that are not met", "\n".join(lines), "criteria")])


def _instructions(taxonomy: FailureTaxonomy) -> str:
    codes = "\n".join(f"- {code.id} ({code.group}): {code.description}" for code in taxonomy.codes)
    return f"""\
You explain why an agent's answer does not meet its criteria. You get the trajectory, the answer, and the \
criteria that are not met or unclear, each with its label (k1, k2, …) and what a judge said about it.

{UNTRUSTED}

failures: for each suspicious behaviour that explains a criterion the label of that criterion, a reason of \
one sentence that names the step or source, and the ONE code that fits best, or `{NONE}`. At most \
{MOST_FAILURES}; none is a good reply.
follow_ups: only where a look at a source would settle it, a question that yes or no answers, the source to \
look at (an address or a title from the trajectory; empty if any will do) and the label of its criterion. \
As few as possible, at most {MOST}.

Codes:
{codes}"""


def _labels(case: Case) -> dict[str, str]:
    return {f"k{at}": criterion.id for at, (criterion, _) in enumerate(case.points(), 1)}


def _wrong(reply: _Reply, case: Case) -> str | None:
    codes = {NONE, *(code.id for code in case.taxonomy.codes)}
    labels = _labels(case)
    if len(reply.failures) > MOST_FAILURES:
        return f"there are {len(reply.failures)} failures, at most {MOST_FAILURES} are allowed"
    if len(reply.follow_ups) > MOST:
        return f"there are {len(reply.follow_ups)} follow_ups, at most {MOST} are allowed"
    for failure in reply.failures:
        if failure.code not in codes:
            return f"{failure.code!r} is no code"
    named = [*(one.criterion for one in reply.failures), *(one.criterion for one in reply.follow_ups)]
    for label in named:
        if label not in labels:
            return f"{label!r} is no label of a criterion, which are {', '.join(labels)}"
    return None


def _diagnosis(reply: _Reply, case: Case) -> Diagnosis:
    labels = _labels(case)
    return Diagnosis(
        failures=together(
            Failure(reason=_line(one.reason), code=one.code, criteria=(labels[one.criterion],))
            for one in reply.failures
            if one.code != NONE
        ),
        follow_ups=_questions(reply.follow_ups, labels),
    )


def _questions(asked: Sequence[_Question], labels: dict[str, str]) -> tuple[FollowUp, ...]:
    return tuple(
        FollowUp(question=_line(one.question), source=_line(one.source), criterion=labels[one.criterion])
        for one in asked
        if one.question.strip()
    )


def _line(text: str) -> str:
    return " ".join(text.split())
