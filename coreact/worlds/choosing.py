"""Which questions of the gazetteer are measured on: bridge questions of its dev split, drawn by a seed."""

from __future__ import annotations

from random import Random

from coreact.worlds import Question, World


def choose(world: World, *, n: int, seed: int, hops: int = 2) -> list[Question]:
    """`n` bridge questions with that many hops from the world's dev split, drawn by `seed`."""
    offered = [q for q in world.questions if q.split == "dev" and q.kind == "bridge" and q.hops == hops]
    return Random(seed).sample(offered, min(n, len(offered)))
