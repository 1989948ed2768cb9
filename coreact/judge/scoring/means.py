"""Means of credits: explicit weights, weights by category, and the single rating of a whole rubric.

Rubrics as Rewards (RaR, arXiv 2507.17746) has both an explicit reward, one binary judgement for each
criterion, and an implicit one, a single rating by a judge that saw the whole rubric. The explicit one
says what to mend and is for gates; the implicit one trained slightly better in the paper and can be
audited by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from coreact.errors import ConfigError
from coreact.judge.records import Verdict
from coreact.judge.scoring.exact import share
from coreact.judge.scoring.lookup import look_up
from coreact.judge.scoring.score import Score, ScoringRule
from coreact.judge.scoring.settling import mark, with_criteria
from coreact.rubric import Rubric

Category = Literal["essential", "important", "optional", "pitfall"]
"""How much a criterion matters. A `pitfall` is something to avoid: avoiding it earns its weight."""

RAR_WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "v1": MappingProxyType({"essential": 1.0, "important": 0.7, "optional": 0.3, "pitfall": 0.8}),
        "v2": MappingProxyType({"essential": 1.0, "important": 0.7, "optional": 0.3, "pitfall": 0.9}),
    }
)
"""Weights of RaR's categories by version of the paper; only the pitfall's moved."""


def weighted_mean(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
    """Earned weight over judged weight, in [0, 1]; None where nothing was judged.

    RaR's explicit reward. A `forbid` criterion earns its weight where the bad thing is absent. That is
    RaR's convention, whose pitfalls are phrased positively, and also that of the reward-hacking study
    (arXiv 2605.12474), which credits |w| for absence and divides by the sum of |w|. On the same
    verdicts it differs from `healthbench` wherever the rubric forbids something. `partial` earns half
    (ours; both papers are binary).
    """
    sheet = mark(rubric, verdicts)
    return sheet.score(share([(each.criterion.weight, each.credit) for each in sheet.marks]))


def categorical(
    categories: Mapping[str, Category],
    *,
    version: Literal["v1", "v2"] = "v2",
    rule: ScoringRule = weighted_mean,
) -> ScoringRule:
    """The rule with RaR's weights for categories in place of the criteria's own.

    Args:
        categories: category by criterion id; ids of other rubrics do no harm.
        version: which version of the paper the weights are from, see `RAR_WEIGHTS`.
        rule: what to do with the weights.

    Raises:
        ConfigError: the version or a category is unknown. The rule itself raises it where a
            criterion of the rubric has no category.
    """
    table = look_up(RAR_WEIGHTS, version, what="version of RaR's weights")
    weights = {name: look_up(table, category, what="category") for name, category in categories.items()}

    def by_category(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
        missing = [criterion.id for criterion in rubric if criterion.id not in weights]
        if missing:
            raise ConfigError(
                f"These criteria have no category: {', '.join(missing)}.",
                remedy=f"Give each one of {', '.join(table)}.",
            )
        reweighted = [criterion.model_copy(update={"weight": weights[criterion.id]}) for criterion in rubric]
        return rule(with_criteria(rubric, reweighted), verdicts)

    return by_category


def implicit(rating: float | None, *, broken: bool = False) -> Score:
    """The score of a single rating of an answer under the whole rubric, RaR's implicit reward.

    1 gives 0 and 10 gives 1, evenly between them, so that the whole range is used (the map is ours).

    Args:
        rating: the judge's rating in [1, 10], higher is better; None where it gave none.
        broken: whether the rating is missing because an instrument failed.

    Returns:
        A score in [0, 1] that rests on 1 of 1 ratings, or on 0 of 1 with the value None.

    Raises:
        ValueError: the rating is outside [1, 10].
    """
    if rating is None:
        return Score(None, judged=0, total=1, low=0.0, high=1.0, broken=int(broken))
    if not 1 <= rating <= 10:
        raise ValueError(f"a rating is between 1 and 10, not {rating}")
    return Score((rating - 1) / 9, judged=1, total=1, low=0.0, high=1.0)
