"""Successes borrowed from elsewhere for groups that have none.

A group in which every rollout failed teaches nothing: its advantages are all 0. PubSwap (federated RLVR) lets
such a group take one right rollout of the same, public task from another site, as an off-policy sample. Here
that is one scored rollout of another run or store, which carries where it came from and the log-probabilities
it was sampled with; without those no importance ratio can be taken, so it is not lent. What is *ours*: which
rollout makes room, and that a group with an unknown reward is left alone, since it may hold a success.

Private traces never leave: a task that is not public is neither lent nor exported.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from coreact.rubric import Record


class Rollout(Record):
    """One completion of a task, with what it earned."""

    id: str = Field(min_length=1)
    task: str = Field(min_length=1)
    """Id of the task; rollouts are lent within one task only."""
    origin: str = Field(min_length=1)
    """The run or store it was made in."""
    text: str
    reward: float | None = Field(default=None, allow_inf_nan=False)
    """None where nobody could tell."""
    log_probabilities: tuple[float, ...] = ()
    """Of its tokens when it was sampled, in nats; empty where they were not kept."""
    public: bool = False
    """Its task belongs to the pool that everyone may see."""
    borrowed: bool = False
    """It was sampled by another policy than the one that is trained now."""

    @model_validator(mode="after")
    def _probable(self) -> Self:
        if any(not one <= 0 for one in self.log_probabilities):
            raise ValueError("a log-probability is at most 0")
        return self


class Borrowed(NamedTuple):
    """Groups after borrowing, and what became of each."""

    groups: tuple[tuple[Rollout, ...], ...]
    """In the order given and of the same sizes."""
    swaps: tuple[Swap, ...]
    counts: Counter[str]
    """Groups by outcome: `swapped`, `has_success`, `unknown` (a reward is missing), `private`, `no_donor`."""


class Swap(NamedTuple):
    """One exchange."""

    group: int
    """Position of the group."""
    slot: int
    """Position of the rollout that made room."""
    removed: str
    """Its id."""
    lent: Rollout


def borrow(
    groups: Sequence[Sequence[Rollout]], donors: Iterable[Rollout], *, success: float = 1.0, seed: int = 0
) -> Borrowed:
    """Give each group of failures exactly one success from elsewhere, where there is one.

    The rollout that makes room is the one of the least reward; among equals, and among donors, a hash of the
    seed decides. A group with a success stays as it is, and no rollout is lent twice to one group.

    Args:
        groups: rollouts of one task each.
        donors: rollouts of other runs; only successes of public tasks with their log-probabilities are lent,
            and none to a run that made it.
        success: reward from which on a rollout is one.
        seed: of the draws.

    Raises:
        ValueError: a group is empty or mixes tasks.
    """
    lendable: defaultdict[str, list[Rollout]] = defaultdict(list)
    for donor in donors:
        if donor.public and donor.log_probabilities and donor.reward is not None and donor.reward >= success:
            lendable[donor.task].append(donor)
    after: list[tuple[Rollout, ...]] = []
    swaps: list[Swap] = []
    counts: Counter[str] = Counter()
    for at, group in enumerate(groups):
        if len({one.task for one in group}) != 1:
            raise ValueError(f"group {at} is empty, or mixes tasks")
        state = _state(group, success)
        own = {one.origin for one in group}
        offers = [one for one in lendable[group[0].task] if one.origin not in own]
        if state == "failed" and not offers:
            state = "no_donor"
        if state != "failed":
            counts[state] += 1
            after.append(tuple(group))
            continue
        lent = min(offers, key=lambda one: _drawn(seed, one.origin, one.id)).model_copy(
            update={"borrowed": True}
        )
        slot = min(
            range(len(group)),
            key=lambda place: (group[place].reward, _drawn(seed, group[place].id, str(place))),
        )
        swaps.append(Swap(at, slot, group[slot].id, lent))
        after.append((*group[:slot], lent, *group[slot + 1 :]))
        counts["swapped"] += 1
    return Borrowed(tuple(after), tuple(swaps), counts)


def exportable(rollouts: Iterable[Rollout]) -> tuple[Rollout, ...]:
    """The rollouts that may be given to other sites: those of public tasks."""
    return tuple(one for one in rollouts if one.public)


def _state(group: Sequence[Rollout], success: float) -> str:
    rewards = [one.reward for one in group]
    if any(reward is not None and reward >= success for reward in rewards):
        return "has_success"
    if any(reward is None for reward in rewards):
        return "unknown"
    return "failed" if all(one.public for one in group) else "private"


def _drawn(*parts: object) -> bytes:
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
