"""A group of failures gets one success from elsewhere, others nothing, and private tasks never leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.train.rewards.advantages import group_advantages, sequence_ratio
from coreact.train.rewards.borrowing import Rollout, borrow, exportable


def rollout(name: str, reward: float | None, *, task: str = "t", origin: str = "here", **more) -> Rollout:
    values = {"text": name, "public": True, "log_probabilities": (-0.5, -1.0)} | more
    return Rollout(id=name, task=task, origin=origin, reward=reward, **values)


DONOR = rollout("won", 1.0, origin="there")


def rewards(group) -> list[float | None]:
    return [one.reward for one in group]


def test_a_group_of_failures_gets_exactly_one_success() -> None:
    failed = [rollout(f"f{at}", reward) for at, reward in enumerate((0.3, 0.0, 0.2, 0.1))]
    found = borrow([failed], [DONOR, rollout("won2", 1.0, origin="elsewhere")])
    assert found.counts == {"swapped": 1}
    (group,) = found.groups
    (swap,) = found.swaps
    assert len(group) == 4
    assert sum(one.borrowed for one in group) == 1
    assert (swap.group, swap.slot, swap.removed) == (0, 1, "f1")  # the worst makes room
    lent = group[swap.slot]
    assert lent == swap.lent
    assert lent.origin in {"there", "elsewhere"}
    assert lent.log_probabilities == (-0.5, -1.0)
    assert [one for one in group if not one.borrowed] == [failed[0], *failed[2:]]


def test_the_swap_gives_the_group_something_to_learn() -> None:
    failed = [rollout(f"f{at}", 0.0) for at in range(4)]
    assert not group_advantages(rewards(failed)).any()
    (group,) = borrow([failed], [DONOR]).groups
    advantages = group_advantages(rewards(group))
    assert advantages.argmax() == [one.borrowed for one in group].index(True)
    # And its old log-probabilities give the ratio that an off-policy sample needs.
    assert sequence_ratio([-1.0, -1.5], DONOR.log_probabilities) == pytest.approx(0.60653, abs=1e-5)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.4, 1.0, None]), min_size=1, max_size=5), max_size=5))
def test_only_groups_of_known_failures_change_and_by_one(groups: list[list[float | None]]) -> None:
    made = [[rollout(f"{g}.{m}", reward) for m, reward in enumerate(group)] for g, group in enumerate(groups)]
    found = borrow(made, [DONOR])
    assert sum(found.counts.values()) == len(groups)
    for before, after in zip(made, found.groups, strict=True):
        changed = sum(one != other for one, other in zip(before, after, strict=True))
        failed = all(one.reward is not None and one.reward < 1 for one in before)
        assert changed == (1 if failed else 0)
        if not failed:
            assert list(after) == before
    assert found == borrow(made, [DONOR])  # nothing is drawn anew


def test_every_reason_is_counted() -> None:
    found = borrow(
        [
            [rollout("a", 1.0), rollout("b", 0.0)],
            [rollout("c", None), rollout("d", 0.0)],
            [rollout("e", 0.0, public=False)],
            [rollout("f", 0.0, task="other")],
            [rollout("g", 0.0)],
        ],
        [DONOR],
    )
    assert found.counts == {"has_success": 1, "unknown": 1, "private": 1, "no_donor": 1, "swapped": 1}
    assert found.groups[2][0].id == "e"


@pytest.mark.parametrize(
    "unfit",
    [
        rollout("x", 1.0, origin="there", public=False),
        rollout("x", 1.0, origin="there", log_probabilities=()),
        rollout("x", 0.9, origin="there"),
        rollout("x", None, origin="there"),
        rollout("x", 1.0, origin="there", task="u"),
        rollout("x", 1.0, origin="here"),
    ],
    ids=["private", "no log-probabilities", "no success", "unknown", "another task", "its own run"],
)
def test_what_is_unfit_is_not_lent(unfit: Rollout) -> None:
    found = borrow([[rollout("f", 0.0)]], [unfit])
    assert found.counts == {"no_donor": 1}
    assert not found.swaps


def test_the_seed_draws_among_donors_and_their_order_does_not() -> None:
    donors = [rollout(f"w{at}", 1.0, origin=f"site{at}") for at in range(6)]
    group = [rollout("f", 0.0)]
    drawn = {borrow([group], donors, seed=seed).swaps[0].lent.id for seed in range(30)}
    assert len(drawn) > 2
    assert borrow([group], donors, seed=3).swaps == borrow([group], donors[::-1], seed=3).swaps


def test_only_public_tasks_are_exported() -> None:
    mine = [rollout("open", 1.0), rollout("closed", 1.0, public=False), rollout("lost", 0.0)]
    assert [one.id for one in exportable(mine)] == ["open", "lost"]
    assert not Rollout(id="a", task="t", origin="here", text="").public  # unless somebody says so


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="mixes tasks"):
        borrow([[rollout("a", 0.0), rollout("b", 0.0, task="u")]], [])
    with pytest.raises(ValueError, match="empty"):
        borrow([[]], [])
    for wrong in ((0.1,), (float("nan"),)):
        with pytest.raises(ValidationError):
            rollout("a", 0.0, log_probabilities=wrong)
