"""Which tasks of a suite are run: drawn by a seed, so that a larger sample begins with the smaller one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from coreact.bench.records import Suite, Task
from coreact.errors import ConfigError


def draw(
    suite: Suite, *, n: int | None, seeds: Iterable[int], seed: int = 0, own: bool = False
) -> dict[int, Sequence[Task]]:
    """The tasks of every seed.

    Args:
        suite: what they are drawn from.
        n: how many; None: all, in the suite's order.
        seeds: of the experiment.
        seed: what draws them.
        own: every seed draws its own, by itself, instead of all having the same.

    Raises:
        ConfigError: the suite has no task, or there is no seed.
    """
    if not suite.tasks:
        raise ConfigError(f"The suite {suite.name!r} has no tasks.", remedy="Check its file and options.")
    drawn = {one: _drawn(suite.tasks, n, one if own else seed) for one in seeds}
    if not drawn:
        raise ConfigError("There is no seed.", remedy="Give at least one.")
    return drawn


def _drawn(tasks: Sequence[Task], n: int | None, seed: int) -> Sequence[Task]:
    if n is None:
        return tuple(tasks)
    order = list(range(len(tasks)))
    Random(seed).shuffle(order)
    return tuple(tasks[at] for at in order[:n])
