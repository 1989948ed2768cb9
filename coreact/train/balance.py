"""Which training points to keep so that no kind of decision drowns the others.

Runs search far more often than they answer, so a generator that is trained on all points learns to say
"search". Balancing belongs behind the split and concerns the training side alone: figures on a balanced test
set speak of no run that takes place. Which points are dropped is decided by their hash, so neither order nor
repetition changes it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from coreact.rubric.branching import BranchingPoint

ANSWER, SEVERAL = "answer", "several"
_BITS = 64


def best_kind(point: BranchingPoint) -> str:
    """The kind of a point's best action: `call:` and a tool's name, `answer`, or `several`."""
    best = max(point.gains)
    kinds = {
        ANSWER if one.action.call is None else f"call:{one.action.call.name}"
        for one in point.candidates
        if one.gain == best
    }
    return kinds.pop() if len(kinds) == 1 else SEVERAL


class Balance:
    """Decides point by point.

    Args:
        kept: share of the points of each kind that is kept, in [0, 1]; of other kinds all are.
        seed: another one drops others.
    """

    def __init__(self, kept: Mapping[str, float], *, seed: int) -> None:
        self.kept = dict(kept)
        self._seed = seed

    @classmethod
    def of(cls, points: Iterable[BranchingPoint], *, seed: int, most: float) -> Self:
        """The balance for these points.

        Args:
            points: training points.
            seed: of the draw.
            most: greatest share of one kind, in (0, 1]. Where there are too few kinds for it, all are cut
                down to the rarest.
        """
        counts = Counter(map(best_kind, points))
        ceiling = _ceiling(counts, most)
        return cls({kind: min(1.0, ceiling / n) for kind, n in counts.items()}, seed=seed)

    def keeps(self, point: BranchingPoint) -> bool:
        """Whether a point stays."""
        share = self.kept.get(best_kind(point), 1.0) if self.kept else 1.0
        if share >= 1:
            return True
        drawn = hashlib.sha256(f"balance|{self._seed}|{point.id}".encode("utf-8", "surrogatepass")).digest()
        at: int = int.from_bytes(drawn[: _BITS // 8])
        return at < share * float(2**_BITS)


def _ceiling(counts: Mapping[str, int], most: float) -> int:
    """The greatest number of points of one kind with which no kind has a greater share than `most`."""
    low, high = min(counts.values(), default=0), max(counts.values(), default=0)
    while low < high:  # the share of the largest kind falls as its points do
        middle = (low + high + 1) // 2
        if middle <= most * sum(min(n, middle) for n in counts.values()):
            low = middle
        else:
            high = middle - 1
    return low
