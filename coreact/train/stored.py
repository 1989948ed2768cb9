"""Branching points out of a trace store: the attempts that stored runs made, in the order of their verdicts.

A run that was guided made several attempts at some of its steps, and each was judged. That is a small
branching point for nothing. It is a biased one: attempts of one model, one of them often made because another
failed, and judged by the rubric of the run, so what is learned from it is at best that rubric's taste. Points
that are collected on purpose (`coreact train collect`) are better; these are there already.

An action that was tried several times at a step is one candidate, proposed as often as it was tried, whether
each try was judged or not. An attempt that an instrument failed on has no worth and is no candidate, nor is a
point whose order unknown verdicts leave open. What became no point is counted by reason. Which runs may be
learned from, and where points go, is decided elsewhere (`coreact.train.branch.attempts`, `coreact train
attempts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from coreact.errors import ExportError, MessagesError, StoreError
from coreact.judge.panel import average_ranks
from coreact.rubric import Action
from coreact.rubric.branching import BranchingPoint, Candidate, JudgeRanking
from coreact.rubric.canonical import digest
from coreact.trace.export.decisions import Candidate as Tried
from coreact.trace.export.decisions import Decision, Run
from coreact.trace.export.labels import RUN, evaluators_of, surely_above
from coreact.trace.export.settings import ExportSettings
from coreact.trace.export.splitting import dealt_by
from coreact.trace.records import StepRecord, Trajectory
from coreact.trace.states import state_at
from coreact.trace.store import EVERY_RUN, RunFilter, TraceStore

WORLD = "stored runs"
"""World of these points."""

CHECKS = "checks"
"""Who is named as their judge where code decided all verdicts."""

NOTHING_JUDGED = "nothing judged"
"""Why a step is no point: none of its attempts has a label."""


class Weighed(NamedTuple):
    """One step of a stored run, its attempts weighed."""

    step: StepRecord
    point: BranchingPoint | None
    """None where its attempts make none."""
    dropped: Counter[str]
    """Attempts that are no candidate, by reason; see `stored_points`."""
    why: str
    """Why there is no point: `one action` (others are the same, or have no label), `all tied`, `open order`,
    `several actions`, `nothing judged`, `state not to be had`; empty where there is one."""


_WHY = {  # the first that holds
    "alone_in_its_step": "one action",
    "all_tied": "all tied",
    "open_order": "open order",
    "several_actions": "several actions",
}


def bare(action: Action) -> Action:
    """An action without the id of its call, which providers draw and which is nothing of the action."""
    return action if action.call is None else Action(call=action.call.model_copy(update={"id": ""}))


def weighed(
    trajectory: Trajectory, *, evaluator: str = RUN, question: str | None = None
) -> Iterator[Weighed]:
    """The steps of a stored run in order, each with its branching point where its attempts make one.

    Args:
        trajectory: the run.
        evaluator: whose judgements count, see `stored_points`.
        question: id of its question in the points; None: what its conversation began with.

    Raises:
        MessagesError: the run holds a message that is none.
    """
    settings = ExportSettings(format="ranking", evaluator=evaluator)
    asked = dealt_by(trajectory) if question is None else question
    for decision in Run(trajectory, settings, "object", "train").decisions:
        dropped: Counter[str] = Counter()
        ranked = _ranked(decision.candidates, dropped)
        point = _point(trajectory, decision, ranked, asked) if ranked else None
        why = ""
        if point is None:
            reasons = [told for reason, told in _WHY.items() if dropped[reason]]
            why = "state not to be had" if ranked else (*reasons, NOTHING_JUDGED)[0]
        yield Weighed(decision.step, point, dropped, why)


def stored_points(
    store: TraceStore,
    *,
    where: RunFilter = EVERY_RUN,
    evaluator: str = RUN,
    left: Counter[str] | None = None,
) -> Iterator[BranchingPoint]:
    """The points of stored runs, in order. Their gains are minus the ranks by score.

    Args:
        store: where the runs are.
        where: which runs.
        evaluator: whose judgements count: `run`, `human`, or the name or version of a later evaluator.
        left: counts what became no point. Attempts: `not_judged`, `instrument`, `undecided`,
            `too_little_judged`, `another_rubric`, `several_actions`, `same_action`, `alone_in_its_step`,
            `all_tied`, `open_order`. Steps: `no_state`. Runs: `unreadable_message`.

    Raises:
        ExportError: nothing in these runs was judged, so that no point can come of them; raised at the end.
        StoreError: the store cannot be read.
    """
    counted = Counter() if left is None else left
    runs = judged = 0
    for trajectory in store.trajectories(where):
        runs += 1
        try:
            found = list(weighed(trajectory, evaluator=evaluator))
        except (MessagesError, RecursionError):
            counted["unreadable_message"] += 1
            continue
        for one in found:
            judged += one.why != NOTHING_JUDGED
            counted.update(one.dropped)
            if one.point is not None:
                yield one.point
            elif one.why == "state not to be had":
                counted["no_state"] += 1
    if not judged:
        raise ExportError(
            f"No step of {runs} stored runs was judged by {evaluator!r}.",
            remedy="Run agents with a rubric generator, or judge the runs with `coreact trace rejudge`.",
        )


def _ranked(candidates: Sequence[Tried], left: Counter[str]) -> list[Tried]:
    """The attempts that can be ranked, if there are two of different worth."""
    found: dict[str, Tried] = {}
    lock: str | None = None
    for one in candidates:
        rubric = one.label.rubric
        if one.label.masked is not None or rubric is None:
            left[one.label.masked or "not_judged"] += 1
        elif not _is_single(one):
            left["several_actions"] += 1
        elif lock not in (None, rubric.lock):
            left["another_rubric"] += 1
        elif (key := _key(one.attempt.actions[0])) in found:
            left["same_action"] += 1
        else:
            lock = rubric.lock
            found[key] = one
    ranked = list(found.values())
    reason = ""
    if len(ranked) == 1:
        reason = "alone_in_its_step"
    elif len({one.label.score for one in ranked}) == 1:
        reason = "all_tied"
    elif any(_is_open(one, other) for one, other in combinations(ranked, 2)):
        reason = "open_order"
    if reason:
        left[reason] += len(ranked)
        return []
    return ranked


def _is_open(one: Tried, other: Tried) -> bool:
    """Whether unknown verdicts leave open which one is better."""
    labels = (one.label, other.label)
    known = all(label.bounds[0] == label.bounds[1] for label in labels)
    return not known and not surely_above(*labels) and not surely_above(*reversed(labels))


def _point(
    trajectory: Trajectory, decision: Decision, ranked: Sequence[Tried], question: str
) -> BranchingPoint | None:
    try:
        state = state_at(trajectory, decision.step.index)
    except StoreError:
        return None
    often = Counter(_key(one.attempt.actions[0]) for one in decision.candidates if _is_single(one))
    ranks = average_ranks([one.label.score or 0.0 for one in ranked])
    judges = " + ".join(sorted(evaluators_of(one.label for one in ranked))) or CHECKS
    return BranchingPoint(
        id=f"{trajectory.run.id}.{decision.step.index}",
        question_id=question,
        world=WORLD,
        state=state,
        candidates=tuple(
            Candidate(
                action=bare(one.attempt.actions[0]),
                gain=-rank,
                source=one.attempt.source,
                proposed=often[_key(one.attempt.actions[0])],
            )
            for one, rank in zip(ranked, ranks, strict=True)
        ),
        rankings=(JudgeRanking(judge=judges, ranks=ranks),),
    )


def _is_single(one: Tried) -> bool:
    return len(one.attempt.actions) == 1


def _key(action: Action) -> str:
    return digest(action.model_dump(exclude={"call": {"id"}}))
