"""Data and reward of a generator that proposes helpful rubrics and a verifier that doubts misleading ones.

C2 (arXiv 2604.13618). Of many sampled rubrics of a point the most helpful and the most misleading one, by how
they moved a judge (`coreact.train.rewards.margin`), make a DPO pair for the generator. The verifier learns,
by GRPO, to compare two candidates with a rubric or without one and to say whether the rubric can be trusted;
a running system falls back to no rubric where it says `misleading`, or nothing that can be read.

What differs from the paper: candidates are actions of one state, named and ordered by their content; helpful
and misleading rubrics are brought to equal numbers, since with rewards of plus and minus one a verifier that
always says the more frequent label would be paid for it; and the verifier is shown what a small model can
read, the question and both candidates.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from pydantic import Field

from coreact.errors import ConfigError
from coreact.generate.contrastive import Contrast, contrasts
from coreact.generate.contrastive.contrast import shown
from coreact.generate.prompt import Form
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric import Rubric, render_rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest
from coreact.rubric.settings import Settings
from coreact.train.points import point_text, whole
from coreact.train.rewards.margin import contrast
from coreact.train.rows import prompt_messages

Label = Literal["helpful", "misleading", "none"]
"""What a verifier says of a rubric; `none` where it was given none."""

ASK = """\
You compare two candidates, `x` and `y`, for the next action of an agent that answers the question, and say \
which one leads on. You may be given a rubric: it may help, or it may mislead. Think for yourself first.

Reply in three lines:
analysis: one or two sentences
rubric: helpful, misleading, or none if you were given none
answer: x or y"""

_LINE = re.compile(r"^\s{0,8}\W{0,4}(rubric|answer)\W{1,6}([a-z]{1,12})\b", re.IGNORECASE | re.MULTILINE)


class CriticSettings(Settings):
    """What a verifier's reply is rewarded for; the weights are C2's. Each part is 1 or -1."""

    preference: float = Field(default=0.6, ge=0, allow_inf_nan=False)
    """The right candidate."""
    label: float = Field(default=0.3, ge=0, allow_inf_nan=False)
    """The right word for the rubric."""
    format: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """Both can be read."""


class Critique(NamedTuple):
    """What a verifier's reply says."""

    label: Label | None
    """None where it cannot be read."""
    answer: str | None
    """`x`, `y`, or None where it cannot be read."""

    @property
    def trusts(self) -> bool:
        """Whether the rubric should be used; False where nothing can be read."""
        return self.label == "helpful" and self.answer is not None


class Labelled(NamedTuple):
    """A rubric of a point, and how it moved a judge."""

    point: BranchingPoint
    rubric: Rubric
    bearing: Literal["helpful", "misleading"]


class CriticRows(NamedTuple):
    """Rows for training a verifier."""

    rows: tuple[dict[str, Any], ...]
    """For TRL's GRPOTrainer with a `CriticReward`: prompt, and the columns `answer` and `label`."""
    left_out: Counter[str]
    """`balance`: rubrics of the label that there were more of; `duplicate`: rubrics that their point had
    before; `no_contrast`: rubrics of points whose candidates are worth the same."""


def read_critique(text: str) -> Critique:
    """Read a verifier's reply; where a line stands twice, the last one counts."""
    label: Label | None = None
    answer: str | None = None
    for name, value in _LINE.findall(text):
        said = value.lower()
        if name.lower() == "answer":
            answer = said if said in ("x", "y") else None
        else:
            label = said if said in ("helpful", "misleading", "none") else None
    return Critique(label, answer)


def critic_reward(text: str, *, answer: str, label: Label, settings: CriticSettings | None = None) -> float:
    """The reward of one reply of a verifier, in [-1, 1] with the paper's weights.

    Args:
        text: the reply.
        answer: the better candidate, `x` or `y`.
        label: what the rubric is; `none` where none was shown.
        settings: the weights.
    """
    weights = settings or CriticSettings()
    found = read_critique(text)
    parts = (
        (weights.preference, found.answer == answer),
        (weights.label, found.label == label),
        (weights.format, None not in found),
    )
    return sum(weight if holds else -weight for weight, holds in parts)


class CriticReward:
    """`critic_reward` as TRL's GRPOTrainer asks for it."""

    __name__ = "critic"

    def __init__(self, settings: CriticSettings | None = None) -> None:
        self._settings = settings or CriticSettings()

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        answer: Sequence[str],
        label: Sequence[Label],
        **columns: Any,
    ) -> list[float]:
        """One reward for each completion.

        Args:
            prompts: not looked at.
            completions: chat messages each, or plain texts.
            answer: the better candidate of each row.
            label: what each row's rubric is.
            columns: not looked at.
        """
        return [
            critic_reward(
                one if isinstance(one, str) else str(one[-1]["content"]),
                answer=better,
                label=kind,
                settings=self._settings,
            )
            for one, better, kind in zip(completions, answer, label, strict=True)
        ]


def generator_row(
    point: BranchingPoint,
    texts: Sequence[str],
    margins: Sequence[float | None],
    *,
    without: float | None,
    form: Form,
) -> dict[str, Any] | None:
    """The DPO row of a point: its most helpful sampled rubric against its most misleading one.

    Args:
        point: the decision.
        texts: what the generator wrote, several times (C2 samples 16).
        margins: how each moved a judge, in nats; None where that could not be read.
        without: the judge's margin without a rubric.
        form: how criteria are written.

    Returns:
        None where none is helpful or none is misleading.

    Raises:
        ConfigError: texts and margins are not equally many.
    """
    if len(texts) != len(margins):
        raise ConfigError(f"{len(margins)} margins for {len(texts)} rubrics.", remedy="Give one for each.")
    found = contrast(margins, without)
    if found is None:
        return None
    return {
        "prompt": prompt_messages(point.state, form),
        "chosen": [{"role": "assistant", "content": whole(texts[found.helpful])}],
        "rejected": [{"role": "assistant", "content": whole(texts[found.misleading])}],
        "margin": (margins[found.helpful] or 0.0) - (margins[found.misleading] or 0.0),
        "point": point_text(point),
        "point_id": whole(point.id),
        "question_id": whole(point.question_id),
    }


def critic_prompt(pair: Contrast, rubric: Rubric | None) -> list[dict[str, str]]:
    """What a verifier is asked about two candidates; it is not told which one is better."""
    sections = [Section("q", "the question", pair.state.question, "question"), *shown(pair.sides)]
    if rubric is not None:
        sections.append(Section("r", "the rubric", render_rubric(rubric), "rubric"))
    return [
        {"role": "system", "content": f"{ASK}\n\n{UNTRUSTED}"},
        {"role": "user", "content": f"{fenced(sections)}\n\nWhich one leads on?"},
    ]


def critic_rows(labelled: Iterable[Labelled], *, seed: int) -> CriticRows:
    """Rows with helpful rubrics, as many misleading ones, and each point once without a rubric.

    Args:
        labelled: rubrics with their labels. A rubric is shown with the best and the worst candidate.
        seed: draws which rubrics are left out for the balance, and the order of the rows.
    """
    draw = Random(seed)
    left_out: Counter[str] = Counter()
    by_label: dict[str, list[dict[str, Any]]] = {"helpful": [], "misleading": []}
    plain: dict[str, dict[str, Any]] = {}
    known: set[str] = set()
    for one in labelled:
        pairs = contrasts(one.point)
        if not pairs:
            left_out["no_contrast"] += 1
            continue
        plain.setdefault(one.point.id, _row(one.point, pairs[0], None, "none"))
        row = _row(one.point, pairs[0], one.rubric, one.bearing)
        if row["row_id"] in known:
            left_out["duplicate"] += 1
            continue
        known.add(row["row_id"])
        by_label[one.bearing].append(row)
    kept = min(map(len, by_label.values()))
    left_out["balance"] = sum(len(rows) - kept for rows in by_label.values())
    rows = [row for several in by_label.values() for row in draw.sample(several, kept)] + list(plain.values())
    draw.shuffle(rows)
    return CriticRows(tuple(rows), +left_out)


def _row(point: BranchingPoint, pair: Contrast, rubric: Rubric | None, label: Label) -> dict[str, Any]:
    return {
        "prompt": critic_prompt(pair, rubric),
        "answer": pair.label,
        "label": label,
        "row_id": digest([pair.key, None if rubric is None else rubric.lock]),
        "point_id": point.id,
        "question_id": point.question_id,
    }
