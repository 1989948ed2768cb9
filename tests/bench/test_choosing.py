"""Which questions of the gazetteer are measured on."""

from __future__ import annotations

import pytest

from coreact.worlds import World
from coreact.worlds.choosing import choose


@pytest.mark.parametrize("hops", [2, 3])
def test_questions_are_bridges_from_the_dev_split(small_world: World, hops: int) -> None:
    chosen = choose(small_world, n=10, seed=0, hops=hops)
    assert len({question.id for question in chosen}) == 10
    assert {(q.split, q.kind, q.hops) for q in chosen} == {("dev", "bridge", hops)}


def test_the_seed_draws_the_questions(small_world: World) -> None:
    first = choose(small_world, n=10, seed=0)
    assert choose(small_world, n=10, seed=0) == first
    assert choose(small_world, n=10, seed=1) != first


def test_no_more_questions_than_there_are(small_world: World) -> None:
    everything = choose(small_world, n=10**6, seed=0)
    offered = [q for q in small_world.questions if (q.split, q.kind, q.hops) == ("dev", "bridge", 2)]
    assert sorted(q.id for q in everything) == sorted(q.id for q in offered)
