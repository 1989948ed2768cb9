"""Several judges as one: asked at the same time, counted by code.

A panel of different model families lessens what each favours (Co-ReAct, arXiv 2605.23590, ranks with
three; arXiv 2604.06996 measures that the preference is lessened, not gone: see `family`). One broken
member is tolerated as long as enough others vote. The panel sets no limit of its own on calls: give
its members' models one `Throttle` to share.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import NamedTuple, get_args

from coreact.errors import ConfigError
from coreact.judge.consult import aconsult, consult
from coreact.judge.panel.members import atogether, together
from coreact.judge.panel.voting import Ballot, Vote, tally
from coreact.judge.records import Cost
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, State
from coreact.rubric.canonical import digest


class Poll(NamedTuple):
    """What each member of a panel said, before anything is counted."""

    rulings: tuple[Ruling, ...]
    """One a member, in the panel's order; a broken member's is `unknown`, fault `instrument`."""
    cost: Cost
    """Calls, tokens and money of all members; seconds as the clock on the wall counts them."""


class JudgePanel:
    """A judge made of judges.

    Safe to share between runs, threads and event loops if its members are. One judge may sit on a
    panel several times, to vote with several samples; it must then not remember its verdicts.

    Args:
        judges: the members, at least one.
        vote: how votes become a status; see `coreact.judge.panel.voting.Vote`.
        weights: one positive weight a member, for `weighted`.
        min_valid: members that must be able to tell, 1 to all; more than half where not given (two of
            three, as in the paper).

    Raises:
        ConfigError: there is no member, or a setting is out of range or contradicts another.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        *,
        vote: Vote = "majority",
        weights: Sequence[float] | None = None,
        min_valid: int | None = None,
    ) -> None:
        self.judges = tuple(judges)
        """The members."""
        self.min_valid = len(self.judges) // 2 + 1 if min_valid is None else min_valid
        if not self.judges or not 1 <= self.min_valid <= len(self.judges):
            raise ConfigError(
                f"A panel of {len(self.judges)} judges cannot have {self.min_valid} valid ones.",
                remedy="Give at least one judge, and min_valid from 1 to their number.",
            )
        if vote not in get_args(Vote):
            raise ConfigError(
                f"There is no way to vote called {vote!r}.",
                remedy=f"Choose one of {', '.join(get_args(Vote))}.",
            )
        self._vote = vote
        self._weights = _weights(weights, vote, len(self.judges))
        members = "+".join(judge.id for judge in self.judges)
        self.version = digest(
            {
                "members": [str(getattr(judge, "version", judge.id)) for judge in self.judges],
                "vote": vote,
                "weights": [str(weight) for weight in self._weights],
                "min_valid": self.min_valid,
            }
        )
        """Hash of the members' versions and the rules by which their votes are counted."""
        self.id = f"panel({members})@{self.version.rsplit(':', 1)[-1][:8]}"

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Ask all members at once and count their votes, blocking."""
        return self._count(criteria, self.poll(criteria, action, state))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""
        return self._count(criteria, await self.apoll(criteria, action, state))

    def poll(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Poll:
        """Ask all members at once, each in a thread; nothing is counted.

        For whoever wants the votes themselves, such as the figures of `agreement`.
        """
        started = time.perf_counter()
        rulings = together([partial(consult, judge, criteria, action, state) for judge in self.judges])
        return _poll(rulings, started)

    async def apoll(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Poll:
        """The same, as tasks of the running event loop."""
        started = time.perf_counter()
        rulings = await atogether(
            [partial(aconsult, judge, criteria, action, state) for judge in self.judges]
        )
        return _poll(rulings, started)

    def _count(self, criteria: tuple[Criterion, ...], poll: Poll) -> Ruling:
        said = [{verdict.criterion: verdict for verdict in ruling.verdicts} for ruling in poll.rulings]
        verdicts = tuple(
            tally(
                [
                    Ballot(by_id[criterion.id], weight)
                    for by_id, weight in zip(said, self._weights, strict=True)
                ],
                vote=self._vote,
                min_valid=self.min_valid,
                by=self.id,
            )
            for criterion in criteria
        )
        return Ruling(verdicts, poll.cost)


def _poll(rulings: Sequence[Ruling], started: float) -> Poll:
    spent = sum((ruling.cost for ruling in rulings), Cost())
    return Poll(tuple(rulings), spent.model_copy(update={"seconds": time.perf_counter() - started}))


def _weights(weights: Sequence[float] | None, vote: Vote, members: int) -> tuple[Fraction, ...]:
    if (weights is None) == (vote == "weighted"):
        raise ConfigError(
            "Weights and the vote do not fit together.",
            remedy="Give weights with vote='weighted', and only then.",
        )
    if weights is None:
        return (Fraction(1),) * members
    if len(weights) != members or not all(0 < weight < float("inf") for weight in weights):
        raise ConfigError(
            f"The weights {list(weights)} do not fit {members} judges.",
            remedy="Give each judge one finite weight above 0.",
        )
    return tuple(Fraction(str(weight)) for weight in weights)
