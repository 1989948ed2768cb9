"""From branching points to training rows: what a rubric generator is asked, and what it should have said.

Every row holds the very messages that a running agent would send in this state (`coreact.generate.prompt`),
and the point itself as text, so that a reward can judge whatever a model writes for it. Rows come one at a
time; what became no row is counted by reason. Nothing is split or written to disk here (see `row_files`), and
nothing is scored but replies that make a pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from coreact.errors import ConfigError
from coreact.generate.prompt import Form, chat, step_prompt
from coreact.rubric import State
from coreact.rubric.branching import BranchingPoint
from coreact.train.points import point_text, whole
from coreact.train.preferences import Reply, drawn_replies, pairs, rated
from coreact.train.teaching import MOST_LINES, Aim, teach

Row = dict[str, Any]
"""One row: `prompt` (chat messages), `point` (JSON text), `point_id`, `question_id`, and what a kind adds."""

Left = Counter[str]
"""How often a point became no row, by reason. `no_contrast`: all candidates are worth the same, or nobody
could tell; `no_lesson`: no reply orders them better than chance; `weak_lesson`: the best reply orders them
too badly; `few_replies`: fewer than two replies could be scored; `no_pair`: no two are far enough apart."""

DATA_SOURCE = "coreact-rubric"
"""What verl chooses a reward function by."""


def prompt_rows(
    points: Iterable[BranchingPoint], *, form: Form = "sheet", left: Left | None = None
) -> Iterator[Row]:
    """Rows to sample from: what `trl.GRPOTrainer` reads; it hands `point` to reward functions.

    Args:
        points: branching points.
        form: how the model writes criteria.
        left: counts what became no row.
    """
    for point in _with_contrast(points, left):
        yield _row(point, form)


def sft_rows(
    points: Iterable[BranchingPoint],
    *,
    form: Form = "sheet",
    least: int = 1,
    most: int = MOST_LINES,
    aim: Aim = "order",
    least_spearman: float = 0.0,
    left: Left | None = None,
) -> Iterator[Row]:
    """Rows to imitate: `prompt_rows` with the teacher's reply as `completion`, for `trl.SFTTrainer`.

    Args:
        points: branching points.
        form: `sheet` or `lines`.
        least: fewest lines of a reply.
        most: most lines of a reply.
        aim: what a reply is best at.
        least_spearman: agreement of a reply with the gains, in [0, 1], below which it is not taught; counts
            where the order is the aim.
        left: counts what became no row.

    Raises:
        ConfigError: the teacher does not write this form, or the numbers of lines do not fit.
    """
    counted = Counter() if left is None else left
    for point in _with_contrast(points, counted):
        lesson = teach(point, form=form, least=least, most=most, aim=aim)
        if lesson is None or (aim == "order" and lesson.spearman < least_spearman):
            counted["no_lesson" if lesson is None else "weak_lesson"] += 1
        else:
            yield {**_row(point, form), "completion": _said(lesson.text)}


def dpo_rows(
    points: Iterable[BranchingPoint],
    *,
    form: Form = "sheet",
    seed: int = 0,
    margin: float = 0.2,
    most_pairs: int = 2,
    replies: Callable[[BranchingPoint], Iterable[str]] | None = None,
    rate: Callable[[str, BranchingPoint], Reply] | None = None,
    left: Left | None = None,
) -> Iterator[Row]:
    """Rows to prefer by: `prompt_rows` with `chosen`, `rejected` and `margin`, for `trl.DPOTrainer`.

    Pairs are chosen as in rDPO (arXiv 2604.13029), see `coreact.train.preferences`.

    Args:
        points: branching points.
        form: how the model writes criteria.
        seed: of the replies that are drawn, where none are given.
        margin: least difference in score between the two sides, in [0, 1].
        most_pairs: most pairs of one point.
        replies: gives replies to a point: samples of the model that is trained, as in the paper. Without it
            they are the teacher's and lines drawn at random, so that no model is needed.
        rate: scores a reply; without it by its checks alone, see `rated`.
        left: counts what became no row.

    Raises:
        ConfigError: replies can not be drawn in this form, or a setting is out of range.
    """
    if not 0 < margin <= 1 or most_pairs < 1:
        raise ConfigError(
            f"There are no {most_pairs} pairs with a margin of {margin:g}.",
            remedy="Give a margin in (0, 1] and at least one pair.",
        )
    counted = Counter() if left is None else left
    given = replies or partial(drawn_replies, form=form, seed=seed)
    score = rate or partial(rated, form=form)
    for point in _with_contrast(points, counted):
        found = [score(text, point) for text in dict.fromkeys(map(whole, given(point)))]
        if sum(one.score is not None for one in found) < 2:
            counted["few_replies"] += 1
            continue
        mined = pairs(found, margin=margin, most=most_pairs)
        if not mined:
            counted["no_pair"] += 1
        for chosen, rejected, apart in mined:
            row = _row(point, form)
            yield {**row, "chosen": _said(chosen), "rejected": _said(rejected), "margin": apart}


def verl_rows(
    points: Iterable[BranchingPoint],
    *,
    form: Form = "sheet",
    split: str = "train",
    first: int = 0,
    left: Left | None = None,
) -> Iterator[Row]:
    """Rows to sample from as verl 0.9 reads them.

    The point is the ground truth in `reward_model`, which verl hands to `compute_score` with `extra_info`.

    Args:
        points: branching points.
        form: how the model writes criteria.
        split: name of the split they are in.
        first: index of the first row; verl wants them to differ.
        left: counts what became no row.
    """
    for index, point in enumerate(_with_contrast(points, left), first):
        row = _row(point, form)
        yield {
            "data_source": DATA_SOURCE,
            "prompt": row["prompt"],
            "ability": "rubric",
            "reward_model": {"style": "rule", "ground_truth": row["point"]},
            "extra_info": {
                "split": split,
                "index": index,
                "form": form,
                "point_id": row["point_id"],
                "question_id": row["question_id"],
            },
        }


def prompt_messages(state: State, form: Form) -> list[dict[str, str]]:
    """The messages of a row: those that a running agent sends, halves of characters replaced."""
    return [{name: whole(text) for name, text in one.items()} for one in chat(step_prompt(state, form=form))]


def _with_contrast(points: Iterable[BranchingPoint], left: Left | None) -> Iterator[BranchingPoint]:
    for point in points:
        if point.has_contrast:
            yield point
        elif left is not None:
            left["no_contrast"] += 1


def _row(point: BranchingPoint, form: Form) -> Row:
    return {
        "prompt": prompt_messages(point.state, form),
        "point": point_text(point),
        "point_id": whole(point.id),
        "question_id": whole(point.question_id),
    }


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
