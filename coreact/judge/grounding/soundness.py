"""Soundness of a path: whether each step follows, not only whether the end is right.

A jump is a step that takes something as known which stands nowhere before it: neither in the question
nor in anything observed. A jump that hits a right value is a miracle step (after the Rubric Reward
Model's work on them): an outcome alone would reward it. Steps add up as in SCPRM, as logarithms, so that
nothing later pays back for a bad step. What differs: a step nobody could judge adds nothing and is
counted; code looks first (see `jumps`), and a judge, where there is one, is asked about each open step
with the trajectory up to there and no further, so that it cannot know what was found out only later.
Code alone accuses rarely and acquits too easily: on FireAct's recorded runs of one agent it finds that
27 % of the right answers came from nowhere, nearly all without a search, and calls 73 % of the wrong ones
sound, since all they name was observed.
Not here: distance to the goal, which needs a search over actions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Self

from pydantic import Field

from coreact.judge.grounding.inquiry import Inquiring, Inquiry, aask, anchored, ask
from coreact.judge.grounding.jumps import Traced, observed_later, trace
from coreact.judge.grounding.sources import message_id
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge
from coreact.rubric import Action, Criterion, Record, State

CREDIT: dict[Status, float] = {"met": 1.0, "partial": 0.5, "unmet": 0.1}
"""What a step multiplies the score with; other statuses leave it as it is. Ours: the paper sums a
model's log-probabilities."""

_STEP = (
    "Everything that this step takes as known stands in the question or in an earlier observation, or follows"
    " from them."
)
_ANSWER = (
    "The answer follows from the question and the observations, and nothing on the way to it is missing."
)


class StepSupport(Record):
    """Whether one step follows from what came before it."""

    index: int = Field(ge=0)
    """The step; the answer comes after the last one."""
    verdict: Verdict
    values: tuple[str, ...] = ()
    """What it takes as known and what stands nowhere before, where code found that."""
    origin: int = Field(ge=0)
    """Where such a value came in: an earlier step if it was computed there from a jump, else this one."""
    right: bool | None = None
    """Of a jump: whether it hit a right value. Where the values are known: whether one of them was observed
    later; else, and for the answer: whether the answer is right. None for other steps."""


class Soundness(Record):
    """How sound a path is."""

    steps: tuple[StepSupport, ...]
    """The steps in order, and the answer last where there is one."""
    correct: bool | None = None
    """Whether the answer is right, as somebody else says."""
    cost: Cost = Cost()

    @classmethod
    def of(cls, verdicts: Sequence[Verdict], *, correct: bool | None = None) -> Self:
        """The soundness of a path whose steps were judged elsewhere, by people for instance.

        Args:
            verdicts: one for each step, in order, and one for the answer.
            correct: whether the answer is right.
        """
        steps = tuple(
            StepSupport(
                index=n,
                verdict=verdict,
                origin=n,
                right=correct if verdict.status == "unmet" else None,
            )
            for n, verdict in enumerate(verdicts)
        )
        return cls(steps=steps, correct=correct)

    @property
    def jumps(self) -> tuple[int, ...]:
        """Indices of the steps that do not follow."""
        return tuple(step.index for step in self.steps if step.verdict.status == "unmet")

    @property
    def first_jump(self) -> int | None:
        """Index of the first step that does not follow."""
        return min(self.jumps, default=None)

    @property
    def miracles(self) -> tuple[int, ...]:
        """Indices of the steps where right values came in without support."""
        found = {step.origin for step in self.steps if step.verdict.status == "unmet" and step.right}
        return tuple(sorted(found))

    @property
    def miracle(self) -> bool | None:
        """Whether there is a miracle step; None where nobody can tell."""
        if self.miracles:
            return True
        open_steps = any(
            step.verdict.status == "unknown" or (step.verdict.status == "unmet" and step.right is None)
            for step in self.steps
        )
        return None if open_steps else False

    @property
    def log_scores(self) -> tuple[float, ...]:
        """Cumulative log score after each step: natural logarithm, 0 at best, never rising."""
        return tuple(accumulate(math.log(CREDIT.get(step.verdict.status, 1.0)) for step in self.steps))

    @property
    def score(self) -> float | None:
        """Product of the steps' credits, in [0, 1], higher is better; None where nothing was judged."""
        return math.exp(self.log_scores[-1]) if self.judged else None

    @property
    def judged(self) -> int:
        """Steps that somebody judged."""
        return sum(step.verdict.status in CREDIT for step in self.steps)

    @property
    def total(self) -> int:
        """Steps that take something as known: judged and unknown ones."""
        return self.judged + sum(step.verdict.status == "unknown" for step in self.steps)

    @property
    def sound(self) -> bool | None:
        """Whether every step follows; None where an unknown one decides."""
        statuses = {step.verdict.status for step in self.steps}
        if statuses & {"unmet", "partial"}:
            return False
        return True if statuses and "unknown" not in statuses else None


def soundness(
    state: State,
    answer: str | None,
    judge: Judge | None = None,
    *,
    thoughts: Sequence[str] = (),
    correct: bool | None = None,
) -> Soundness:
    """Judge how sound the path to an answer is.

    Args:
        state: question and trajectory.
        answer: the final answer; None: the run has not ended.
        judge: decides the steps that code leaves open, and the answer. None: they stay `unknown`, and an
            answer is believed where code finds all its numbers and names observed.
        thoughts: what the agent wrote before each step and before the answer, where that is known.
        correct: whether the answer is right, which makes a jump a miracle.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    return ask(_soundness(state, answer, thoughts, correct, asks=judge is not None), judge)


async def asoundness(
    state: State,
    answer: str | None,
    judge: Judge | None = None,
    *,
    thoughts: Sequence[str] = (),
    correct: bool | None = None,
) -> Soundness:
    """The same without blocking the event loop; the judge's calls run together."""
    return await aask(_soundness(state, answer, thoughts, correct, asks=judge is not None), judge)


def _soundness(
    state: State, answer: str | None, thoughts: Sequence[str], correct: bool | None, *, asks: bool
) -> Inquiring[Soundness]:
    found = trace(state, answer, thoughts=thoughts)
    judged: dict[int, Verdict] = {}
    cost = Cost()
    if asks:
        inquiries = _inquiries(state, answer, found)
        rulings = yield tuple(inquiries.values())
        for index, ruling in zip(inquiries, rulings, strict=True):
            judged[index] = anchored(ruling.verdicts[0], _texts(state, index))
            cost += ruling.cost
        # What a step computed from something that a judge calls unknown is not known either.
        faulty = [index for index, verdict in judged.items() if verdict.status == "unmet"]
        found = trace(state, answer, thoughts=thoughts, faulty=faulty) if faulty else found
    later = observed_later(state, found)
    steps = []
    for index, traced in enumerate(found):
        verdict = judged.get(index)
        if verdict is None or traced.status == "unmet":
            verdict = Verdict(criterion=_id(index), reason=traced.reason, status=traced.status)
        known = traced.strange and index < len(state.steps)
        right = later[index] if known else correct
        steps.append(
            StepSupport(
                index=index,
                verdict=verdict,
                values=tuple(dict.fromkeys(value.text for value in traced.strange)),
                origin=index if traced.origin is None else traced.origin,
                right=right if verdict.status == "unmet" else None,
            )
        )
    return Soundness(steps=tuple(steps), correct=correct, cost=cost)


def _inquiries(state: State, answer: str | None, found: Sequence[Traced]) -> dict[int, Inquiry]:
    asked: dict[int, Inquiry] = {}
    before = State.start(state.question, tools=state.tools, given=state.given, limit=state.budget.limit)
    for index, step in enumerate(state.steps):
        if found[index].status == "unknown":
            criterion = Criterion(id=_id(index), text=_STEP, kind="process")
            asked[index] = Inquiry((criterion,), Action(call=step.call), before)
        before = before.after(step)
    last = len(state.steps)
    if answer is not None and found[last].status != "unmet":
        criterion = Criterion(id=_id(last), text=_ANSWER, kind="process")
        asked[last] = Inquiry((criterion,), Action(answer=answer), state)
    return asked


def _texts(state: State, index: int) -> dict[str, str]:
    """What a step can rest on: the question and what was observed before it, not what it says itself."""
    texts = {"question": state.question}
    texts |= {f"given-{n}": text for n, text in enumerate(state.given, 1)}
    for n, step in enumerate(state.steps[:index]):
        if step.observation is not None:
            texts[message_id(step, n)] = step.observation.text
    return texts


def _id(index: int) -> str:
    return f"step-{index}"
