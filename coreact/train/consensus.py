"""Labels by agreement: judges rank the candidates of a point, and their consensus says what each is worth.

As Co-ReAct labels its data (arXiv 2605.23590: three judges of different families, ties as average ranks,
Borda). What differs: where too few judges gave a valid ranking there is no label (its code then made ranks up
by position), nor where they tie all candidates; both are counted and never trained on. Kendall's W is asked
of every consensus, since average ranks look alike for accord and for noise, and a world that measured the
gains can sit on the panel as one more judge, or be compared with it.

What collects the points, and whether the judges are any good, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from statistics import fmean
from typing import Any

from pydantic import Field

from coreact.errors import ConfigError
from coreact.judge.panel import Consensus, Ranker, Ranking, aconsensus, average_ranks, spearman
from coreact.judge.panel.consensus import Rule
from coreact.judge.records import Cost
from coreact.rubric import Action, Criterion, Record, State
from coreact.rubric.branching import BranchingPoint, JudgeRanking
from coreact.rubric.settings import Settings
from coreact.train.points import MEASURED

TOO_FEW, NO_CONTRAST, LOW_AGREEMENT = "too_few_judges", "no_contrast", "low_agreement"
"""Why a point has no label."""


class ConsensusSettings(Settings):
    """How a panel labels points."""

    rule: Rule = "borda"
    """How rankings become one; `kemeny` for few candidates only."""
    min_valid: int = Field(default=2, ge=2)
    """Valid rankings without which a point has no label (the paper's two of three)."""
    min_w: float = Field(default=0.0, ge=0, le=1)
    """Kendall's W below which a point has no label; 0 takes every consensus with contrast."""
    oracle: bool = False
    """Where gains were measured and differ, they sit on the panel as one more judge."""
    seed: int = 0
    """Of the labels and the order that judges are shown."""
    at_once: int = Field(default=8, ge=1)
    """Points that are ranked at the same time; how many calls a judge takes is up to its throttle."""


class ConsensusReport(Record):
    """What became of the points."""

    points: int
    labelled: int
    left_out: dict[str, int]
    """Points without a label, by reason. `too_few_judges`: fewer valid rankings than asked for, which never
    becomes a label; `no_contrast`: all candidates tie; `low_agreement`: Kendall's W below what is asked."""
    failures: dict[str, dict[str, int]]
    """Rankings that failed, by judge and cause."""
    kendall_w: float | None
    """Mean of the labelled points, in [0, 1], higher is better; None without any."""
    spearman_to_gains: float | None
    """Mean rank correlation in [-1, 1] of the consensus with the gains that were measured, over labelled
    points that have such gains; None without any, and where the gains were on the panel."""
    cost: Cost


class GainRanker:
    """The oracle: ranks the candidates of one point by the gains that a world measured for them.

    Args:
        point: the point.
    """

    def __init__(self, point: BranchingPoint) -> None:
        self.id = f"{MEASURED} in {point.world}" if point.world else MEASURED
        self._gain = {_key(one.action): one.gain for one in point.candidates}

    def rank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        """Rank candidates of the point; state, criteria and seed change nothing.

        Raises:
            KeyError: one of them is none of the point's.
        """
        return Ranking(average_ranks([self._gain[_key(action)] for action in candidates]), "measured")

    async def arank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        """The same."""
        return self.rank(state, candidates, criteria=criteria, seed=seed)


def _key(action: Action) -> str:
    return f"answer {action.answer}" if action.call is None else action.call.key


async def alabel(
    points: Iterable[BranchingPoint],
    rankers: Sequence[Ranker],
    keep: Callable[[BranchingPoint], object],
    settings: ConsensusSettings | None = None,
) -> ConsensusReport:
    """Have a panel label points; several are ranked at once, and no more of them are in memory.

    Args:
        points: the points; earlier rankings of theirs are replaced.
        rankers: the judges, with different ids.
        keep: is given each point that got a label, in the order of the points. Its gains are then minus the
            consensus ranks, and its rankings those of the judges.
        settings: how.

    Raises:
        ConfigError: there are too few judges for `min_valid`, two of one id, or too many candidates for
            Kemeny.
    """
    chosen = settings or ConsensusSettings()
    tally = _Tally(chosen)
    _check(rankers, chosen)
    async with aclosing(_ranked(points, rankers, chosen)) as ranked:
        async for point, found, judges in ranked:
            labelled = tally.label(point, found, judges)
            if labelled is not None:
                keep(labelled)
    return tally.report()


def label(
    points: Iterable[BranchingPoint],
    rankers: Sequence[Ranker],
    keep: Callable[[BranchingPoint], object],
    settings: ConsensusSettings | None = None,
) -> ConsensusReport:
    """The same, blocking: for code that runs in no event loop."""
    return asyncio.run(alabel(points, rankers, keep, settings))


def _check(rankers: Sequence[Ranker], settings: ConsensusSettings) -> None:
    ids = [ranker.id for ranker in rankers]
    if len(set(ids)) < len(ids):
        raise ConfigError("Two judges of the panel have the same id.", remedy="Give each judge once.")
    seats = len(ids) + settings.oracle
    if seats < settings.min_valid:
        raise ConfigError(
            f"A panel of {seats} cannot give {settings.min_valid} valid rankings.",
            remedy="Add judges, or seat the measured gains (oracle).",
        )


async def _ranked(
    points: Iterable[BranchingPoint], rankers: Sequence[Ranker], settings: ConsensusSettings
) -> AsyncGenerator[tuple[BranchingPoint, Consensus, list[str]], None]:
    """The points in order, with what the panel says; some are ranked ahead."""
    under_way: deque[asyncio.Task[tuple[BranchingPoint, Consensus, list[str]]]] = deque()
    waiting: Iterator[BranchingPoint] = iter(points)
    try:
        while True:
            while len(under_way) < settings.at_once and (point := next(waiting, None)) is not None:
                under_way.append(asyncio.create_task(_consensus(point, rankers, settings)))
            if not under_way:
                return
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _consensus(
    point: BranchingPoint, rankers: Sequence[Ranker], settings: ConsensusSettings
) -> tuple[BranchingPoint, Consensus, list[str]]:
    panel: list[Ranker] = [*rankers]
    if settings.oracle and point.has_contrast and not point.rankings:
        panel.append(GainRanker(point))
    # A draw of its own for every point: with one seed for all, a judge's letters would fall alike.
    drawn = hashlib.sha256(f"{settings.seed}|{point.id}".encode("utf-8", "surrogatepass")).digest()
    found = await aconsensus(
        panel,
        point.state,
        point.actions,
        seed=int.from_bytes(drawn[:6]),
        rule=settings.rule,
        min_valid=min(settings.min_valid, len(panel)),
    )
    return point, found, [ranker.id for ranker in panel]


class _Tally:
    """Counts while points are labelled."""

    def __init__(self, settings: ConsensusSettings) -> None:
        self._settings = settings
        self._points = 0
        self._left: Counter[str] = Counter()
        self._failures: dict[str, Counter[str]] = {}
        self._w: list[float] = []
        self._to_gains: list[float] = []
        self._cost = Cost()

    def label(self, point: BranchingPoint, found: Consensus, judges: Sequence[str]) -> BranchingPoint | None:
        """The point with its label; None where it has none, which is counted."""
        self._points += 1
        self._cost += found.cost
        for failed in found.failed:
            self._failures.setdefault(failed.by, Counter())[failed.cause] += 1
        ranks, w = found.ranks, found.kendall_w.value
        reason = self._fault(found)
        if reason is not None or ranks is None:
            self._left[reason or TOO_FEW] += 1
            return None
        if w is not None:
            self._w.append(w)
        if not point.rankings and not self._settings.oracle:
            rho = spearman([-rank for rank in ranks], point.gains)
            self._to_gains += [] if rho is None else [rho]
        out = {failed.by for failed in found.failed}
        valid = [judge for judge in judges if judge not in out]
        rankings = tuple(
            JudgeRanking(judge=judge, ranks=one.ranks)
            for judge, one in zip(valid, found.rankings, strict=True)
        )
        fields: dict[str, Any] = {name: getattr(point, name) for name in BranchingPoint.model_fields}
        candidates = tuple(
            one.model_copy(update={"gain": -rank}) for one, rank in zip(point.candidates, ranks, strict=True)
        )
        return BranchingPoint(**{**fields, "candidates": candidates, "rankings": rankings})

    def _fault(self, found: Consensus) -> str | None:
        if found.ranks is None or len(found.rankings) < self._settings.min_valid:
            return TOO_FEW
        if len(set(found.ranks)) < 2:
            return NO_CONTRAST
        least, w = self._settings.min_w, found.kendall_w.value
        return LOW_AGREEMENT if least > 0 and (w is None or w < least) else None

    def report(self) -> ConsensusReport:
        """What was counted."""
        return ConsensusReport(
            points=self._points,
            labelled=self._points - self._left.total(),
            left_out=dict(sorted(self._left.items())),
            failures={
                judge: dict(sorted(causes.items())) for judge, causes in sorted(self._failures.items())
            },
            kendall_w=fmean(self._w) if self._w else None,
            spearman_to_gains=fmean(self._to_gains) if self._to_gains else None,
            cost=self._cost,
        )
