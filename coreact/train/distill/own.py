"""Self-distillation: the policy's own moving average is the teacher, and only what it agrees on is taught.

No other model is needed, and so nothing checks the teacher but itself. Three brakes stand against learning
its mistakes: the average is slow (EMA), a sample is kept only if several draws of the teacher say the same,
and the divergence from it is cut off at each token, so that one odd token cannot pull the policy.

Source: UniSD (multi-teacher agreement, EMA teacher, divergence clipping). Token contrast and feature matching
are not done. What differs: agreement is on what a reply *says*, not on its letters; for a rubric that is the
order in which it puts the candidates (`says`).

Within GRPO the same teacher comes without this module: TRL's `sync_ref_model=True` with
`ref_model_mixup_alpha = 1 - decay` and `ref_model_sync_steps=1` makes the reference an EMA, and `beta` is the
weight of the divergence from it. torch is needed for weights and divergence alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.judge.panel import average_ranks
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.settings import Settings
from coreact.train.points import point_text, whole
from coreact.train.replies import checked_scores
from coreact.train.rows import prompt_messages

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_LEAST_LOG = -80.0

Draw = Callable[[list[dict[str, str]], int], Sequence[str]]
"""Asks the teacher one prompt several times: chat messages and number of replies in, replies out."""


class OwnSettings(Settings):
    """When a self-taught sample is kept."""

    draws: int = Field(default=5, ge=2)
    """Replies of the teacher to each prompt."""
    least: float = Field(default=0.6, gt=0.5, le=1)
    """Share of all draws that must say the same; above a half, so that only one thing can be agreed on."""


class Agreed(NamedTuple):
    """What the draws of a teacher agree on."""

    value: Hashable
    share: float
    """Of all draws, in (0.5, 1]; unreadable ones count against it."""
    first: int
    """Place of the first draw that says so."""


def agreed(draws: Sequence[Hashable | None], *, least: float = 0.6) -> Agreed | None:
    """What most draws say, or None where they disagree.

    Args:
        draws: what each draw says; None where it says nothing, or could not be read.
        least: the share of all draws that must say it.
    """
    said = Counter(one for one in draws if one is not None)
    if not said:
        return None
    value, count = said.most_common(1)[0]
    share = count / len(draws)
    return Agreed(value, share, draws.index(value)) if share >= least and share > 0.5 else None


def says(text: str, point: BranchingPoint, *, form: Form) -> tuple[float, ...] | None:
    """What a reply says about a point: the ranks its criteria give the candidates, by their checks alone.

    Two replies in other words that put the candidates in one order say the same. None where nothing in the
    reply can be read, or it tells no candidate from another. The gains are not looked at.
    """
    rubric = read_reply(text, point.state, form=form).rubric
    if rubric is None:
        return None
    scores = checked_scores(rubric, point)
    return average_ranks(scores) if scores is not None and len(set(scores)) > 1 else None


class SelfTaught(NamedTuple):
    """One state and what came of asking the teacher about it."""

    row: dict[str, Any] | None
    """A row for TRL's SFTTrainer, or None where the draws disagree."""
    share: float
    """Of the draws that say the same; 0 where there is no agreement."""


def self_taught(
    points: Iterable[BranchingPoint], draw: Draw, *, form: Form, settings: OwnSettings | None = None
) -> Iterator[SelfTaught]:
    """Rows that the teacher's draws agree on, one result a point. Gains are not looked at.

    Args:
        points: states with candidates.
        draw: the teacher, sampling: the EMA copy of the policy.
        form: how criteria are written.
        settings: how many draws, and how far they must agree.

    Raises:
        ConfigError: the teacher gave another number of replies than it was asked for.
    """
    wanted = settings or OwnSettings()
    for point in points:
        prompt = prompt_messages(point.state, form)
        texts = list(draw(prompt, wanted.draws))
        if len(texts) != wanted.draws:
            raise ConfigError(
                f"The teacher gave {len(texts)} replies, not {wanted.draws}.",
                remedy="A draw must return as many replies as it is asked for.",
            )
        found = agreed([says(text, point, form=form) for text in texts], least=wanted.least)
        if found is None:
            yield SelfTaught(None, 0.0)
            continue
        row = {
            "prompt": prompt,
            "completion": [{"role": "assistant", "content": whole(texts[found.first])}],
            "point": point_text(point),
            "point_id": whole(point.id),
            "question_id": whole(point.question_id),
        }
        yield SelfTaught(row, found.share)


class Ema:
    """A moving average of a model's weights.

    After t updates with w1 … wt it is d^t · w0 + (1 - d) · (d^(t-1) · w1 + … + d · w(t-1) + wt).

    Averages are kept in 32 bits whatever the model's, since small updates vanish in 16. Buffers and whole
    numbers are taken over as they are.

    Args:
        model: the model whose weights are w0.
        decay: d, in [0, 1): 0 is the model itself.

    Raises:
        ConfigError: the decay is out of range.
    """

    def __init__(self, model: Module, *, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"A decay of {decay} cannot be used.", remedy="Give a number in [0, 1).")
        self.decay = decay
        self.updates = 0
        self._weights = {name: _wide(weight) for name, weight in model.state_dict().items()}

    def update(self, model: Module) -> None:
        """Take in the model's weights, after each step of its optimiser.

        Raises:
            ConfigError: it is not the model that the average began with.
        """
        now = model.state_dict()
        self._same(now)
        for name, weight in now.items():
            kept = self._weights[name]
            if kept.is_floating_point():
                kept.mul_(self.decay).add_(weight.detach().to(kept), alpha=1 - self.decay)
            else:
                kept.copy_(weight)
        self.updates += 1

    def load_into(self, model: Module) -> None:
        """Give a copy of the model the averaged weights.

        Raises:
            ConfigError: it is another model.
        """
        now = model.state_dict()
        self._same(now)
        model.load_state_dict({name: self._weights[name].to(weight) for name, weight in now.items()})

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights, to save with a checkpoint."""
        return dict(self._weights)

    def load_state_dict(self, weights: Mapping[str, Tensor], *, updates: int) -> None:
        """Go on from saved averages.

        Raises:
            ConfigError: they are of another model.
        """
        self._same(weights)
        self._weights = {name: _wide(weight) for name, weight in weights.items()}
        self.updates = updates

    def _same(self, weights: Mapping[str, Tensor]) -> None:
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        if shapes != {name: tuple(weight.shape) for name, weight in self._weights.items()}:
            raise ConfigError(
                "The weights are not those of the model that the average began with.",
                remedy="Begin an average for each model.",
            )


def _wide(weight: Tensor) -> Tensor:
    copied = weight.detach().clone()
    return copied.float() if copied.is_floating_point() and copied.element_size() < 4 else copied


def clipped_divergence(teacher: Tensor, student: Tensor, mask: Tensor, *, clip: float = 1.0) -> Tensor:
    """KL(teacher || student) of each token, cut off at `clip`, mean over tokens; in [0, clip].

    A token beyond the clip has no gradient: it is left alone and not averaged away.

    Args:
        teacher: logits `(..., tokens, vocabulary)`; no gradient flows into them.
        student: logits of the same shape.
        mask: `(..., tokens)`, 1 where a token counts.
        clip: most that one token may add, above 0, in nats.

    Returns:
        A scalar; 0 where no token counts.

    Raises:
        ConfigError: the clip is not above 0.
    """
    if not clip > 0:
        raise ConfigError(f"A clip of {clip} lets nothing through.", remedy="Give a number above 0.")
    # Words that are ruled out (-inf) would make 0 times infinity; what is this unlikely counts for nothing.
    log_p = teacher.detach().float().log_softmax(-1).clamp(min=_LEAST_LOG)
    log_q = student.float().log_softmax(-1).clamp(min=_LEAST_LOG)
    divergence = (log_p.exp() * (log_p - log_q)).sum(-1).clamp(0.0, clip)
    counted = mask.to(divergence)
    return (divergence * counted).sum() / counted.sum().clamp(min=1.0)
