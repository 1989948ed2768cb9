"""The reward as verl calls it: a function of one sample, found by its path.

    reward.custom_reward_function.path=…/coreact/train/rewards/verl.py
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.form=lines

Fixed keywords come from verl's configuration, so settings are plain values here. A judge cannot be passed
that way: a module of one's own builds the `RubricReward` and returns `score_of(…)`. Importing this does not
import verl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from coreact.generate.prompt import Form
from coreact.train.rewards.reward import Reward, RewardSettings, RubricReward
from coreact.train.rewards.trl import point_of


def compute_score(
    data_source: str,  # noqa: ARG001 - verl passes these by name
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    form: Form | None = None,
    settings: Mapping[str, Any] | None = None,
    **kw: Any,  # noqa: ARG001
) -> dict[str, Any]:
    """The reward of one completion, by checks alone.

    Args:
        data_source: verl's name of the data; not looked at.
        solution_str: the completion.
        ground_truth: the branching point as JSON text.
        extra_info: the row's, of which `form` says in which form completions are written.
        form: the same, where rows do not say it; `lines` if nobody does.
        settings: fields of `RewardSettings`.
        kw: whatever else verl passes; not looked at.

    Returns:
        `score`, which is the reward, and its parts, which verl logs. verl knows no masked samples: `score`
        is then 0 and `masked` 1. By checks alone only a point without contrast is masked, which gives its
        whole group one score and no advantage; with a judge, filter groups by `masked`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    written: Form = form or (extra_info or {}).get("form") or "lines"
    reward = _reward(written, json.dumps(dict(settings or {}), sort_keys=True))
    return score_of(reward.score(solution_str, point_of(ground_truth)))


def score_of(reward: Reward) -> dict[str, Any]:
    """A reward as the record that verl logs: numbers only, the same keys for each sample."""
    return {
        "score": 0.0 if reward.value is None else reward.value,
        "masked": float(reward.value is None),
        "spearman": 0.0 if reward.spearman is None else reward.spearman,
        "ranked": float(reward.spearman is not None),
        "format": reward.format or 0.0,
        "atomic": reward.atomic or 0.0,
        "repetition": reward.repetition or 0.0,
        "criteria": float(reward.criteria),
    }


@lru_cache(maxsize=8)
def _reward(form: Form, settings: str) -> RubricReward:
    return RubricReward(RewardSettings.of(**json.loads(settings)), form=form)
