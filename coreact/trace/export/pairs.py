"""Which attempts of one decision make a preference pair.

Candidates of one step share their whole prefix, so a pair says what was better in this very state. Only
attempts that are asked the same in the export are compared: with guidance and feedback kept, a retry has
another prompt than the attempt before it; with both stripped, the prompts are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from coreact.trace.export.decisions import Candidate, Decision
from coreact.trace.export.labels import fails_essentials, may_fail_essentials, surely_above
from coreact.trace.export.rows import Left


class Pair(NamedTuple):
    """A better and a worse attempt under the same prompt and the same rubric."""

    chosen: Candidate
    rejected: Candidate
    margin: float
    """Difference in score, above 0."""


def pairs(decision: Decision, *, margin: float) -> Iterator[Pair | Left]:
    """The pairs of a decision, and why the rest is none.

    The better attempt has the higher score by `margin` at least. It is never one that fails an essential
    criterion which the other meets, and never a failed one beside one that passed (the idea that essential
    criteria dominate is rDPO's): where score and essentials disagree there is no pair. Nor is there one where
    unknown verdicts, were they known, could turn it round.

    Args:
        decision: the decision.
        margin: least difference in score, in [0, 1].
    """
    groups: defaultdict[tuple[bytes, str], list[Candidate]] = defaultdict(list)
    for candidate in decision.candidates:
        if candidate.label.masked is not None or candidate.label.rubric is None:
            yield Left(candidate.label.masked or "not_judged")
        else:
            groups[decision.prompt_key(candidate), candidate.label.rubric.lock].append(candidate)
    for group in groups.values():
        if len(group) < 2:
            yield Left("alone_under_its_prompt")
        elif len({one.label.score for one in group}) == 1:
            yield Left("all_tied", len(group))
        else:
            for left, right in combinations(group, 2):
                yield _compared(left, right, margin)


def _compared(left: Candidate, right: Candidate, margin: float) -> Pair | Left:
    if left.key == right.key:
        return Left("same_completion")
    chosen, rejected = (left, right) if _score(left) >= _score(right) else (right, left)
    difference = round(_score(chosen) - _score(rejected), 12)
    if difference == 0 or difference < margin:
        return Left("below_margin")
    failed = chosen.label.passed is False and rejected.label.passed is True
    if failed or fails_essentials(chosen.label, rejected.label):
        return Left("essential_fails")
    if not surely_above(chosen.label, rejected.label) or may_fail_essentials(chosen.label, rejected.label):
        return Left("undecided")
    return Pair(chosen, rejected, difference)


def _score(candidate: Candidate) -> float:
    score = candidate.label.score
    assert score is not None  # noqa: S101 - masked ones were left out; this tells the type checker
    return score
