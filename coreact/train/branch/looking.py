"""One decision looked at: proposals sampled, screened, made different, and weighed; the teacher asked.

Samplers and the teacher are asked at the same time. What each proposal became is counted, so that the numbers
add up. Which action a run goes on with is not decided here (`roll_in`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, ModelCallError
from coreact.judge.panel.members import atogether
from coreact.rubric import Action
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.branch.diversity import diverse, normal_key
from coreact.train.branch.labelling import Label, Labeller
from coreact.train.branch.sampling import PATIENCE, Decision, Proposal, Sampler
from coreact.train.branch.screening import Screened, screen, screen_all
from coreact.train.branch.visits import Visit


class Teacher:
    """Who shows what is right. One that fails again and again is dead.

    Args:
        sampler: proposes the teacher's action; of several proposals the first counts. One that proposes
            nothing knows no way on, which is no failure.
        patience: failed calls in a row after which it is dead, at least 1.
    """

    def __init__(self, sampler: Sampler, *, patience: int = PATIENCE) -> None:
        self._sampler = sampler
        self._patience = patience
        self._failures = 0
        self.id = sampler.id

    async def ask(self, decision: Decision) -> tuple[Proposal | None, str]:
        """The teacher's proposal, or None and why there is none.

        Raises:
            ModelCallError: the teacher is dead.
        """
        try:
            proposals = await self._sampler.propose(decision)
        except (GraphBubbleUp, ModelCallError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: one failed call costs one label
            return None, self._failed(f"{type(error).__name__}: {error}")
        if not proposals:
            return None, "it proposes nothing"
        if proposals[0].failed:
            return proposals[0], self._failed(proposals[0].failed)
        self._failures = 0
        return proposals[0], ""

    def _failed(self, why: str) -> str:
        self._failures += 1
        if self._failures >= self._patience:
            raise ModelCallError(
                f"The teacher {self.id!r} failed {self._failures} times in a row, last with {why}",
                remedy="What was collected is stored; mend the teacher, and the same command goes on.",
            )
        return why


class Looked(NamedTuple):
    """What was found at a decision."""

    usable: tuple[Screened, ...]
    """The samplers' usable proposals, repeats included."""
    candidates: tuple[Action, ...]
    """Kept candidates; one alone is no point."""
    label: Label
    teacher: Action | None
    visit: Visit
    """All that is known of the visit before anything is followed."""


class Looker:
    """Looks at decisions, many at a time.

    Args:
        samplers: who proposes, at least one; ids differ.
        labeller: tells what candidates are worth; None: nobody does.
        teacher: whose action is stored for every decision, and is a candidate as well; or None.
        k: candidates to keep, at least 2.

    Raises:
        ConfigError: there is no sampler, two have the same id, or k is below 2.
    """

    def __init__(
        self,
        samplers: Sequence[Sampler],
        *,
        labeller: Labeller | None = None,
        teacher: Teacher | None = None,
        k: int = 4,
    ) -> None:
        ids = [sampler.id for sampler in samplers]
        if not ids or len(set(ids)) < len(ids) or k < 2:
            raise ConfigError(
                f"{len(ids)} samplers and {k} candidates make no branching point.",
                remedy="Give one or more samplers with different ids, and keep 2 or more candidates.",
            )
        self._samplers = tuple(samplers)
        self._labeller = labeller
        self._teacher = teacher
        self._k = k

    @property
    def ids(self) -> dict[str, object]:
        """Who proposes, weighs and teaches: part of a collection's settings."""
        return {
            "samplers": [sampler.id for sampler in self._samplers],
            "labeller": None if self._labeller is None else self._labeller.id,
            "teacher": None if self._teacher is None else self._teacher.id,
            "k": self._k,
        }

    async def look(
        self, decision: Decision, *, step: int, world: str, also: Sequence[Proposal] = ()
    ) -> Looked:
        """Look at one decision.

        Args:
            decision: the decision.
            step: decisions before it, in its run.
            world: where gains are measured, as it stands in the point.
            also: proposals that are there already.

        Raises:
            ModelCallError, JudgingError: a model, the teacher or the panel is dead.
        """
        taught_, answers = await asyncio.gather(
            self._taught(decision),
            atogether([partial(sampler.propose, decision) for sampler in self._samplers]),
            return_exceptions=True,  # nobody is left behind where one raises
        )
        if isinstance(taught_, BaseException):
            raise taught_
        if isinstance(answers, BaseException):
            raise answers
        taught, teacher_failed = taught_
        proposals = [*also, *(proposal for answer in answers for proposal in answer)]
        usable, dropped = screen_all(proposals, decision.state)
        teacher = None
        if taught is not None:
            proposals.append(taught)
            found = screen(taught, decision.state)
            if isinstance(found, str):
                dropped[found] = dropped.get(found, 0) + 1
                teacher_failed = teacher_failed or found
            else:
                teacher = found
        kept = diverse([*usable, *([teacher] if teacher else [])], k=self._k, seed=decision.id)
        actions = tuple(one.action for one in kept.candidates)
        label, point = Label("none", None, reason="fewer than two candidates"), None
        if len(actions) > 1:
            label = Label("none", None, reason="nobody was asked")
            if self._labeller is not None:
                label = await self._labeller.label(decision, actions)
            gains = label.gains or (0.0,) * len(actions)
            often = Counter(normal_key(one.action) for one in usable)
            point = BranchingPoint(
                id=decision.id,
                question_id=decision.question_id,
                world=world,
                state=decision.state,
                candidates=tuple(
                    Candidate(
                        action=one.action,
                        gain=gain,
                        source=one.source,
                        proposed=often[normal_key(one.action)],
                    )
                    for one, gain in zip(kept.candidates, gains, strict=True)
                ),
                rankings=label.rankings if label.worth == "panel" else (),
            )
        visit = Visit(
            question_id=decision.question_id,
            step=step,
            point=point,
            alone=decision.state if point is None else None,
            worth=label.worth,
            unlabelled=label.reason,
            teacher=None if teacher is None else teacher.action,
            teacher_failed=teacher_failed,
            proposed=len(proposals),
            dropped=dict(sorted({**dropped, **kept.dropped}.items())),
        )
        return Looked(tuple(usable), actions, label, None if teacher is None else teacher.action, visit)

    async def _taught(self, decision: Decision) -> tuple[Proposal | None, str]:
        return (None, "") if self._teacher is None else await self._teacher.ask(decision)
