"""Data by diagnosis: what a student gets wrong decides what it is shown next, in the same proportions.

Judged failures are counted by a code; the next samples are divided among the codes by those counts; samples
that somebody wrote for a code are taken if they were verified, and only then. Whether they are trained on by
SFT or as pairs is another matter.

Source: LegalDrill (error patterns of a small student, targeted traces by a teacher, self-verification and
selection). What differs: the diagnosis is a count of unmet criteria and no model's opinion, and verification
is whatever the caller verified with (a check, a judge, a world); a code whose samples run out is reported
short, and no other code takes its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from coreact.judge.records import Judgement
from coreact.rubric import Criterion, Record, Rubric

Code = Callable[[Criterion], str | None]
"""The failure code of a criterion; None: not a failure to train against."""


class Diagnosis(NamedTuple):
    """What a student gets wrong."""

    counts: Mapping[str, int]
    """Failures by code."""
    unknown: int
    """Verdicts that say nothing, because nobody could tell or the judge failed: in no count."""

    @property
    def shares(self) -> dict[str, float]:
        """Each code's share of all failures, largest first; they add up to 1."""
        whole = sum(self.counts.values())
        ranked = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        return {code: count / whole for code, count in ranked if count}


class Sample(Record):
    """Something written to cure one kind of failure."""

    code: str
    """The failure it is against."""
    row: dict[str, Any]
    """What is trained on."""
    verified: bool | None
    """Whether it was found to do what it should; None: nobody looked."""


class Targeted(NamedTuple):
    """Samples chosen by a diagnosis."""

    samples: tuple[Sample, ...]
    short: Mapping[str, int]
    """Samples that a code has too few of."""
    unverified: int
    """Samples that were left out because they were not verified."""


def by_check(criterion: Criterion) -> str:
    """A code for any criterion: the kind of its check, or of itself where a judge decides it."""
    return criterion.kind if criterion.check is None else criterion.check.kind


def diagnose(judged: Iterable[tuple[Rubric, Judgement]], code: Code = by_check) -> Diagnosis:
    """Count what was unmet, by code. A criterion met in part is a failure as well.

    Args:
        judged: rubrics, each with the verdicts on one piece of the student's work.
        code: the code of a criterion.
    """
    counts: Counter[str] = Counter()
    unknown = 0
    for rubric, judgement in judged:
        unknown += sum(verdict.status == "unknown" for verdict in judgement.verdicts)
        for verdict in judgement.unmet:
            found = code(rubric.criterion(verdict.criterion))
            if found is not None:
                counts[found] += 1
    return Diagnosis(dict(counts), unknown)


def quotas(diagnosis: Diagnosis, n: int) -> dict[str, int]:
    """How many of `n` samples each code gets: its share, rounded by the largest remainder.

    They add up to n, and each differs from its exact share by less than 1. Of equal remainders the code with
    more failures comes first, then the alphabet decides. Empty where there is no failure.
    """
    exact = {code: share * n for code, share in diagnosis.shares.items()}
    found = {code: int(value) for code, value in exact.items()}
    rest = sorted(exact, key=lambda code: (found[code] - exact[code], -exact[code], code))
    for code in rest[: n - sum(found.values())]:
        found[code] += 1
    return found


def targeted(diagnosis: Diagnosis, pool: Sequence[Sample], n: int, *, seed: int) -> Targeted:
    """Choose `n` samples in the proportions of a diagnosis, verified ones alone.

    Args:
        diagnosis: what the student gets wrong.
        pool: samples to choose from.
        n: how many are wanted.
        seed: draws them within each code, and their order.
    """
    draw = Random(seed)
    fit = [sample for sample in pool if sample.verified]
    chosen: list[Sample] = []
    short: dict[str, int] = {}
    for code, wanted in quotas(diagnosis, n).items():
        offered = [sample for sample in fit if sample.code == code]
        if len(offered) < wanted:
            short[code] = wanted - len(offered)
        chosen += draw.sample(offered, min(wanted, len(offered)))
    draw.shuffle(chosen)
    return Targeted(tuple(chosen), short, len(pool) - len(fit))
