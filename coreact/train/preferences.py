"""Which of several replies to one prompt make a preference pair.

By the three rules of rDPO (arXiv 2604.13029, known from its abstract and a reading note; its thresholds were
not seen, those here are ours): qualification, the chosen reply passes all essential checks; margin, it is
better by enough; diversity, the few pairs of a prompt differ. Selecting by the outcome alone made models
worse there, so a reply that ranks well by luck and cannot be read or followed is never chosen.

Here a reply is a rubric. Essential is that it is read whole, that code decides each of its criteria, and that
it does not ask to answer and not to answer at once; its score is how well it orders the candidates of its
point. Replies come from anywhere: samples of the model that is trained, or, where there is none yet, the
teacher and the dice.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.judge.ordering import agreement, judged, standing
from coreact.rubric import DoesNotStop, Stops
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.words import similarity, words
from coreact.train.teaching import MOST_LINES, lines_for, teach, written

DRAWN = 8
"""Replies that are drawn for a point, beside the teacher's."""


class Reply(NamedTuple):
    """A reply, and what it is worth."""

    text: str
    score: float | None
    """In [0, 1], higher is better; None: nobody could tell, so it is on neither side of a pair."""
    qualified: bool
    """Whether it passes all that is essential, so that it may be chosen."""


class Pair(NamedTuple):
    """Two replies to one prompt."""

    chosen: str
    rejected: str
    margin: float
    """Difference in score, above 0, at most 1."""


def rated(text: str, point: BranchingPoint, *, form: Form = "sheet") -> Reply:
    """Score a reply by its checks alone.

    The score is Spearman's rank correlation with the gains, moved to [0, 1]; a reply that cannot be read has
    0, and one with a criterion that code cannot decide has none.

    Args:
        text: the reply.
        point: the point it was written for.
        form: the form it is written in, `lines` or `sheet`.
    """
    read = read_reply(text, point.state, form=form)
    if read.rubric is None:
        return Reply(text, 0.0, qualified=False)
    if any(criterion.check is None for criterion in read.criteria):
        return Reply(text, None, qualified=False)
    rho = agreement(standing(judged(read.rubric, point.actions, point.state)), point.gains)
    whole = not any(remark.deed in ("dropped", "refused") for remark in read.remarks)
    torn = {DoesNotStop, Stops} <= {type(criterion.check) for criterion in read.criteria}
    score = None if rho is None else round((rho + 1) / 2, 12)
    return Reply(text, score, qualified=whole and not torn)


def pairs(replies: Sequence[Reply], *, margin: float = 0.2, most: int = 2) -> list[Pair]:
    """The pairs of one prompt, at most `most`.

    The first one is the widest. Each further one has another rejected reply: the one whose words differ most
    from those rejected before it. The order of the replies changes nothing.

    Args:
        replies: scored replies to one prompt.
        margin: least difference in score, above 0.
        most: most pairs.
    """
    scored = sorted((one.score, one) for one in replies if one.score is not None)
    possible = [
        Pair(chosen.text, rejected.text, apart)
        for high, chosen in scored
        if chosen.qualified
        for low, rejected in scored
        if (apart := round(high - low, 12)) >= margin and apart > 0
    ]
    # The widest first; of equally wide ones always the same, whatever came first.
    possible.sort(key=lambda pair: (-pair.margin, len(pair.chosen), pair.chosen, pair.rejected))
    found: list[Pair] = []
    while len(found) < most:
        taken = [frozenset(words(pair.rejected)) for pair in found]
        others = {pair.rejected for pair in found}
        fresh = [pair for pair in possible if pair.rejected not in others]
        if not fresh:
            break
        found.append(max(fresh, key=lambda pair: _distance(pair.rejected, taken)))
    return found


def _distance(text: str, taken: Sequence[frozenset[str]]) -> float:
    """How far a text is from the nearest of these, in [0, 1]; 1 where there are none."""
    said = frozenset(words(text))
    return 1 - max((similarity(said, other) for other in taken), default=0.0)


def drawn_replies(
    point: BranchingPoint, *, form: Form = "sheet", seed: int = 0, most: int = DRAWN
) -> tuple[str, ...]:
    """The teacher's reply, if there is one, then replies of lines drawn at random; all of them differ.

    Args:
        point: the point.
        form: `sheet` or `lines`.
        seed: of the draw; the same point and seed give the same replies.
        most: most replies that are drawn.

    Raises:
        ConfigError: no reply can be drawn in this form.
    """
    if form not in ("sheet", "lines"):
        raise ConfigError(f"Replies of the form {form!r} cannot be drawn.", remedy="Give replies of a model.")
    lesson = teach(point, form=form)
    found = dict.fromkeys([lesson.text] if lesson is not None else [])
    lines = lines_for(point.state, form)
    draw = Random(f"replies|{seed}|{point.id}")
    for _ in range(most if lines else 0):
        number = draw.randint(1, min(MOST_LINES, len(lines)))
        found[written(draw.sample(lines, number))] = None
    return tuple(found)
