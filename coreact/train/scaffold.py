"""Scaffold fading: criteria in the prompt of some rollouts of a group, and of ever fewer as training goes on.

A policy that never writes anything good has nothing to reinforce. So most rollouts of a group are shown part
of what they will be judged by, the last one nothing, and all of them nothing in the end. Which criteria are
shown is drawn by a seed. A rollout is trained under the prompt that it was sampled with (on-policy), hence
scaffolded and bare rollouts of a group share one baseline, and bare ones begin below it.

Source: RuscaRL (arXiv 2508.16949). What differs: the last step of training is bare whatever the rule, since a
sigmoid alone never reaches 0; the criteria stand in fences behind the material, because they may come from a
model, and the instructions stay byte for byte what a running agent's are; a `judge_only` criterion is never
shown. Evaluation is always bare. The reward is not changed here.

`ScaffoldRollouts` is the hook into TRL 1.16: a `rollout_func`, the one place where each rollout of a group
can have a prompt of its own, since a data set has one row for the whole group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from coreact.errors import ConfigError
from coreact.judge.transcript import Section, fenced
from coreact.rubric import Rubric
from coreact.rubric.canonical import digest
from coreact.rubric.fading import faded
from coreact.rubric.settings import Settings

Message = Mapping[str, Any]

Decay = Literal["sigmoid", "linear", "step"]
"""How the shown share falls with the progress x in [0, 1]. `sigmoid`: 1 / (1 + exp(slope · (x - midpoint)));
`linear`: 1 - x; `step`: everything before the midpoint, nothing from it on."""

TOLD = (
    "The section `s` holds some of what a good reply does, with points for each. It is no part of the task:"
    " write the reply as if you knew it yourself, and never mention the section, its words or its points."
)
"""What a rollout is told of its scaffold. The ban is RuscaRL's: it is against copied wording."""


class ScaffoldSettings(Settings):
    """How much of the criteria is shown to whom, and when."""

    decay: Decay = "sigmoid"
    midpoint: float = Field(default=0.2, ge=0, le=1)
    """Progress at which the share is halved (`sigmoid`) or ends (`step`); RuscaRL's x0."""
    slope: float = Field(default=125.0, gt=0, allow_inf_nan=False)
    """How fast a sigmoid falls; RuscaRL's s."""
    seed: int = 0
    """Draws which criteria are shown."""


def share(step: int, rollout: int, group: int, *, total: int, settings: ScaffoldSettings) -> float:
    """The share of the criteria that one rollout is shown, in [0, 1].

    (group - 1 - rollout) / (group - 1), times the decay at x = (step - 1) / (total - 1). It falls with the
    rollout and never rises with the step; the last rollout of a group and the last step are bare.

    Args:
        step: the training step, from 1.
        rollout: the rollout's place in its group, from 0.
        group: rollouts of the group.
        total: training steps in all.
        settings: the rule.

    Raises:
        ValueError: there is no such step or rollout.
    """
    if not (1 <= step <= total and 0 <= rollout < group):
        raise ValueError(f"there is no step {step} of {total}, or no rollout {rollout} of {group}")
    if group == 1 or step == total:
        return 0.0
    return (group - 1 - rollout) / (group - 1) * _decay((step - 1) / (total - 1), settings)


def _decay(x: float, settings: ScaffoldSettings) -> float:
    if settings.decay == "linear":
        return 1 - x
    if settings.decay == "step":
        return float(x < settings.midpoint)
    return 1 / (1 + math.exp(min(700.0, settings.slope * (x - settings.midpoint))))


def scaffolded(prompt: Sequence[Message], rubric: Rubric) -> list[dict[str, Any]]:
    """The prompt with the visible criteria of a rubric behind its last message.

    What should be there and what should not stand in lists of their own, each with its points. Without a
    visible criterion it is the prompt as it was.

    Args:
        prompt: chat messages, the last one the user's.
        rubric: the criteria; `judge_only` ones are left out.
    """
    messages = [dict(message) for message in prompt]
    shown = [one for one in rubric if one.visibility == "policy"]
    if not shown:
        return messages
    lists = []
    for title, polarity in (("Include", "require"), ("Avoid", "forbid")):
        lines = [f"- [{one.weight:g}] {one.text}" for one in shown if one.polarity == polarity]
        lists += [f"{title}:", *lines] if lines else []
    section = fenced([Section("s", "what a good reply does", "\n".join(lists), "scaffold")])
    messages[-1]["content"] = f"{messages[-1]['content']}\n\n{section}\n{TOLD}"
    return messages


class ScaffoldRollouts:
    """A `rollout_func` for TRL's GRPOTrainer that shows each rollout of a group its share of the criteria.

    It can be copied between processes, and holds no state: what a rollout is shown follows from the step, its
    place and the seed, so that a resumed training goes on exactly. The reward functions get a column
    `scaffold_shown`, the number of criteria that each rollout saw. Works with generation by transformers and
    by vLLM. Two of the methods of the trainer that it calls are private; TRL is pinned for such things.

    Args:
        rubrics: the criteria by the digest of the prompt, see `of`; a prompt without any stays bare.
        settings: how much is shown.
    """

    def __init__(self, rubrics: Mapping[str, Rubric], settings: ScaffoldSettings) -> None:
        self._rubrics = dict(rubrics)
        self._settings = settings

    @classmethod
    def of(
        cls, rows: Iterable[tuple[Sequence[Message], Rubric]], settings: ScaffoldSettings | None = None
    ) -> Self:
        """From prompts and what a good reply to each does.

        Raises:
            ConfigError: there is nothing to show.
        """
        rubrics = {digest(list(map(dict, prompt))): rubric for prompt, rubric in rows}
        if not rubrics:
            raise ConfigError(
                "There are no criteria to scaffold with.", remedy="Give rubrics, or train without a scaffold."
            )
        return cls(rubrics, settings or ScaffoldSettings())

    def prompt(
        self, prompt: Sequence[Message], *, step: int, rollout: int, group: int, total: int
    ) -> tuple[list[dict[str, Any]], int]:
        """What one rollout is shown: its prompt, and how many criteria stand in it."""
        messages = [dict(message) for message in prompt]
        key = digest(messages)
        rubric = self._rubrics.get(key)
        if rubric is None:
            return messages, 0
        part = share(step, rollout, group, total=total, settings=self._settings)
        kept = faded(rubric, part, key=f"{self._settings.seed}|{key}|{step}|{rollout}")
        return scaffolded(messages, kept), sum(one.visibility == "policy" for one in kept)

    def __call__(self, prompts: list[list[Message]], trainer: Any) -> dict[str, Any]:
        """Generate one completion for each prompt, as TRL asks for it.

        Args:
            prompts: this process's part of the prompts, each already repeated for its group.
            trainer: the `GRPOTrainer`.
        """
        group = trainer.num_generations if trainer.model.training else 1
        first = trainer.accelerator.process_index * len(prompts)
        shown = [
            self.prompt(
                prompt,
                step=min(trainer.state.global_step + 1, trainer.state.max_steps),
                rollout=(first + at) % group,
                group=group,
                total=trainer.state.max_steps,
            )
            if trainer.model.training
            else ([dict(message) for message in prompt], 0)
            for at, prompt in enumerate(prompts)
        ]
        prompt_ids, images, fields = trainer._tokenize_prompts([messages for messages, _ in shown])
        # One completion each: with the group's size vLLM would take every n-th prompt for the whole group.
        completion_ids, logprobs = trainer._generate_single_turn(prompt_ids, images, fields, 1)
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": completion_ids,
            "logprobs": logprobs,
            "scaffold_shown": [count for _, count in shown],
        }
