"""What the model is told: the criteria before it proposes, the feedback after a rejection.

Small models imitate the last lines they read, which was measured on the embedded one (table in
docs/design.md): what is particular to this step stands first and as an imperative, the block is
short, and a rejected proposal is not repeated, since what is quoted gets copied. Weights are left to
the order of the lines; the numbers stand in the record. Criteria may come from a model, so each stands on one
line. Reasons that may repeat a page stand between fences, before the lines they explain, and `judge_only`
criteria never appear here.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreact.judge import Judgement, Status, Verdict
from coreact.judge.reasons import in_our_words, noted, why
from coreact.judge.transcript import Section
from coreact.rubric import Action, Criterion, Rubric
from coreact.rubric.checks.base import named

HEADING = "Next step:"
"""First line of every list of criteria."""

_BROKEN: tuple[Status, ...] = ("unmet", "partial")


def guidance(rubric: Rubric) -> str:
    """The criteria the model may see, the particular ones first; empty where it may see none."""
    lines = [f"- {_advice(criterion)}" for criterion in _visible(rubric)]
    return "\n".join([HEADING, *lines]) if lines else ""


def feedback(rubric: Rubric, actions: Sequence[Action], judgements: Sequence[Judgement]) -> str:
    """What the next proposal must change, and what already holds and must be kept.

    Only visible criteria are named. Of several actions in one message each is named with its tool.
    """
    lines = ["Your proposal was rejected."]
    for action, judgement in zip(actions, judgements, strict=True):
        if len(actions) > 1:
            lines.append(f"About {_name(action)}:")
        kept = [_advice(criterion) for criterion, _ in _with(rubric, judgement, ("met",))]
        if kept:
            lines.append(f"Already good, keep it: {' '.join(kept)}")
        lines += _demands(rubric, judgement)
        if action.stops:  # what to do instead of answering stands in the criteria on calls
            lines += [f"- {_sentence(c)}" for c, _ in _with(rubric, judgement, ("not_applicable",))]
    return "\n".join(lines)


def refusal(rubric: Rubric, action: Action, judgement: Judgement) -> str:
    """What stands in the place of a tool's result when its call was not run."""
    return "\n".join([f"This call of {_name(action)} was not run.", *_demands(rubric, judgement)])


def _demands(rubric: Rubric, judgement: Judgement) -> list[str]:
    """What is wrong, where that is data; then what to do, with what is wrong where that is in our words."""
    lines, data = [HEADING], list[Section]()
    for criterion, verdict in _with(rubric, judgement, _BROKEN):
        sentence, reason = _sentence(criterion), _reason(criterion, verdict)
        if reason and not in_our_words(criterion, verdict):
            data.append(why(len(data) + 1, sentence, reason))
            reason = ""
        lines.append(f"- {sentence} ({reason})" if reason else f"- {sentence}")
    return [*noted(data), *lines]


def _with(
    rubric: Rubric, judgement: Judgement, statuses: tuple[Status, ...]
) -> list[tuple[Criterion, Verdict]]:
    """The visible criteria whose verdict is one of `statuses`, the particular ones first."""
    verdicts = {verdict.criterion: verdict for verdict in judgement.verdicts}
    return [(c, verdicts[c.id]) for c in _visible(rubric) if verdicts[c.id].status in statuses]


def _visible(rubric: Rubric) -> list[Criterion]:
    """What the policy may see: what is particular to this step first, hard rules last, by weight."""
    visible = [criterion for criterion in rubric if criterion.visibility == "policy"]
    return sorted(visible, key=lambda criterion: (criterion.kind == "hard", -criterion.weight))


def _advice(criterion: Criterion) -> str:
    text = _line(criterion.text)
    return text if criterion.polarity == "require" else f"Avoid: {text}"


def _name(action: Action) -> str:
    """The tool; quoted where an agent called something that is no name."""
    return named(action.call.name).strip("`") if action.call is not None else "the answer"


def _sentence(criterion: Criterion) -> str:
    """The criterion as its check puts it."""
    check = criterion.check
    return _advice(criterion) if check is None or criterion.polarity == "forbid" else _line(check.explain())


def _reason(criterion: Criterion, verdict: Verdict) -> str:
    """What is wrong; empty where the criterion alone says what to change."""
    check = criterion.check
    says_it_all = check is not None and criterion.polarity == "require" and check.specific
    return "" if says_it_all else _line(verdict.reason)


def _line(text: str) -> str:
    return " ".join(text.split())
