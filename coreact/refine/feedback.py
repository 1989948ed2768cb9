"""What an agent is told about a rejected answer: structured, merged, without repeats.

It names what must change and why, what already holds and must not be lost, what looks like the
cause, and what follow-ups found. `judge_only` criteria never appear, nor anything said about them.
What may repeat a page stands between fences: what follow-ups found, reasons that are not in our words, and
what is to be put back but for numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from coreact.judge.reasons import in_our_words, noted, why
from coreact.judge.records import Judgement
from coreact.judge.transcript import Section
from coreact.refine.diagnosis import Failure
from coreact.refine.follow_up import Finding
from coreact.refine.taxonomy import FailureTaxonomy
from coreact.rubric import Criterion, Record, Rubric
from coreact.rubric.words import similarity, words

_ALIKE = 0.8
_LINE_CHARS = 400
_NUMBER = re.compile(r"[\d.,'\u2019 \u2212-]+")


class Demand(Record):
    """One criterion that is not met."""

    criterion: str
    """Criterion id."""
    text: str
    """The criterion, as the agent reads it."""
    reason: str = ""
    """What is wrong; empty where another demand says it already."""
    in_our_words: bool = False
    """Whether the reason is a built-in check's; otherwise it is shown as data."""


class Advice(Record):
    """A failure code as the agent reads it."""

    code: str
    title: str
    text: str
    reason: str = ""
    in_our_words: bool = False


class Feedback(Record):
    """Everything an agent is told about one rejected answer. `str` gives the text."""

    demands: tuple[Demand, ...] = ()
    causes: tuple[Advice, ...] = ()
    findings: tuple[Finding, ...] = ()
    lost: tuple[str, ...] = ()
    """What an earlier, better answer had and this one lost."""
    kept: tuple[str, ...] = ()
    """What holds already and must not be lost."""

    @property
    def about(self) -> tuple[str, ...]:
        """The texts that say what is to change: what they name is open, the rest is to stay."""
        return (
            *(text for one in self.demands for text in (one.text, one.reason)),
            *(one.reason for one in self.causes),
            *(text for one in self.findings for text in (one.follow_up.question, one.text)),
        )

    def __str__(self) -> str:
        lines = ["Your answer was checked and is not accepted yet. Answer again, in full."]
        reasons: list[Section] = []
        lost: list[Section] = []
        if self.demands:
            lines += ["Change:", *(f"- {_told(one, reasons)}" for one in self.demands)]
        if self.lost:
            lines += ["Put back, unchanged:", *(f"- {text}" for text in _put_back(self.lost, lost))]
        if self.causes:
            lines += ["Likely cause:", *(f"- {one.title}: {_told(one, reasons)}" for one in self.causes)]
        if self.kept:
            lines += ["Already good, keep it:", *(f"- {text}" for text in self.kept)]
        findings = [
            Section(f"f{at}", f"follow-up {at}, {one.answer}", _shown(one), "")
            for at, one in enumerate(self.findings, 1)
        ]
        return "\n".join([*lines, *noted([*reasons, *lost, *findings])])


def feedback_of(
    rubric: Rubric,
    judgement: Judgement,
    *,
    failures: Sequence[Failure] = (),
    findings: Sequence[Finding] = (),
    lost: Sequence[str] = (),
    taxonomy: FailureTaxonomy,
) -> Feedback:
    """Make the feedback on a judged answer.

    Demands come heaviest first. A reason that says what an earlier one said is left out; the demand
    itself stays.
    """
    verdicts = {verdict.criterion: verdict for verdict in judgement.verdicts}
    visible = sorted(
        (criterion for criterion in rubric if criterion.visibility == "policy"),
        key=lambda criterion: -criterion.weight,
    )
    shown = {criterion.id for criterion in visible}
    wrong = [criterion for criterion in visible if verdicts[criterion.id].status in ("unmet", "partial")]
    reasons = [_cut(verdicts[criterion.id].reason) for criterion in wrong]
    said = distinct(reasons)
    demands = tuple(
        Demand(
            criterion=criterion.id,
            text=_advice(criterion),
            reason=reason if at in said else "",
            in_our_words=in_our_words(criterion, verdicts[criterion.id]),
        )
        for at, (criterion, reason) in enumerate(zip(wrong, reasons, strict=True))
    )
    causes = []
    for one in failures:
        if one.criteria and shown.isdisjoint(one.criteria):
            continue
        code = taxonomy.code(one.code)
        # A reason about a hidden criterion stays hidden, and what a demand says is not said twice.
        open_to_all = shown.issuperset(one.criteria)
        new = distinct([*reasons, _cut(one.reason)])
        told = open_to_all and len(reasons) in new
        causes.append(
            Advice(
                code=code.id,
                title=code.title,
                text=code.advice,
                reason=_cut(one.reason) if told else "",
                in_our_words=one.in_our_words,
            )
        )
    return Feedback(
        demands=demands,
        causes=tuple(causes),
        findings=tuple(
            one
            for one in findings
            if not one.failed and (not one.follow_up.criterion or one.follow_up.criterion in shown)
        ),
        lost=tuple(_cut(text) for text in lost),
        kept=tuple(_advice(criterion) for criterion in visible if verdicts[criterion.id].status == "met"),
    )


def distinct(texts: Sequence[str]) -> frozenset[int]:
    """Places of the texts that say something no earlier text says; empty texts say nothing.

    Texts are compared by their folded words: equal, contained, or alike by four fifths.
    """
    kept: dict[int, frozenset[str]] = {}
    for at, text in enumerate(texts):
        said = frozenset(words(text))
        if said and not any(said <= known or similarity(said, known) >= _ALIKE for known in kept.values()):
            kept[at] = said
    return frozenset(kept)


def merged_text(texts: Iterable[str]) -> str:
    """What several reviewers say about one thing, each point once."""
    given = [" ".join(text.split()) for text in texts]
    said = distinct(given)
    return " ".join(text for at, text in enumerate(given) if at in said)


def _shown(finding: Finding) -> str:
    return f"{_cut(finding.follow_up.question)}\n{_cut(finding.text)}"


def _advice(criterion: Criterion) -> str:
    text = _cut(criterion.text)
    return text if criterion.polarity == "require" else f"Avoid: {text}"


def _told(one: Demand | Advice, data: list[Section]) -> str:
    """What is asked for, with the reason where that is in our words; any other reason joins the data."""
    if not one.reason:
        return one.text
    if one.in_our_words:
        return f"{one.text} ({one.reason})"
    data.append(why(len(data) + 1, one.text, one.reason))
    return one.text


def _put_back(lost: Sequence[str], data: list[Section]) -> list[str]:
    """Numbers as they are; quotes and addresses are words of pages, so they join the data and are named."""
    lines = []
    for at, text in enumerate(lost, 1):
        if not _NUMBER.fullmatch(text):
            data.append(Section(f"l{at}", f"lost {at}, to be put back", text, ""))
            text = f"what stands below as lost {at}"
        lines.append(text)
    return lines


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"
