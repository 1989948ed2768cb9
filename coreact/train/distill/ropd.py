"""On-policy distillation by rubric as a reward: for TRL's GRPOTrainer, or called by hand.

The student's own rollouts are scored under a rubric that was written from them and from a teacher's answers
(`shared`), which were collected before (`answers`). During training the teacher is never asked. ROPD divides
no advantage by the group's spread and has no KL term: `scale_rewards="none"`, `beta=0`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from langchain_core.language_models import BaseChatModel

from coreact.train.distill.answers import AnswerBook, Messages, prompt_key
from coreact.train.distill.shared import Scored, SharedRubrics


class RopdReward:
    """Rewards of completions by the rubric that their group shares; None where the group is masked.

    Completions of one prompt are one group, so all rollouts of a prompt must reach the same process:
    the number of completions of each process has to be a multiple of the group's size.

    It can be pickled if the two models can: what holds locks is made anew in each process.

    Args:
        answers: the teacher's answers.
        writer: the model that contrasts the answers, see `SharedRubrics`.
        verifier: the model that scores them.
        seed: see `SharedRubrics`.
    """

    __name__ = "ropd"

    def __init__(
        self, answers: AnswerBook, writer: BaseChatModel, verifier: BaseChatModel, *, seed: int = 0
    ) -> None:
        self._answers = answers
        self._made_of = (writer, verifier, seed)
        self._shared: SharedRubrics | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shared": None}

    async def __call__(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[Any],
        *,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The rewards, in order, as TRL asks for them.

        Args:
            prompts: the prompt of each completion, as chat messages.
            completions: chat messages each, or plain texts.
            log_metric: takes `ropd/masked` (share of groups without a reward) and `ropd/contrast` (how much
                better the teacher's answers did, mean over groups).
            columns: not looked at.

        Raises:
            ConfigError: the teacher has no answer to a prompt.
        """
        groups: dict[str, list[int]] = {}
        for at, prompt in enumerate(prompts):
            groups.setdefault(prompt_key(prompt), []).append(at)
        wanted = {key: self._answers.of(prompts[places[0]]) for key, places in groups.items()}
        texts = [_text(completion) for completion in completions]
        results = await asyncio.gather(
            *(
                self._rubrics().ascore(
                    _task(prompts[places[0]]), teacher=wanted[key], rollouts=[texts[at] for at in places]
                )
                for key, places in groups.items()
            )
        )
        rewards: list[float | None] = [None] * len(texts)
        for places, scored in zip(groups.values(), results, strict=True):
            for at, reward in zip(places, scored.rewards, strict=True):
                rewards[at] = reward
        if log_metric is not None:
            _log(results, log_metric)
        return rewards

    def _rubrics(self) -> SharedRubrics:
        if self._shared is None:
            writer, verifier, seed = self._made_of
            self._shared = SharedRubrics(writer, verifier, seed=seed)
        return self._shared


def _log(results: Sequence[Scored], log_metric: Callable[[str, float], None]) -> None:
    log_metric("ropd/masked", fmean(scored.masked is not None for scored in results))
    known = [scored.contrast for scored in results if scored.contrast is not None]
    if known:
        log_metric("ropd/contrast", fmean(known))


def _task(prompt: Messages) -> str:
    """What was asked, as text: all messages but the system's, which says how to write and not what about."""
    asked = [message for message in prompt if message.get("role") != "system"] or prompt
    return "\n\n".join(str(message["content"]) for message in asked)


def _text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    return completion if isinstance(completion, str) else "\n".join(str(one["content"]) for one in completion)
