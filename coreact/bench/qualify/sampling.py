"""Which cases may be fitted on, which are measured on, and in what order.

Everything that is fitted (thresholds, a majority label, a calibration) sees one part of a data set
and is measured on the other. The parts are drawn by a hash of the group, so they are the same on
every machine, and no question or trace stands in both.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import itemgetter
from random import Random
from typing import NamedTuple

from coreact.bench.qualify.cases import JudgeCase


class Parts(NamedTuple):
    """The two parts of a data set."""

    fitting: tuple[JudgeCase, ...]
    """About a quarter of the groups."""
    evaluation: tuple[JudgeCase, ...]


def split(cases: Sequence[JudgeCase]) -> Parts:
    """Part the cases by their groups."""
    fitting = tuple(case for case in cases if _of_a_quarter(case))
    return Parts(fitting, tuple(case for case in cases if not _of_a_quarter(case)))


def _of_a_quarter(case: JudgeCase) -> bool:
    name = f"{case.dataset}\n{case.cluster}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(name).digest()[0] % 4 == 0


def ordered(cases: Sequence[JudgeCase], *, seed: int = 0) -> list[JudgeCase]:
    """All cases in a drawn order whose every beginning is about as mixed as the whole.

    Cases are shuffled within their kind (stratum and labels), one of each group before a second of
    any, and the kinds are interleaved in proportion. So a longer run goes on where a shorter one
    ended, no kind is missed, and few cases still come from many groups.
    """
    kinds: dict[tuple[str, ...], list[JudgeCase]] = defaultdict(list)
    for case in sorted(cases, key=lambda one: one.id):
        kinds[(case.stratum or "", *sorted(set(case.statuses().values())))].append(case)
    draw = Random(seed)
    placed: list[tuple[float, float, JudgeCase]] = []
    for _, members in sorted(kinds.items()):
        draw.shuffle(members)
        earlier: Counter[str] = Counter()
        rounds = []
        for case in members:
            rounds.append((earlier[case.cluster], case))
            earlier[case.cluster] += 1
        rounds.sort(key=itemgetter(0))
        placed += [
            ((at + 0.5) / len(rounds), draw.uniform(0, 1), case) for at, (_, case) in enumerate(rounds)
        ]
    return [case for *_, case in sorted(placed, key=itemgetter(0, 1))]
