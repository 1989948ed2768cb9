"""How much of a rubric is shown: in training ever less, and at run time less to a policy that already passes.

A criterion that is faded out becomes `judge_only`: the agent is not told it any more, and it is verified and
recorded as before, so whether the policy still keeps to it can be seen. Which criteria go is drawn by a key,
never by their weight or place. Pure; when to fade is decided by whoever calls.

Source: RuscaRL (arXiv 2508.16949), which fades during training only; fading a running agent by what it has
shown is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from coreact.rubric.rubric import Rubric


def drawn(n: int, share: float, *, key: str) -> tuple[int, ...]:
    """Which of `n` things are shown, ascending: the nearest whole number to `share`, halves up.

    Args:
        n: how many there are.
        share: in [0, 1].
        key: draws them. With one key a smaller share shows a part of what a larger one shows.

    Raises:
        ValueError: the share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} is not in [0, 1]")
    order = Random(key).sample(range(n), n)
    return tuple(sorted(order[: math.floor(share * n + 0.5)]))


def faded(rubric: Rubric, share: float, *, key: str) -> Rubric:
    """The rubric with only a share of its visible criteria still visible; the others are `judge_only`.

    Args:
        rubric: the rubric; nothing that is hidden in it becomes visible.
        share: of the visible criteria, in [0, 1]. At 1 it is the rubric itself.
        key: draws them; one key per run keeps what was faded out faded out as the share falls.
    """
    visible = [at for at, one in enumerate(rubric.criteria) if one.visibility == "policy"]
    kept = {visible[at] for at in drawn(len(visible), share, key=key)}
    if len(kept) == len(visible):
        return rubric
    hidden = {"visibility": "judge_only"}
    return rubric.model_copy(
        update={
            "criteria": tuple(
                one if at in kept else one.model_copy(update=hidden) for at, one in enumerate(rubric.criteria)
            )
        }
    )


def fade(
    passed: Sequence[bool | None],
    *,
    window: int = 10,
    least: int = 5,
    begin: float = 0.6,
    end: float = 0.95,
) -> float:
    """The share of a rubric that a policy with this history still needs to see, in [0, 1].

    Everything until it passes more than `begin` of its last decisions, nothing from `end` on, and linearly
    less in between. A policy that fails again is shown more again.

    Args:
        passed: whether the first proposal of each decision passed, oldest first; None where nobody could
            tell, which counts as nothing.
        window: known outcomes that are looked at, the latest ones.
        least: known outcomes below which everything is shown.
        begin: share of passes up to which everything is shown, in [0, 1).
        end: share of passes from which on nothing is shown, above `begin`, at most 1.

    Raises:
        ValueError: a setting is out of range.
    """
    if not (0 <= begin < end <= 1 and 1 <= least <= window):
        raise ValueError(
            f"begin={begin} and end={end} must rise within [0, 1], and 1 <= least={least} <= window={window}"
        )
    known = [one for one in passed if one is not None][-window:]
    if len(known) < least:
        return 1.0
    rate = sum(known) / len(known)
    return min(1.0, max(0.0, (end - rate) / (end - begin)))
