"""From verdicts on a task's criteria to figures, and from tasks to tables by tag.

The rules of scoring are those of `coreact.judge.scoring`: polarity is stored on the criterion, and `met` is
good for either polarity. Here the same verdicts are read under several conventions, by type of criterion, and
all or nothing. A criterion that nobody could judge is left out and counted.

Known traps: dividing by all points instead of the positive ones gives another scale (HealthBench against the
reward-hacking study); where a deduction and a point on offer are about the same thing, SedarEval's sum counts
it twice; HealthBench clips only the mean over a benchmark, never a single answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from coreact.bench.metrics.share import Share, share
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import Preference, Score, healthbench, points, weighted_mean
from coreact.judge.scoring.score import ScoringRule
from coreact.judge.scoring.settling import CREDIT, settle
from coreact.rubric import Rubric

CONVENTIONS: Mapping[str, ScoringRule] = MappingProxyType(
    {
        "rar": weighted_mean,
        "healthbench": healthbench,
        "reward_hacking": weighted_mean,
        "sedareval": points,
    }
)
"""The four published conventions for negative criteria. RaR (arXiv 2507.17746) phrases a pitfall positively,
so that avoiding it earns its weight; HealthBench (2505.08775) and ResearchRubrics (2511.07685) subtract and
divide by the positive points; the reward-hacking study (2605.12474) credits |w| for absence, divided by
the sum of |w|: on stored polarity that is RaR's arithmetic; SedarEval (2501.15595) takes points off a sum."""


def under_conventions(rubric: Rubric, verdicts: Sequence[Verdict]) -> dict[str, Score]:
    """The same verdicts under each convention: not comparable with each other, each with its scale.

    Raises:
        ValueError: a criterion has no verdict, or a verdict no criterion.
    """
    return {name: rule(rubric, verdicts) for name, rule in CONVENTIONS.items()}


def coverage(
    rubric: Rubric, verdicts: Sequence[Verdict], types: Mapping[str, str] | None = None
) -> dict[str, Share]:
    """Mean credit by type of criterion, unweighted: met 1, partly met 0.5, unmet 0.

    ResearchQA's coverage (arXiv 2509.00496), whose judge has five degrees where verdicts have three.

    Args:
        rubric: what was judged.
        verdicts: one for each criterion.
        types: type by criterion id; criteria without one are of type `""`. None: one type for all.
    """
    return _by_type(rubric, verdicts, types, CREDIT)


def fully_met(
    rubric: Rubric, verdicts: Sequence[Verdict], types: Mapping[str, str] | None = None
) -> dict[str, Share]:
    """Share of criteria met in full, by type: the pass rate of DeepResearch Bench II's binary rubrics."""
    return _by_type(rubric, verdicts, types, {"met": 1.0, "partial": 0.0, "unmet": 0.0})


def strict(rubric: Rubric, verdicts: Sequence[Verdict]) -> float | None:
    """1 where all that applies is met, 0 where something is not.

    None where nothing applies, or where all that could be judged is met and something could not be.
    """
    applying = [verdict.status for _, verdict in settle(rubric, verdicts) if verdict.status in _APPLYING]
    if any(status in ("unmet", "partial") for status in applying):
        return 0.0
    return 1.0 if applying and "unknown" not in applying else None


def judged(rubric: Rubric, verdicts: Sequence[Verdict]) -> Share:
    """How much of a rubric somebody could judge: a share of the criteria that apply."""
    applying = [verdict.status for _, verdict in settle(rubric, verdicts) if verdict.status in _APPLYING]
    return share(float(status != "unknown") for status in applying)


def covers_more(left: Share, right: Share) -> Preference | None:
    """Which of two answers covers more of a rubric: 1 the left, -1 the right, 0 neither.

    None where one of them could not be told, or they rest on different numbers of criteria.
    """
    if left.value is None or right.value is None or left.judged != right.judged:
        return None
    return 1 if left.value > right.value else -1 if left.value < right.value else 0


def by_tag(
    scored: Iterable[tuple[Mapping[str, str], float | None]], tags: Sequence[str] = ()
) -> dict[str, dict[str, Share]]:
    """Mean score by value of each tag of the tasks, for example compliance by logical nesting.

    Args:
        scored: tags and score of each task; None where it has no score.
        tags: the tags wanted, in this order; none: all.
    """
    found: dict[str, dict[str, list[float | None]]] = {tag: {} for tag in tags}
    for task, score in scored:
        for tag, value in task.items():
            if not tags or tag in tags:
                found.setdefault(tag, {}).setdefault(value, []).append(score)
    return {
        tag: {value: share(scores) for value, scores in sorted(by_value.items())}
        for tag, by_value in found.items()
    }


_APPLYING = frozenset({"met", "partial", "unmet", "unknown"})


def _by_type(
    rubric: Rubric,
    verdicts: Sequence[Verdict],
    types: Mapping[str, str] | None,
    credit: Mapping[Status, float],
) -> dict[str, Share]:
    found: dict[str, list[float | None]] = {}
    for criterion, verdict in settle(rubric, verdicts):
        if verdict.status in _APPLYING:
            kind = "" if types is None else types.get(criterion.id, "")
            found.setdefault(kind, []).append(credit.get(verdict.status))
    return {kind: share(earned) for kind, earned in found.items()}
