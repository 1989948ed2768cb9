"""How often a scorer prefers the answer that people prefer.

For any scorer: a reward model, a judge's score under a rubric, a holistic rating (RewardBench, arXiv
2403.13787). Two equal scores are half a hit, as a coin would have it; a pair of which one answer has no score
(None, or no number) is left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from coreact.bench.metrics.share import Share, share


class ScoredPair(NamedTuple):
    """What a scorer gives both answers of a pair."""

    subset: str
    chosen: float | None
    """Score of the answer that people prefer, higher is better."""
    rejected: float | None


class PairAccuracy(NamedTuple):
    """Accuracy over pairs, in [0, 1]; 0.5 is chance."""

    overall: Share
    """Over all pairs alike."""
    subsets: dict[str, Share]
    mean: Share
    """Mean over subsets, each counting the same: RewardBench's way."""


def pair_accuracy(pairs: Iterable[ScoredPair]) -> PairAccuracy:
    """Share of pairs whose chosen answer scores higher, ties counted half."""
    by_subset: dict[str, list[float | None]] = {}
    for pair in pairs:
        by_subset.setdefault(pair.subset, []).append(_hit(pair))
    subsets = {name: share(hits) for name, hits in by_subset.items()}
    return PairAccuracy(
        overall=share(hit for hits in by_subset.values() for hit in hits),
        subsets=subsets,
        mean=share(each.value for each in subsets.values()),
    )


def _hit(pair: ScoredPair) -> float | None:
    if pair.chosen is None or pair.rejected is None or math.isnan(pair.chosen + pair.rejected):
        return None
    return 0.5 if pair.chosen == pair.rejected else float(pair.chosen > pair.rejected)
