"""What to make of unknown and partial verdicts and of vetoes: policies around any scoring rule.

Each takes a rule and gives a rule, so one policy means the same for all of them, and they combine:
`abstaining(capped(weighted_mean), "zero")` also vetoes where a veto criterion is unknown. These are for
scoring a running or a finished step; whether a score may be learned from is `training_label`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from coreact.errors import ConfigError
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring.lookup import look_up
from coreact.judge.scoring.score import Score, ScoringRule
from coreact.judge.scoring.settling import settle, with_criteria
from coreact.rubric import Polarity, Rubric

Abstention = Literal["skip", "zero", "full", "refuse"]
"""What an unknown verdict does. `skip`: it counts neither for nor against; `zero`: as unmet, so a
broken judge fails the step (fail-closed); `full`: as met, so it passes it (fail-open); `refuse`: there
is no value unless everything that applies was judged."""

_STAND_IN: Mapping[Abstention, Status] = {
    "skip": "unknown",
    "zero": "unmet",
    "full": "met",
    "refuse": "unknown",
}

PartialCredit = Literal["met", "unmet", "absent"]
"""What a `partial` verdict becomes. `met` and `unmet`: good or bad, whatever the polarity; `absent`:
what is only partly there is not there, so it is unmet where it is required and met where it is
forbidden."""

_WHOLE: Mapping[PartialCredit, Mapping[Polarity, Status]] = {
    "met": {"require": "met", "forbid": "met"},
    "unmet": {"require": "unmet", "forbid": "unmet"},
    "absent": {"require": "unmet", "forbid": "met"},
}


def abstaining(rule: ScoringRule, policy: Abstention) -> ScoringRule:
    """The rule, with one policy for the verdicts nobody could reach.

    Dependencies are settled first: an unknown criterion that counts as unmet takes nothing away from
    those that depend on it. `judged` and `broken` stay what they are under every policy, so a score of
    0 of 5 judged criteria shows. No policy makes a value where nothing applied.

    The value under `zero` is at most that under `skip`, and that at most the one under `full`, for
    `weighted_mean`, `points` and `soft_min` always. For `healthbench`, `researchrubrics` and `halving`
    the first half may fail: a required criterion that counts as unmet makes a deduction lighter, and a
    group with one failed check still has a half, which may be more than the other groups have.

    Args:
        rule: any scoring rule.
        policy: see `Abstention`.

    Raises:
        ConfigError: there is no such policy.
    """
    stand_in = look_up(_STAND_IN, policy, what="abstention policy")

    def scored(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
        found = rule(rubric, verdicts)
        settled = settle(rubric, verdicts)
        if policy == "skip" or all(verdict.status != "unknown" for _, verdict in settled):
            return found
        if policy == "refuse":
            return found._replace(value=None)
        independent = [
            criterion.model_copy(update={"depends_on": ()}) if criterion.depends_on else criterion
            for criterion in rubric
        ]
        replaced = [
            verdict.model_copy(update={"status": stand_in, "fault": "none", "cause": None})
            if verdict.status == "unknown"
            else verdict
            for _, verdict in settled
        ]
        counted = rule(with_criteria(rubric, independent), replaced)
        return counted._replace(judged=found.judged, total=found.total, broken=found.broken)

    return scored


def binary(rule: ScoringRule, *, partial: PartialCredit = "unmet") -> ScoringRule:
    """The rule on a binary scale: partly met counts whole or not at all, where it counts half without.

    It is decided before dependencies are, so where `partial` counts as met, what depends on it applies.

    Args:
        rule: any scoring rule.
        partial: see `PartialCredit`.

    Raises:
        ConfigError: there is no such credit.
    """
    whole = look_up(_WHOLE, partial, what="credit for partial verdicts")

    def scored(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
        polarity: dict[str, Polarity] = {criterion.id: criterion.polarity for criterion in rubric}
        return rule(
            rubric,
            [
                verdict.model_copy(update={"status": whole[polarity[verdict.criterion]]})
                if verdict.status == "partial" and verdict.criterion in polarity
                else verdict
                for verdict in verdicts
            ],
        )

    return scored


def capped(rule: ScoringRule, *, cap: float = 0.0) -> ScoringRule:
    """The rule, with at most the cap where a veto criterion is unmet.

    With the default a veto is fatal; a higher cap is a safety cap, above which no other merit lifts an
    unsafe answer. A veto stands whatever nobody could judge, so a vetoed answer always has a value. An
    unknown veto criterion does not veto by itself: put the rule into `abstaining` with `zero` for that.

    Args:
        rule: any scoring rule.
        cap: greatest value of a vetoed answer, on the rule's scale.

    Raises:
        ConfigError: the cap is not a finite number.
    """
    if not math.isfinite(cap):
        raise ConfigError(
            f"The cap of a vetoed answer is {cap}.", remedy="Give a number on the rule's scale."
        )

    def scored(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
        found = rule(rubric, verdicts)
        settled = settle(rubric, verdicts)
        if any(criterion.veto for criterion, _ in settled):
            found = found._replace(low=min(found.low, cap))
        if any(criterion.veto and verdict.status == "unmet" for criterion, verdict in settled):
            value = found.high if found.value is None else found.value
            return found._replace(value=min(value, cap))
        return found

    return scored
