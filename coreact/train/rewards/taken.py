"""What a rubric is worth to an agent: the expected gain of the action that the guided loop would take.

A rank correlation asks for the order of all candidates, those included that nobody would propose, and pays a
rubric that names one lead and fails all others as well as one that fails only what is wrong. In a loop the
second is worth more: proposals come as the agent makes them, most of them right, and a right one that fails
is given up. Here candidates are drawn as often as they were proposed, an attempt that fails is followed by
another, up to `retries` times, and the best attempt is taken, as `coreact.guide.loop` does it. So a rubric
earns what its verification earns, and one that lets everything through earns what no rubric does.

What it leaves out: an agent that heeds the rubric or the feedback (here each proposal is drawn like the
first), calls side by side, and all steps after this one.

Ours. The loop is Co-ReAct's (arXiv 2605.23590) with retries that are judged again.
"""

from __future__ import annotations

from collections.abc import Sequence

RETRIES = 2
"""Retries of the loop that is reckoned with, as in the bench's guided arms."""

MAY_PASS = 1.0
"""Standing (`coreact.judge.ordering.standing`) from which on an action has not failed."""


def taken_gain(
    standings: Sequence[float | None],
    gains: Sequence[float],
    proposed: Sequence[int],
    *,
    retries: int = RETRIES,
) -> float:
    """The expected gain of the action taken, between the least and the greatest gain.

    Args:
        standings: of the candidates, by `coreact.judge.ordering.standing`; None, where nothing was judged,
            lets an action through.
        gains: of the candidates.
        proposed: how often each was proposed, not negative; where nobody proposed any, all count alike.
        retries: further attempts after one that failed, at least 0.

    Raises:
        ValueError: the three are not equally long, or there is no candidate.
    """
    if not len(standings) == len(gains) == len(proposed) > 0:
        raise ValueError(f"{len(standings)} standings, {len(gains)} gains and {len(proposed)} numbers")
    weights = shares(proposed)
    drawn = [at for at, weight in enumerate(weights) if weight]
    places = [MAY_PASS if one is None else one for one in standings]

    def after(best: int, tried: frozenset[int], left: int) -> float:
        if places[best] >= MAY_PASS or left == 0:
            return gains[best]
        earned = 0.0
        for at in drawn:
            if at in tried:  # deaf to feedback: the loop asks no further
                earned += weights[at] * gains[best]
            else:
                better = at if places[at] > places[best] else best
                earned += weights[at] * after(better, tried | {at}, left - 1)
        return earned

    return sum(weights[at] * after(at, frozenset((at,)), retries) for at in drawn)


def plain_gain(gains: Sequence[float], proposed: Sequence[int]) -> float:
    """The expected gain of one proposal, taken as it comes: what an agent without a rubric has."""
    return taken_gain([None] * len(gains), gains, proposed)


def shares(proposed: Sequence[int]) -> list[float]:
    """The chance of each candidate to be proposed; all the same where nobody proposed any."""
    total = sum(proposed)
    return [one / total for one in proposed] if total else [1 / len(proposed)] * len(proposed)
