"""The margin reward: how far a rubric moves a judge's probability towards the right candidate.

C2 (arXiv 2604.13618): a judge is asked for one letter, and m = log p(right letter) - log p(wrong letter) is
taken with the rubric and without it (m₀). A rubric is helpful where m > max(0, m₀) and misleading where m <
min(0, m₀); the most helpful and the most misleading of several make a preference pair, and where either is
missing there is none. What differs: a point has several candidates, so m is a mean over its pairs of unequal
worth, each in both orders, which cancels what a judge holds for a letter as such; m₀ is asked for once per
point. As a reward the shift is taken between probabilities, so that it has bounds.

Log-probabilities are needed: from a server that gives them (`ChatLetters`) or a model in this process
(`TransformersLetters`). Where a letter has none the reading abstains; where all do the sample is masked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import NamedTuple, Protocol, runtime_checkable

from langgraph.errors import GraphBubbleUp

from coreact.generate.gate import Margin, Material
from coreact.generate.gate.labelled import Bearing, better_first
from coreact.generate.gate.transfer import leak, without_justification
from coreact.generate.prompt import Form
from coreact.judge.asking import Asking, Request, aserve, serve
from coreact.rubric import Record, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.contract import NO_CONTRAST, for_lift, rubric_of, textual
from coreact.train.rewards.earned import Reward
from coreact.train.rewards.once import Once, pair_key

MOST_PAIRS = 6
"""Most pairs of one branching point that are read, each in both orders."""


class Letters(NamedTuple):
    """Log-probabilities that a judge's reply begins with one letter or the other; each at most 0."""

    first: float
    """Of A, the candidate shown first."""
    second: float
    """Of B."""


@runtime_checkable
class LetterJudge(Protocol):
    """Whoever can say how probable it finds either candidate. What it raises is an abstention."""

    id: str
    """Name and version."""

    def weigh(self, material: Material) -> Letters:
        """Weigh the two candidates, by the rubric where there is one."""

    async def aweigh(self, material: Material) -> Letters:
        """The same, without blocking the event loop."""


class Shift(Record):
    """A judge's margins at one branching point, with a rubric and without."""

    with_rubric: float | None = None
    """m, in nats, above 0 where the judge leans to the right candidates; None where nothing could be read."""
    without: float | None = None
    """m₀."""
    probability: float | None = None
    """Mean probability of the right letter, of the two, with the rubric minus without, in [-1, 1]."""
    readings: int = 0
    """Pairs in either order that the means are of."""
    refused: str = ""
    """Why the rubric was not shown: it tells the verdict."""
    masked: str = ""
    """Why nothing can be said."""

    @property
    def bearing(self) -> Bearing | None:
        """C2's condition; None where nothing could be read."""
        if self.with_rubric is None or self.without is None:
            return None
        return Margin(self.with_rubric, self.without).bearing


class MarginReward:
    """Rewards completions by the shift of a judge's probabilities. Picklable if the judge is.

    The reward is (1 + shift) / 2: 0.5 where the rubric changes nothing. A rubric that tells the verdict earns
    0, and so does an unreadable reply.

    Args:
        judge: who weighs.
        form: in which form completions are written: `lines` or `sheet`.
        seed: draws the pairs where a point has many; the same for all rubrics of a point.

    Raises:
        ConfigError: completions cannot be read in the form.
    """

    def __init__(self, judge: LetterJudge, *, form: Form, seed: int = 0) -> None:
        self.form = textual(form)
        self.seed = seed
        self._judge = judge
        self._alone: Once[Letters] = Once()

    def score(self, completion: str, point: BranchingPoint) -> Reward:
        """The reward of one completion, blocking."""
        rubric = rubric_of(completion, point, self.form)
        return rubric if isinstance(rubric, Reward) else _rewarded(self.examine(rubric, point), rubric)

    async def ascore(self, completion: str, point: BranchingPoint) -> Reward:
        """The same, without blocking the event loop."""
        rubric = rubric_of(completion, point, self.form)
        return rubric if isinstance(rubric, Reward) else _rewarded(await self.aexamine(rubric, point), rubric)

    def examine(self, rubric: Rubric, point: BranchingPoint) -> Shift:
        """The margins of a rubric, blocking."""
        return serve(self._examining(rubric, point))

    async def aexamine(self, rubric: Rubric, point: BranchingPoint) -> Shift:
        """The same, without blocking the event loop."""
        return await aserve(self._examining(rubric, point))

    def _examining(self, rubric: Rubric, point: BranchingPoint) -> Asking[Shift]:
        if not point.has_contrast:
            return Shift(masked=NO_CONTRAST)
        told = leak(rubric, point.actions)
        seen = without_justification(rubric)
        if told or seen is None:
            return Shift(refused=f"the rubric tells the verdict: {told or 'it is all justification'}")
        pairs = better_first(point.gains)
        drawn = Random(f"{self.seed}|{point.id}").sample(pairs, min(len(pairs), MOST_PAIRS))
        places = [
            (pair if right_first else pair[::-1], right_first)
            for pair in drawn
            for right_first in (True, False)
        ]
        shown = [(point.actions[first], point.actions[second]) for (first, second), _ in places]
        guided = yield from self._weighing([Material(seen, *actions) for actions in shown])
        alone = yield from self._weighing([Material(None, *actions) for actions in shown])
        read = [
            (_margin(with_rubric, right_first), _margin(without, right_first))
            if with_rubric is not None and without is not None
            else None
            for with_rubric, without, (_, right_first) in zip(guided, alone, places, strict=True)
        ]
        both = zip(
            read[::2], read[1::2], strict=True
        )  # one order alone shows what the judge holds for a letter
        rows = [row for one, other in both if one and other for row in (one, other)]
        if not rows:
            return Shift(masked=f"the judge {self._judge.id!r} gave no log-probabilities")
        return Shift(
            with_rubric=fmean(m for m, _ in rows),
            without=fmean(m for _, m in rows),
            probability=fmean(_probability(m) - _probability(m0) for m, m0 in rows),
            readings=len(rows),
        )

    def _weighing(self, materials: Sequence[Material]) -> Asking[Sequence[Letters | None]]:
        """What the judge says of each, side by side where one may wait; None where it abstains."""

        async def aall() -> list[Letters | None]:
            return await asyncio.gather(*map(self._aweighed, materials))

        found: Sequence[Letters | None] = yield Request(lambda: [*map(self._weighed, materials)], aall)
        return found

    def _weighed(self, material: Material) -> Letters | None:
        ask = partial(self._judge.weigh, material)
        try:
            return _usable(
                ask() if material.rubric is not None else self._alone.get(pair_key(material), ask).value
            )
        except GraphBubbleUp:
            raise
        except Exception:  # noqa: BLE001 - a judge may raise anything: it abstains
            return None

    async def _aweighed(self, material: Material) -> Letters | None:
        ask = partial(self._judge.aweigh, material)
        try:
            if material.rubric is not None:
                return _usable(await ask())
            return _usable((await self._alone.aget(pair_key(material), ask)).value)
        except GraphBubbleUp:
            raise
        except Exception:  # noqa: BLE001 - a judge may raise anything: it abstains
            return None


def _usable(found: object) -> Letters | None:
    return found if isinstance(found, Letters) and all(map(math.isfinite, found)) else None


class Contrast(NamedTuple):
    """Which of several rubrics of one point make a preference pair."""

    helpful: int
    misleading: int


def contrast(margins: Sequence[float | None], without: float | None) -> Contrast | None:
    """The most helpful and the most misleading rubric by their margins, C2's pair for preference training.

    Args:
        margins: m of each rubric; None where it could not be read.
        without: m₀, the margin without a rubric.

    Returns:
        Their positions, the first of equals; None where no rubric is helpful or none is misleading.
    """
    if without is None:
        return None
    known = [(m, at) for at, m in enumerate(margins) if m is not None]
    helpful = [(m, at) for m, at in known if Margin(m, without).bearing == "helpful"]
    misleading = [(m, at) for m, at in known if Margin(m, without).bearing == "misleading"]
    if not helpful or not misleading:
        return None
    return Contrast(max(helpful, key=lambda one: one[0])[1], min(misleading, key=lambda one: one[0])[1])


def _margin(letters: Letters, right_first: bool) -> float:
    m = letters.first - letters.second
    return m if right_first else -m


def _probability(m: float) -> float:
    """Of the right letter, of the two."""
    return 1 / (1 + math.exp(-m)) if m >= 0 else math.exp(m) / (1 + math.exp(m))


def _rewarded(found: Shift, rubric: Rubric) -> Reward:
    return for_lift(found.probability, rubric, refused=found.refused, masked=found.masked)
