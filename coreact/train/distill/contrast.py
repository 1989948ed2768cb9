"""Training a verifier on pairs: its verdicts on the preferred item should be higher than on the other one.

Of each item of a pair the verifier samples a group of verdicts. A verdict is worth how far it stands on the
right side of the *other* group's mean; so the mean reward of either group is the difference of the two means,
and positive only if the preferred item is judged higher. The verifier needs no scale to agree with, and
cannot gain by judging everything high.

Source: Edit-R1's group-contrastive preference optimisation (GCPO), in text and for any scorer. What differs:
its reward is a reconstruction of ours from the abstract and the released page, with one property that is
theirs (positive only if the preferred item's mean is higher); verdicts that failed are masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

Verdicts = Sequence[float | None]
"""Scores that samples of a verifier gave one item; None where a sample said nothing usable."""


class GroupContrast(NamedTuple):
    """What the verdicts of a pair are worth."""

    preferred: tuple[float | None, ...]
    """Reward of each verdict on the preferred item; None is masked."""
    other: tuple[float | None, ...]
    """Reward of each verdict on the other item."""
    margin: float | None
    """Mean verdict on the preferred item minus that on the other, which is also the mean reward of either
    group; None where one of them has no verdict, and then all is masked."""

    @property
    def correct(self) -> bool | None:
        """Whether the verifier tells the pair the right way round; a tie does not."""
        return None if self.margin is None else self.margin > 0


def group_contrast(preferred: Verdicts, other: Verdicts) -> GroupContrast:
    """The rewards of the verdicts on a pair. Swapping the items negates every mean.

    For advantages subtract the mean of both groups together, which is the margin: a verdict on the preferred
    item then gains by being higher than its siblings, one on the other item by being lower.
    """
    high = [score for score in preferred if score is not None]
    low = [score for score in other if score is not None]
    if not high or not low:
        return GroupContrast((None,) * len(preferred), (None,) * len(other), None)
    above, below = fmean(high), fmean(low)
    return GroupContrast(
        tuple(None if score is None else score - below for score in preferred),
        tuple(None if score is None else above - score for score in other),
        above - below,
    )
