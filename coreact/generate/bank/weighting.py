"""Which weight a rule gives a criterion: by its id, its stage or its kind, the nearest rule first.

Shared by the meta-rubric, which says what kinds of criteria are worth to a project, and by profiles, which
say what they are worth to one stakeholder. Nothing here changes a rubric.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from coreact.rubric import Criterion, CriterionKind, Record

Factor = Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)]
"""What a weight is multiplied by: from a thousandth to a thousandfold, so that nothing is switched off."""

_LEAST = Fraction(sys.float_info.min)


class Weighting(Record):
    """Factors for the weights of criteria."""

    kind: dict[CriterionKind, Factor] = Field(default_factory=dict)
    """By what a criterion is about."""
    stage: dict[str, Factor] = Field(default_factory=dict)
    """By the stage of the task that it belongs to."""
    id: dict[str, Factor] = Field(default_factory=dict)
    """By its id, where `*`, `?` and `[…]` stand for any characters, as in file names."""

    def factor(self, criterion: Criterion) -> float:
        """The factor of a criterion: of its exact id, of the first id pattern in the order of the table
        that fits, of its stage, of its kind; 1 where no rule fits.
        """
        if criterion.id in self.id:
            return self.id[criterion.id]
        for pattern, factor in self.id.items():
            if fnmatchcase(criterion.id, pattern):
                return factor
        if criterion.stage is not None and criterion.stage in self.stage:
            return self.stage[criterion.stage]
        return self.kind.get(criterion.kind, 1.0)


def normalised(weights: Sequence[Fraction], total: Fraction = Fraction(1)) -> list[Fraction]:
    """Positive weights scaled so that they add up to `total`."""
    whole = sum(weights, Fraction())
    return [weight * total / whole for weight in weights]


def as_weight(share: Fraction) -> float:
    """An exact share as a weight of a criterion: never 0, however small it is."""
    return float(max(share, _LEAST))
