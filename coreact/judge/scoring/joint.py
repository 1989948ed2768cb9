"""Two rubrics on one action: somebody's, and the one that the policy set itself.

A policy may be lenient with itself, so its own rubric can only cost: whoever keeps it gets what the golden
rubric gives, whoever breaks it gets less and does not pass. What of it could not be judged costs nothing.
Think-with-Rubrics scores both; that the own one cannot earn is ours.
"""

from __future__ import annotations

from coreact.judge.records import Judgement, Verdict
from coreact.rubric import Rubric

SHARE = 0.5
"""What a wholly broken own rubric costs, in [0, 1]."""


def joint_score(golden: float | None, kept: float | None, *, share: float = SHARE) -> float | None:
    """The golden score less what of the own rubric is not kept, in [0, 1], higher is better.

    Args:
        golden: score by the golden rubric; None: nothing could be judged by it, and nothing is known.
        kept: score by the own rubric; None: nothing could be judged by it, and it costs nothing.
        share: what a wholly broken own rubric costs, in [0, 1].
    """
    if golden is None or kept is None:
        return golden
    return max(0.0, golden - share * (1 - kept))


def joint(golden: Judgement, own: Judgement) -> Judgement:
    """One judgement of both, to act on and to show; the own verdicts come last, under `joint_ids`.

    It fails where either fails. It passes where the golden one passes and the own one does not fail.
    """
    names = joint_ids(
        tuple(one.criterion for one in golden.verdicts), tuple(one.criterion for one in own.verdicts)
    )
    mine: tuple[Verdict, ...] = tuple(
        one.model_copy(update={"criterion": names[one.criterion]}) for one in own.verdicts
    )
    return golden.model_copy(
        update={
            "verdicts": (*golden.verdicts, *mine),
            "score": joint_score(golden.score, own.score),
            "passed": False if own.passed is False else golden.passed,
            "judged": golden.judged + own.judged,
            "total": golden.total + own.total,
            "cost": golden.cost + own.cost,
        }
    )


def joint_rubric(golden: Rubric, own: Rubric) -> Rubric:
    """The criteria of both, to show and to word feedback by; not to score by: see `joint_score`."""
    names = joint_ids(tuple(one.id for one in golden), tuple(one.id for one in own))
    mine = tuple(
        one.model_copy(
            update={"id": names[one.id], "depends_on": tuple(names[name] for name in one.depends_on)}
        )
        for one in own
    )
    return Rubric(criteria=(*golden, *mine), scope=golden.scope, threshold=golden.threshold)


def joint_ids(golden: tuple[str, ...], own: tuple[str, ...]) -> dict[str, str]:
    """The name of each own criterion beside the golden ones: `own-` in front, as often as it takes."""
    taken = set(golden)
    names: dict[str, str] = {}
    for one in own:
        name = f"own-{one}"
        while name in taken:
            name = f"own-{name}"
        taken.add(name)
        names[one] = name
    return names
