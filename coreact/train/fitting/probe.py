"""Watching a GRPO stage: what its log holds, and how the model does on points that it is not trained on.

The probe has the model in training sample replies for held-out points, always with the same draws, and takes
the mean reward by checks alone as the monitor's `panel`. With the recipe's own reward that is the proxy on
other questions: it shows what does not carry over, and cannot show an exploit of the checks themselves; a
monitor with a referee, given to `fit` as a callback, can.

Sampling draws from sources of its own and puts the model back as it was, so that a stage that is watched ends
with the weights of one that is not. It is left out where weights are sharded over devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint
from coreact.train.fitting.kept import HELD_OUT
from coreact.train.monitor.figures import FigureName
from coreact.train.points import read_points
from coreact.train.recipes import GrpoStage, PromptSettings, Recipe
from coreact.train.rewards.reward import RubricReward

FOLDER = "monitor"
"""Where in a stage's folder figures and alarms are written."""
_AT_ONCE = 16  # replies


class HeldOutProbe:
    """Measures `panel`: mean reward of one reply to each point, sampled at temperature 1.

    Prompts that leave no room for a reply, and replies that the reward masks, are left out.

    Args:
        points: held-out points with contrast.
        reward: what scores a reply.
        prompt: how the model is asked.
        max_tokens: longest reply.
        seed: of the draws.
    """

    def __init__(
        self,
        points: Sequence[BranchingPoint],
        reward: RubricReward,
        prompt: PromptSettings,
        *,
        max_tokens: int,
        seed: int,
    ) -> None:
        self._points = tuple(points)
        self._reward = reward
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._seed = seed

    def __call__(self, model: Any, tokenizer: Any) -> dict[FigureName, float | None]:
        """Sample and score; None where nothing could be scored."""
        values = []
        for point, text in self._replies(model, tokenizer):
            value = self._reward.score(text, point).value
            if value is not None:
                values.append(value)
        return {"panel": fmean(values) if values else None}

    def _replies(self, model: Any, tokenizer: Any) -> Iterator[tuple[BranchingPoint, str]]:
        from coreact.generate.trained.completing import TransformersModel
        from coreact.generate.trained.exchange import Asked

        with _as_it_was(model):
            sampled = TransformersModel(model, tokenizer, name="in training", template=self._prompt.template)
            asked = []
            for at, point in enumerate(self._points):
                messages = chat(step_prompt(point.state, form=self._prompt.form))
                if sampled.room(messages) >= self._max_tokens:
                    seed = self._seed + at
                    asked.append(
                        (point, Asked(messages, max_tokens=self._max_tokens, temperature=1.0, seed=seed))
                    )
            for start in range(0, len(asked), _AT_ONCE):
                batch = asked[start : start + _AT_ONCE]
                replies = sampled.complete([one for _, one in batch])
                yield from ((point, one.text) for (point, _), one in zip(batch, replies, strict=True))


def watcher(recipe: Recipe, stage: GrpoStage, folder: Path, data: Path, *, sharded: bool) -> Any:
    """The callback that watches a stage; None where the recipe wants none.

    Args:
        recipe: the recipe.
        stage: its stage.
        folder: the stage's own; figures that stand there are gone on with.
        data: where the run keeps its points.
        sharded: whether weights lie on several devices: then nothing is sampled.
    """
    settings = recipe.monitor
    if not (settings.rules or settings.points):
        return None
    from coreact.train.monitor.callback import MonitorCallback
    from coreact.train.monitor.watching import Monitor

    path = data / HELD_OUT
    points = list(read_points([path])) if settings.points and path.is_file() and not sharded else []
    probe = HeldOutProbe(
        points,
        RubricReward(recipe.reward, form=recipe.prompt.form),
        recipe.prompt,
        max_tokens=stage.max_tokens,
        seed=recipe.seed,
    )
    return MonitorCallback(
        Monitor(settings.rules, folder=folder / FOLDER),
        probe=probe if points else None,
        every=settings.every,
    )


@contextmanager
def _as_it_was(model: Any) -> Iterator[None]:
    """Put back what sampling changes: the mode, and how the model is to generate."""
    whole = [model, model.get_base_model()] if hasattr(model, "get_base_model") else [model]
    before = [one.generation_config for one in whole]
    training = model.training
    try:
        yield
    finally:
        model.train(training)
        for one, config in zip(whole, before, strict=True):
            one.generation_config = config
