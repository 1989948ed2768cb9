"""One rubric for a whole group: what the teacher's answers do and the student's do not, as criteria.

ROPD (arXiv 2605.07396). A model contrasts the teacher's answers with the student's rollouts and writes 4 to
12 binary criteria with points from 1 to 5; a verifier then says of every answer, in an order and under names
that tell nothing, which criteria it meets; an answer's reward is its share of the points. No probability of
the teacher is needed, only its texts.

What differs from the paper: criteria come in through `admission` like any that a model wrote, and one that
names an answer, a place or a length is dropped (`nuisance`); the answers are named and ordered by hash anew
for the verifier, which is never told that there is a teacher; equal answers are judged once; and a group
whose writer or verifier failed is masked with the cause, where the paper gives all of it 0. How much better
the teacher's answers do is reported: where they do no better, the rubric has nothing to teach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, Field

from coreact.errors import Cause
from coreact.generate.admission import Proposed, admitted
from coreact.generate.contrastive.contrast import Side
from coreact.generate.contrastive.nuisance import nuisance
from coreact.judge.asking import Asking, aserve, record_of, serve
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, excerpt, fenced
from coreact.rubric import Action, Rubric, State
from coreact.rubric.canonical import digest

LEAST, MOST = 4, 12
"""Criteria of a shared rubric."""

MOST_ANSWERS = 64
"""Different answers of one group: all of them stand in one prompt."""

_TASK_CHARS = 12_000
_ANSWER_CHARS = 4_000

WRITE = f"""\
You compare answers to one task: those of a teacher with those of a student, and write down what makes an \
answer to this task good, as {LEAST} to {MOST} criteria on which answers can be told apart.

For each criterion give two things, in this order:
- text: one short sentence about one thing that an answer does. Whoever judges by it sees one answer and \
the task, and nothing else. So it can be decided with yes or no from that answer alone, it says what to do \
and not that an answer should be like another, and it names no answer, no teacher, no place, no length.
- points: 5 what decides, 4 what matters much, 3 rarely, 2 what supports, 1 what is routine. Together the \
criteria with 4 and 5 points have more than half of all points.

Above all write what the teacher's answers do and the student's do not, as long as the task calls for it. \
The teacher may be wrong as well: praise nothing because the teacher does it."""

VERIFY = """\
You are given a task, criteria, and answers to the task. For each criterion list the answers that meet it, \
by their names. Judge each answer by itself; what others do says nothing about it. An answer that only \
hints at a thing does not do it. In doubt an answer does not meet the criterion."""


class _Criterion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    points: int = Field(ge=1, le=5)


class _Criteria(BaseModel):
    """The criteria, most important first."""

    model_config = ConfigDict(extra="forbid")

    criteria: list[_Criterion]


class _Met(BaseModel):
    model_config = ConfigDict(extra="forbid")

    criterion: str
    met_by: list[str]


class _Verdicts(BaseModel):
    """Which answers meet each criterion."""

    model_config = ConfigDict(extra="forbid")

    verdicts: list[_Met]


class Scored(NamedTuple):
    """What a group's rollouts are worth under their shared rubric."""

    rewards: tuple[float | None, ...]
    """Of the rollouts, in [0, 1], higher is better; all None where the group is masked."""
    teacher: tuple[float | None, ...]
    """The same of the teacher's answers."""
    rubric: Rubric | None
    masked: Cause | None
    """Why the group is masked."""
    cost: Cost

    @property
    def contrast(self) -> float | None:
        """Mean of the teacher's minus mean of the rollouts', in [-1, 1]; at 0 or below nothing is taught."""
        students = [one for one in self.rewards if one is not None]
        teachers = [one for one in self.teacher if one is not None]
        if not students or not teachers:
            return None
        return sum(teachers) / len(teachers) - sum(students) / len(students)


class SharedRubrics:
    """Writes a group's shared rubric and scores all of the group by it.

    Safe to share between threads and event loops.

    Args:
        writer: the model that contrasts the answers.
        verifier: the model that says which answers meet a criterion; better of another family.
        seed: changes names and order of the answers.
    """

    def __init__(self, writer: BaseChatModel, verifier: BaseChatModel, *, seed: int = 0) -> None:
        self._writer = StructuredModel(writer)
        self._verifier = StructuredModel(verifier)
        self._seed = seed

    def score(self, task: str, *, teacher: Sequence[str], rollouts: Sequence[str]) -> Scored:
        """Score the rollouts of one prompt, blocking. A model that fails masks the group, and never raises.

        Args:
            task: what was asked: the prompt as text.
            teacher: the teacher's answers, at least one.
            rollouts: the student's.
        """
        return serve(self._scoring(task, tuple(teacher), tuple(rollouts)))

    async def ascore(self, task: str, *, teacher: Sequence[str], rollouts: Sequence[str]) -> Scored:
        """The same, without blocking the event loop."""
        return await aserve(self._scoring(task, tuple(teacher), tuple(rollouts)))

    def _scoring(self, task: str, teacher: tuple[str, ...], rollouts: tuple[str, ...]) -> Asking[Scored]:
        everybody = (*teacher, *rollouts)
        masked = (None,) * len(rollouts), (None,) * len(teacher)
        if not teacher or not rollouts or len(set(everybody)) > MOST_ANSWERS:
            raise ValueError(f"{len(teacher)} answers and {len(rollouts)} rollouts cannot be contrasted")
        reading = _Reading(task, _named(everybody, f"{self._seed}|write|{task}"))
        try:
            asked: Asked[Any] = yield record_of(
                self._writer,
                f"{WRITE}\n\n{UNTRUSTED}",
                reading.material(frozenset(teacher)),
                _Criteria,
                check=reading.problem,
            )
        except ReplyError as error:
            return Scored(*masked, None, error.cause, error.cost)
        rubric, spent = reading.rubric, asked.cost
        names = _named(everybody, f"{self._seed}|verify|{rubric.lock}")
        try:
            judged: Asked[Any] = yield record_of(
                self._verifier,
                f"{VERIFY}\n\n{UNTRUSTED}",
                _to_verify(task, rubric, names),
                _Verdicts,
                check=lambda reply: _unfit(reply, rubric, names),
            )
        except ReplyError as error:
            return Scored(*masked, rubric, error.cause, spent + error.cost)
        worth = _worth(judged.value, rubric, names)
        return Scored(
            tuple(worth[text] for text in rollouts),
            tuple(worth[text] for text in teacher),
            rubric,
            None,
            spent + judged.cost,
        )


def _named(texts: Sequence[str], key: str) -> dict[str, str]:
    """Neutral names of the different texts, in an order by hash: neither says whose a text is."""
    ordered = sorted(set(texts), key=lambda text: digest([key, text]))
    return {text: f"r{at}" for at, text in enumerate(ordered, 1)}


class _Reading:
    """A shared rubric being read: the last reply that could be used."""

    rubric: Rubric

    def __init__(self, task: str, names: dict[str, str]) -> None:
        self._task = task
        self._names = names
        self._sides = tuple(Side(name, Action(answer=text)) for text, name in names.items())
        self._state = State.start(task)

    def material(self, teacher: frozenset[str]) -> str:
        """The task and all answers; whose they are stands outside of the fences."""
        of_teacher = [name for text, name in self._names.items() if text in teacher]
        of_student = [name for text, name in self._names.items() if text not in teacher]
        said = f"The teacher's answers are {', '.join(of_teacher)}"
        said += f", the student's {', '.join(of_student)}." if of_student else "; the student's are the same."
        return f"{fenced(_sections(self._task, self._names))}\n\n{said} Write the criteria now."

    def problem(self, reply: _Criteria) -> str | None:
        """Take in a reply; says what is wrong with it, or None."""
        drafts = [
            Proposed(one.text, float(one.points))
            for one in reply.criteria
            if nuisance(one.text, compared=self._sides, state=self._state) is None
        ]
        found = admitted(drafts, source="shared.1", state=None, most=MOST)
        if len(found.criteria) < LEAST:
            dropped = len(reply.criteria) - len(found.criteria)
            return f"{LEAST} to {MOST} criteria are needed; {dropped} of {len(reply.criteria)} cannot be used"
        points = [one.weight for one in found.criteria]
        if sum(one for one in points if one >= 4) <= sum(points) / 2:
            return "the criteria with 4 and 5 points have no more than half of all points"
        self.rubric = Rubric(criteria=found.criteria, scope="answer")
        return None


def _sections(task: str, names: dict[str, str]) -> list[Section]:
    shown = [Section("q", "the task", excerpt(task, _TASK_CHARS, frozenset()), "task")]
    for text, name in names.items():
        shown.append(Section(name, f"answer {name}", excerpt(text, _ANSWER_CHARS, frozenset()), name))
    return shown


def _to_verify(task: str, rubric: Rubric, names: dict[str, str]) -> str:
    criteria = "\n".join(f"{one.id}: {one.text}" for one in rubric)
    sections = [*_sections(task, names), Section("c", "the criteria", criteria, "criteria")]
    return f"{fenced(sections)}\n\nSay for each of {', '.join(one.id for one in rubric)} who meets it."


def _unfit(reply: _Verdicts, rubric: Rubric, names: dict[str, str]) -> str | None:
    if sorted(one.criterion for one in reply.verdicts) != sorted(one.id for one in rubric):
        return "each criterion is needed exactly once"
    if not {name for one in reply.verdicts for name in one.met_by} <= set(names.values()):
        return "it names an answer that there is not"
    return None


def _worth(reply: _Verdicts, rubric: Rubric, names: dict[str, str]) -> dict[str, float]:
    """The share of the points that each text earns: the weighted mean of its 0 and 1."""
    met = {one.criterion: frozenset(one.met_by) for one in reply.verdicts}
    return {
        text: sum(rubric.share(one) for one in rubric if name in met[one.id]) for text, name in names.items()
    }
