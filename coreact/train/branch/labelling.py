"""What the candidates of a decision are worth: measured by taking them, or agreed on by a panel of judges.

Nothing is made up: where an environment cannot tell, or too few judges gave a valid ranking, there is no
worth and the reason is kept. A panel that fails again and again is down, and ends the collection rather
than fill it with decisions nobody judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from coreact.errors import ConfigError, JudgingError
from coreact.judge.panel import Ranker, aconsensus
from coreact.judge.panel.consensus import Rule
from coreact.rubric import Action
from coreact.rubric.branching import JudgeRanking
from coreact.train.branch.environment import RolloutEnvironment
from coreact.train.branch.sampling import Decision
from coreact.train.branch.visits import Worth

LEAST_JUDGES = 2
"""Valid rankings without which there is no consensus, as in Co-ReAct (arXiv 2605.23590)."""

PATIENCE = 20
"""Decisions without a consensus in a row after which the panel is taken for down."""


class Label(NamedTuple):
    """What the candidates of a decision are worth."""

    worth: Worth
    gains: tuple[float, ...] | None
    """By the candidates' position, higher is better; None where nobody could tell."""
    rankings: tuple[JudgeRanking, ...] = ()
    reason: str = ""
    """Why nobody could tell."""


class Labeller(Protocol):
    """Tells what candidates are worth."""

    @property
    def id(self) -> str:
        """Who tells."""

    async def label(self, decision: Decision, candidates: Sequence[Action]) -> Label:
        """The worth of at least two candidates."""


class Measured:
    """Measures the gain of each candidate by taking it.

    Args:
        environment: where it is taken.
    """

    def __init__(self, environment: RolloutEnvironment) -> None:
        self._environment = environment
        self.id = f"gains in {environment.name}"

    async def label(self, decision: Decision, candidates: Sequence[Action]) -> Label:
        """The candidates' gains; none of them where one cannot be told."""
        if decision.shown is None:
            return Label("none", None, reason="the run did not take place in this world")
        gains = []
        for action in candidates:
            gain = await self._environment.gain(decision.question_id, decision.state, decision.shown, action)
            if gain is None:
                return Label("none", None, reason="no gain can be measured")
            gains.append(gain)
        return Label("gain", tuple(gains))


class Panel:
    """Asks several judges for a ranking and takes their consensus; a gain is minus the rank.

    Args:
        rankers: at least two, best of different families.
        rule: how rankings become one.
        min_valid: valid rankings without which there is no consensus, at least 2.
        patience: decisions without a consensus in a row after which the panel is down, at least 1.

    Raises:
        ConfigError: there are too few rankers, or two of the same id.
    """

    def __init__(
        self,
        rankers: Sequence[Ranker],
        *,
        rule: Rule = "borda",
        min_valid: int = LEAST_JUDGES,
        patience: int = PATIENCE,
    ) -> None:
        ids = [ranker.id for ranker in rankers]
        if not LEAST_JUDGES <= min_valid <= len(rankers) or len(set(ids)) < len(ids):
            raise ConfigError(
                f"A panel of {len(rankers)} judges, {min_valid} of them valid, is no panel.",
                remedy=f"Give {LEAST_JUDGES} or more judges with different ids, and ask for 2 to all.",
            )
        self._rankers = tuple(rankers)
        self._rule = rule
        self._min_valid = min_valid
        self._patience = patience
        self._failures = 0
        self.id = f"{rule} of {', '.join(ids)}"

    async def label(self, decision: Decision, candidates: Sequence[Action]) -> Label:
        """The consensus of the panel.

        Raises:
            JudgingError: the panel is down.
        """
        found = await aconsensus(
            self._rankers,
            decision.state,
            candidates,
            seed=int.from_bytes(hashlib.sha256(f"panel|{decision.id}".encode()).digest()[:6]),
            rule=self._rule,
            min_valid=self._min_valid,
        )
        out = {one.by for one in found.failed}
        valid = [ranker.id for ranker in self._rankers if ranker.id not in out]
        rankings = tuple(
            JudgeRanking(judge=judge, ranks=one.ranks)
            for judge, one in zip(valid, found.rankings, strict=True)
        )
        if found.ranks is not None:
            self._failures = 0
            return Label("panel", tuple(-rank for rank in found.ranks), rankings)
        self._failures += 1
        why = "; ".join(f"{one.by}: {one.cause}" for one in found.failed)
        if self._failures >= self._patience:
            raise JudgingError(
                f"The panel reached no consensus {self._failures} times in a row, last since {why}",
                judge=", ".join(sorted(out)),
                cause=found.failed[0].cause,
                remedy="What was collected is stored; mend the judges, and the same command goes on.",
            )
        return Label("none", None, rankings, f"too few valid judges ({why})")
