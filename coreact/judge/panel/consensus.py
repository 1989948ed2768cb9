"""One ranking from several rankers, or none: ranks are never made up.

Rankers work at the same time; one that fails is named with its cause and left out. With fewer valid
rankings than asked for there is no consensus, and a step without one is no training example. How far
the rankers agree is reported beside it, since average ranks look the same for accord and for noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, JudgingError
from coreact.judge.panel.agreement import Agreement, kendall_w, mean_spearman
from coreact.judge.panel.listwise import Ranker, Ranking
from coreact.judge.panel.members import Failed, atogether, failed, together
from coreact.judge.panel.ranking import MOST_FOR_KEMENY, Ranks, average_ranks, borda, kemeny
from coreact.judge.records import Cost
from coreact.rubric import Action, Criterion, State

Rule = Literal["borda", "kemeny"]
"""How rankings become one; see `ranking`."""

_RULES: Mapping[Rule, Callable[[Sequence[Ranks]], Ranks]] = {"borda": borda, "kemeny": kemeny}


class Consensus(NamedTuple):
    """What several rankers together say about the candidates of one step."""

    ranks: Ranks | None
    """By the candidates' given position, 1 is best, ties share the mean of their places; None where too
    few rankers gave a valid ranking."""
    rankings: tuple[Ranking, ...]
    """The valid rankings, in the order of the rankers."""
    failed: tuple[Failed, ...]
    kendall_w: Agreement
    """Concordance of the valid rankings, in [0, 1]."""
    spearman: Agreement
    """Mean pairwise rank correlation of the valid rankings, in [-1, 1]."""
    cost: Cost
    """Calls, tokens and money of all rankers; seconds as the clock on the wall counts them."""

    @property
    def best(self) -> tuple[int, ...]:
        """Positions of the candidates that share the best rank; none without a consensus."""
        ranks = self.ranks or ()
        return tuple(at for at, rank in enumerate(ranks) if rank == min(ranks))


def consensus(
    rankers: Sequence[Ranker],
    state: State,
    candidates: Sequence[Action],
    *,
    criteria: Sequence[Criterion] = (),
    seed: int = 0,
    rule: Rule = "borda",
    min_valid: int | None = None,
) -> Consensus:
    """Let all rankers rank at once and merge what comes back, blocking.

    The same seed, rankers and candidates give the same labels; the order of the candidates changes
    nothing but the positions in the result.

    Args:
        rankers: at least one; each gets a draw of labels of its own.
        state: the trajectory so far.
        candidates: proposals for the next step, at least one.
        criteria: what to rank by; none: as the ranker sees fit.
        seed: of all draws.
        rule: `kemeny` for few candidates only.
        min_valid: valid rankings without which there is no consensus, 1 to all; more than half of the
            rankers where not given (two of three, as in the paper).

    Raises:
        ConfigError: there is no ranker, no candidate, or a setting is out of range.
    """
    least = _least(rankers, candidates, rule, min_valid)
    started = time.perf_counter()
    calls = [
        partial(_rank, ranker, state, candidates, criteria, seed + at) for at, ranker in enumerate(rankers)
    ]
    return _merge(together(calls), rule, least, started)


async def aconsensus(
    rankers: Sequence[Ranker],
    state: State,
    candidates: Sequence[Action],
    *,
    criteria: Sequence[Criterion] = (),
    seed: int = 0,
    rule: Rule = "borda",
    min_valid: int | None = None,
) -> Consensus:
    """The same, without blocking the event loop."""
    least = _least(rankers, candidates, rule, min_valid)
    started = time.perf_counter()
    calls = [
        partial(_arank, ranker, state, candidates, criteria, seed + at) for at, ranker in enumerate(rankers)
    ]
    return _merge(await atogether(calls), rule, least, started)


def _least(rankers: Sequence[Ranker], candidates: Sequence[Action], rule: Rule, min_valid: int | None) -> int:
    least = len(rankers) // 2 + 1 if min_valid is None else min_valid
    if not candidates or not rankers or not 1 <= least <= len(rankers):
        raise ConfigError(
            f"{len(rankers)} rankers, {least} of them valid, cannot rank {len(candidates)} candidates.",
            remedy="Give candidates, rankers, and min_valid from 1 to the number of rankers.",
        )
    if rule not in _RULES:
        raise ConfigError(f"There is no rule {rule!r}.", remedy=f"Rules are: {', '.join(_RULES)}.")
    if rule == "kemeny" and len(candidates) > MOST_FOR_KEMENY:  # before anybody is paid
        raise ConfigError(
            f"A Kemeny ranking of {len(candidates)} candidates takes too long.",
            remedy=f"Rank at most {MOST_FOR_KEMENY}, or use Borda.",
        )
    return least


def _rank(
    ranker: Ranker, state: State, candidates: Sequence[Action], criteria: Sequence[Criterion], seed: int
) -> Ranking | Failed:
    try:
        return _checked(ranker.rank(state, candidates, criteria=criteria, seed=seed), ranker, candidates)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one broken ranker takes no other down
        return failed(error, ranker.id)


async def _arank(
    ranker: Ranker, state: State, candidates: Sequence[Action], criteria: Sequence[Criterion], seed: int
) -> Ranking | Failed:
    try:
        ranking = await ranker.arank(state, candidates, criteria=criteria, seed=seed)
        return _checked(ranking, ranker, candidates)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one broken ranker takes no other down
        return failed(error, ranker.id)


def _checked(ranking: Ranking, ranker: Ranker, candidates: Sequence[Action]) -> Ranking:
    if len(ranking.ranks) != len(candidates) or ranking.ranks != average_ranks([-r for r in ranking.ranks]):
        raise JudgingError(
            f"Ranker {ranker.id!r} gave {list(ranking.ranks)}, no ranks of {len(candidates)} candidates.",
            judge=ranker.id,
        )
    return ranking


def _merge(results: Sequence[Ranking | Failed], rule: Rule, least: int, started: float) -> Consensus:
    valid = tuple(result for result in results if isinstance(result, Ranking))
    rankings = [ranking.ranks for ranking in valid]
    spent = sum((result.cost for result in results), Cost())
    return Consensus(
        ranks=_RULES[rule](rankings) if len(valid) >= least else None,
        rankings=valid,
        failed=tuple(result for result in results if isinstance(result, Failed)),
        kendall_w=kendall_w(rankings),
        spearman=mean_spearman(rankings),
        cost=spent.model_copy(update={"seconds": time.perf_counter() - started}),
    )
