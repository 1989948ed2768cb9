"""Does what was tuned on one simulated user hold with another: a table of policies by users, with gaps.

A policy that fits its simulator and nobody else scores well where it was tuned. The table puts every policy
before every user; a policy's gap is its score at home less its score abroad, case by case. Nothing here tunes
anything, and nothing is decided: it gives intervals.

Source: Utility of User Simulators (transfer between simulators). The bootstrap over cases is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from coreact.errors import ConfigError, MissingExtraError

P = TypeVar("P")
U = TypeVar("U")

_RESAMPLES = 2000


class Estimate(NamedTuple):
    """A mean with its 95 % percentile bootstrap interval over cases."""

    mean: float
    low: float
    high: float
    measured: int
    """Cases it is over."""
    unmeasured: int
    """Cases that could not be scored, and are left out."""


@dataclass(frozen=True, kw_only=True)
class TransferTable:
    """Scores of every policy with every user."""

    scores: Mapping[str, Mapping[str, Estimate | None]]
    """Policy -> user -> mean score; None where no case could be scored."""
    gaps: Mapping[str, Mapping[str, Estimate | None]]
    """Policy -> another user -> score with the user it was tuned on less score with this one, over the cases
    scored with both; above 0: it does not carry over. Only policies that are named as a user is have one."""


def transfer_matrix(
    policies: Mapping[str, P],
    users: Mapping[str, U],
    score: Callable[[P, U], Sequence[float | None]],
    *,
    seed: int = 0,
) -> TransferTable:
    """Score every policy with every user.

    Args:
        policies: each under the name of the user that it was tuned on; one tuned on none may have any other
            name.
        users: by name.
        score: scores a policy with a user on all cases, in an order that is the same for all users; None for
            a case that could not be scored.
        seed: of the resampling.

    Raises:
        ConfigError: a policy has not the same number of cases with every user.
        MissingExtraError: the extra `worlds` is not installed.
    """
    scores: dict[str, dict[str, Estimate | None]] = {}
    gaps: dict[str, dict[str, Estimate | None]] = {}
    for name, policy in policies.items():
        cases = {user: list(score(policy, whom)) for user, whom in users.items()}
        if len({len(row) for row in cases.values()}) > 1:
            raise ConfigError(
                f"Policy {name!r} was not scored on the same cases with every user.",
                remedy="Give one score a case, None where there is none.",
            )
        scores[name] = {user: _estimate(row, seed) for user, row in cases.items()}
        if name in cases:
            home = cases[name]
            gaps[name] = {
                user: _estimate(
                    [
                        None if here is None or there is None else here - there
                        for here, there in zip(home, row, strict=True)
                    ],
                    seed,
                )
                for user, row in cases.items()
                if user != name
            }
    return TransferTable(scores=scores, gaps=gaps)


def _estimate(row: Sequence[float | None], seed: int) -> Estimate | None:
    try:
        import numpy as np
    except ImportError as missing:
        raise MissingExtraError("The table of simulated users", extra="worlds") from missing
    values = np.asarray([value for value in row if value is not None], dtype=float)
    if not len(values):
        return None
    drawn = np.random.default_rng(seed).integers(0, len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high), len(values), len(row) - len(values))
