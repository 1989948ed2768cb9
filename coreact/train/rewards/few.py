"""How much a rank correlation counts that rests on few candidates.

Over two candidates a rubric that guesses is perfect half of the time, over four once in 24 times. A plain
mapping pays both alike, so points with few candidates would be the noisiest of all rewards: Co-ReAct's has
two values for two candidates and four for three (arXiv 2605.23590). Under a random order the standard
deviation of Spearman's correlation over n candidates is 1/√(n-1), exactly, and with any ties in the
reference. So over fewer than `full` candidates it is multiplied by √((n-1)/(full-1)), and a guess then has
one spread whatever n is. Beyond `full` nothing is lifted: a correlation stays one. Ours.
"""

from __future__ import annotations

import math

FULL = 4
"""Candidates from which on a correlation counts in full; Co-ReAct keeps four."""


def trust(size: int, *, full: int = FULL) -> float:
    """The factor of a correlation over so many candidates, in (0, 1].

    Args:
        size: number of candidates, 2 or more.
        full: candidates from which on a correlation counts in full; 2 leaves all as they are.
    """
    return math.sqrt(min(1.0, (size - 1) / max(1, full - 1)))
