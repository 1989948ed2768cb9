"""What the model is told: the criteria before it proposes, the feedback after a rejection.

Small models imitate the last lines they read, which was measured on the embedded one (table in
docs/design.md): what is particular to this step stands first and as an imperative, the block is
short, and a rejected proposal is not repeated, since what is quoted gets copied. Weights are left to
the order of the lines; the numbers stand in the record. Criteria may come from a model, so each stands on one
line. `judge_only` criteria never appear here.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreact.judge import Judgement, Status, Verdict
from coreact.rubric import Action, Criterion, Rubric

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
            lines.append(f"About {action.call.name if action.call is not None else 'the answer'}:")
        kept = [_advice(criterion) for criterion, _ in _with(rubric, judgement, ("met",))]
        if kept:
            lines.append(f"Already good, keep it: {' '.join(kept)}")
        lines.append(HEADING)
        lines += _demands(rubric, judgement)
        if action.stops:  # what to do instead of answering stands in the criteria on calls
            lines += [f"- {_demand(c, None)}" for c, _ in _with(rubric, judgement, ("not_applicable",))]
    return "\n".join(lines)


def refusal(rubric: Rubric, action: Action, judgement: Judgement) -> str:
    """What stands in the place of a tool's result when its call was not run."""
    name = action.call.name if action.call is not None else "the answer"
    return "\n".join([f"This call of {name} was not run.", HEADING, *_demands(rubric, judgement)])


def _demands(rubric: Rubric, judgement: Judgement) -> list[str]:
    return [f"- {_demand(criterion, verdict)}" for criterion, verdict in _with(rubric, judgement, _BROKEN)]


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


def _demand(criterion: Criterion, verdict: Verdict | None) -> str:
    """The criterion as its check puts it; with the reason where the demand alone would not do."""
    check = criterion.check
    if check is None or criterion.polarity == "forbid":
        sentence, says_it_all = _advice(criterion), False
    else:
        sentence, says_it_all = _line(check.explain()), check.specific
    if says_it_all or verdict is None or not verdict.reason:
        return sentence
    return f"{sentence} ({_line(verdict.reason)})"


def _line(text: str) -> str:
    return " ".join(text.split())
