"""Which action a run goes on with: the best, a random one, or by turns the student's and a teacher's.

Only following the best gives states that a run without mistakes would see. A student makes mistakes, so it
has to learn from the states that its own actions lead to. Source: DAgger for agents, mixed turn by turn
(arXiv 2605.12913): at each turn a coin of chance beta says who acts, and the teacher's action is stored for
every state visited, whoever acted. The schedule of beta is not in the paper's text; linear from 1 to 0 is
ours. What differs: the coin is a hash of question, step and seed, so a run repeats whatever runs beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from coreact.rubric import Action, Record
from coreact.train.branch.screening import Screened
from coreact.train.branch.visits import Driver

Rule = Literal["best", "random", "teacher"]
"""`best`: the candidate of highest worth; `random`: a candidate drawn, a call where there is one;
`teacher`: the teacher with chance beta, else a proposal of the samplers drawn as they made it."""


class Schedule(Record):
    """The teacher's share of decisions, from `start` to `end` in equal steps; constant where they are equal.

    It goes with the progress of one collection, or, where a student is trained between rounds, with the
    rounds: then give each round the constant `Schedule.constant(schedule.at(round / (rounds - 1)))`.
    """

    start: float = Field(default=1.0, ge=0, le=1)
    end: float = Field(default=0.0, ge=0, le=1)

    @classmethod
    def constant(cls, beta: float) -> Schedule:
        """The same share throughout, in [0, 1]."""
        return cls(start=beta, end=beta)

    def at(self, progress: float) -> float:
        """The share at a point of progress, in [0, 1]; beyond it, that of the nearer end."""
        return self.start + (self.end - self.start) * min(1.0, max(0.0, progress))


class RollIn(Record):
    """How a run goes on after each decision."""

    rule: Rule = "best"
    beta: Schedule = Schedule()
    """Counts with `teacher` alone."""


class Followed(NamedTuple):
    """The action a run goes on with."""

    driver: Driver
    action: Action


def coin(question_id: str, step: int, seed: int) -> float:
    """A draw in [0, 1) that is the same for the same question, step and seed."""
    return int.from_bytes(_hash(f"coin|{seed}|{question_id}|{step}")[:7]) / 2**56


def follow(
    rule: Rule,
    candidates: Sequence[Action],
    gains: Sequence[float] | None,
    *,
    usable: Sequence[Screened],
    teacher: Action | None,
    teacher_acts: bool,
    draw: str,
) -> Followed | None:
    """Choose the action to go on with; None where there is none.

    Args:
        rule: see `Rule`. `best` draws where nobody could tell what the candidates are worth.
        candidates: the actions kept.
        gains: what they are worth, or None. Of equally good ones a call is taken before an answer, since a
            run that ends shows nothing more.
        usable: the samplers' usable proposals, repeats included: how often a student proposes an action is
            how often it would take it.
        teacher: the teacher's action; where it failed the student acts.
        teacher_acts: what the coin says.
        draw: of all draws.
    """
    if rule == "teacher":
        if teacher is not None and (teacher_acts or not usable):
            return Followed("teacher", teacher)
        drawn = sorted(usable, key=lambda one: (str(one.action), one.source))
        return Followed("student", drawn[_at(draw, len(drawn))].action) if drawn else None
    if not candidates:
        return None
    if rule == "best" and gains is not None:
        best = max(range(len(candidates)), key=lambda at: (gains[at], not candidates[at].stops))
        return Followed("best", candidates[best])
    going_on = [action for action in candidates if not action.stops] or list(candidates)
    return Followed("random", going_on[_at(draw, len(going_on))])


def _at(draw: str, n: int) -> int:
    return int.from_bytes(_hash(f"follow|{draw}")[:8]) % n


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
