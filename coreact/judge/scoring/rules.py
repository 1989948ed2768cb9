"""The scoring rules by name, for settings and reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from coreact.judge.scoring.hierarchy import halving
from coreact.judge.scoring.lookup import look_up
from coreact.judge.scoring.means import weighted_mean
from coreact.judge.scoring.score import ScoringRule
from coreact.judge.scoring.signed import healthbench, points, researchrubrics
from coreact.judge.scoring.softmin import soft_min

RULES: Mapping[str, ScoringRule] = MappingProxyType(
    {
        "weighted_mean": weighted_mean,
        "credit_absence": weighted_mean,  # the reward-hacking study's form is the same arithmetic here
        "points": points,
        "healthbench": healthbench,
        "researchrubrics": researchrubrics,
        "halving": halving,
        "soft_min": soft_min,
    }
)
"""Every rule that needs only verdicts, with its defaults."""


def scoring_rule(name: str) -> ScoringRule:
    """The rule of this name.

    Raises:
        ConfigError: there is none; says which names are near.
    """
    return look_up(RULES, name, what="scoring rule")
