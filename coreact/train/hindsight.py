"""Hindsight rollouts: a failed reply is rewritten knowing what it failed at, and the group learns from that.

Of a group in which nobody reached the full score, the best replies are rewritten by the same policy, which is
told the criteria they missed. Two uses: a bonus by how much the rewrite gained, so that replies with room to
improve are preferred; or the rewrite takes a place in the group, as an off-policy sample under the plain
prompt, which gives a group of equal failures something to learn from.

Sources: HeRL (arXiv 2603.20046), Rubric-Grounded RL (one refined rollout in a group of failures). What
differs:

- the prompt lists the unmet criteria only. That what is right should be kept is said, but not repeated: met
  criteria may be many, and the reply shows how they are met. Nothing that is `judge_only` and no judge's
  reason stands in it (`coreact.generate.grounded.hindsight.retry_guidance`, which running agents use too);
- a rewrite enters a group only if it is better than all of it (the released script also duplicates the best
  rollout where no rewrite is), and by default it replaces the worst, since a random place may be a good
  one's;
- a rollout without a score (its judge failed) is neither rewritten nor replaced, and never gets a bonus.

Pure: who rewrites, at which temperature (HeRL: .3) and who scores is the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from coreact.control_tokens import without_control_tokens
from coreact.generate.grounded.hindsight import retry_guidance
from coreact.judge.records import Judgement
from coreact.judge.transcript import Section, fenced
from coreact.rubric import Rubric
from coreact.rubric.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")

Slot = Literal["worst", "random"]
"""Whose place a rewrite takes. `worst`: that of the lowest scored, of equals by the seed; `random`: any that
has a score, as the paper does."""

REWRITE = (
    "The section `u` holds what the reply above does not meet. Write the reply once more, in the same form:"
    " change what is needed to meet each of them, keep everything else as it is, and add nothing that was not"
    " given. Write the reply alone."
)
"""What the policy is told when it rewrites."""

_THOUGHT = re.compile(r"(</?think>)")


class HindsightSettings(Settings):
    """How rewrites are chosen and used. The defaults are HeRL's, but for the place."""

    full: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Score from which on a reply has nothing to improve: a group that reached it is left alone."""
    most: int = Field(default=16, ge=1)
    """Most rewrites of one group."""
    bonus: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    """alpha: how much of what a rewrite gained is added to the score of the reply it came from."""
    slot: Slot = "worst"
    gamma: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """gamma of the off-policy weight rho / (rho + gamma)."""
    seed: int = 0
    """Draws places."""


class Rewriting(NamedTuple):
    """What the policy is asked when it rewrites a reply."""

    messages: list[dict[str, Any]]
    criteria: tuple[str, ...]
    """Ids of the unmet criteria that stand in it, in the order of the rubric."""


class Rollout(NamedTuple, Generic[T]):
    """One member of a group."""

    reply: T
    """Whatever stands for the reply: its text, its tokens."""
    score: float | None
    """None: masked, since its judge failed."""
    met: int = 0
    """Criteria it meets, which decides between equal scores."""
    rewritten: bool = False
    """It was written under another prompt than the one it is trained with: off-policy."""


def rewriting(
    prompt: Sequence[Mapping[str, Any]], reply: str, rubric: Rubric, judgement: Judgement
) -> Rewriting | None:
    """Ask for a reply once more, knowing what was wrong with it.

    Args:
        prompt: the chat messages that the reply answered.
        reply: what was written.
        rubric: what it was judged by.
        judgement: the verdicts on it.

    Returns:
        None where there is nothing that the policy may be told: all is met, unknown or hidden from it.
    """
    guidance = retry_guidance(rubric, judgement)
    if not guidance.criteria:
        return None
    section = fenced([Section("u", "what the reply does not meet", guidance.text, "unmet")])
    return Rewriting(
        [
            *map(dict, prompt),
            {"role": "assistant", "content": _said(reply)},
            {"role": "user", "content": f"{section}\n{REWRITE}"},
        ],
        guidance.criteria,
    )


def _said(reply: str) -> str:
    """The reply without control tokens but those by which a chat template finds thoughts, and cuts them."""
    parts = _THOUGHT.split(reply)
    return "".join(part if at % 2 else without_control_tokens(part) for at, part in enumerate(parts))


def to_rewrite(group: Sequence[Rollout[T]], settings: HindsightSettings) -> tuple[int, ...]:
    """Which rollouts of a group are worth rewriting, the best first.

    Empty where one of them has the full score, or none has a score. Of equal scores the one that meets more
    criteria comes first, then the one that was sampled first.
    """
    scored = [(at, one) for at, one in enumerate(group) if one.score is not None]
    if not scored or max(one.score or 0.0 for _, one in scored) >= settings.full:
        return ()
    ranked = sorted(scored, key=lambda each: (-(each[1].score or 0.0), -each[1].met, each[0]))
    return tuple(at for at, _ in ranked[: settings.most])


def with_bonus(
    scores: Sequence[float | None], rewritten: Mapping[int, float | None], settings: HindsightSettings
) -> list[float | None]:
    """Scores with the bonus: r + alpha · (r' - r), which lowers r where the rewrite was worse.

    Args:
        scores: of the rollouts of a group; None is masked and stays so.
        rewritten: scores of the rewrites by the place of the rollout they came from; a rewrite without a
            score changes nothing.
        settings: alpha.
    """
    found = list(scores)
    for at, score in rewritten.items():
        before = found[at]
        if before is not None and score is not None:
            found[at] = before + settings.bonus * (score - before)
    return found


def mixed(
    group: Sequence[Rollout[T]], rewrites: Sequence[Rollout[T]], settings: HindsightSettings, *, key: str
) -> tuple[Rollout[T], ...]:
    """The group with the best rewrite in the place of one of its rollouts, if it is better than all of them.

    Args:
        group: the rollouts.
        rewrites: what rewriting gave; those without a score are passed over.
        settings: whose place is taken.
        key: of the group; it and the seed draw the place.

    Returns:
        As many rollouts as there were; the group itself where no rewrite is better, or nobody has a score.
    """
    places = [at for at, one in enumerate(group) if one.score is not None]
    better = [one for one in rewrites if one.score is not None]
    if not places or not better:
        return tuple(group)
    best = max(better, key=lambda one: (one.score or 0.0, one.met))
    scores = [group[at].score or 0.0 for at in places]
    if (best.score or 0.0) <= max(scores):
        return tuple(group)
    if settings.slot == "worst":
        places = [at for at, score in zip(places, scores, strict=True) if score == min(scores)]
    place = Random(f"{settings.seed}|{key}").choice(places)
    return (*group[:place], best._replace(rewritten=True), *group[place + 1 :])


def off_policy_weight(
    log_probs: ArrayLike, *, gamma: float, behaviour: ArrayLike | None = None
) -> NDArray[Any]:
    """Weight of each token of a rewrite in the loss -A · rho / (rho + gamma), in (0, 1), rising with rho.

    With respect to log rho the gradient is largest at rho = gamma: tokens that the policy would rarely have
    sampled under its plain prompt are learned most, and those it finds impossible do not blow up.

    Args:
        log_probs: log-probability of each token given the prompt that is trained, any shape.
        gamma: above 0; HeRL's is .1.
        behaviour: log-probability of the same tokens under the policy that wrote them; None: rho is the
            probability itself, the paper's other form, under which no weight exceeds 1 / (1 + gamma).
    """
    import numpy as np

    exponent = np.asarray(log_probs, dtype=float)
    if behaviour is not None:
        exponent = exponent - np.asarray(behaviour, dtype=float)
    # rho / (rho + gamma) written so that a rho beyond all numbers gives 1 and not infinity by infinity.
    weight: NDArray[Any] = 1.0 / (1.0 + gamma * np.exp(np.minimum(-exponent, 700.0)))
    return weight
